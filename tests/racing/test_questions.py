"""The season's questions and the held-out ones: enough of them, proved, and free of each other."""

from collections import Counter

import pytest

from tests.racing.season import (
    PLACES,
    RACES,
    REFUSAL,
    STANDINGS,
    answer,
    question,
    read,
    rows,
    unsupported,
    words,
)

FILES = ("questions.jsonl", "heldout.jsonl")


def same(text: str) -> tuple[str, ...]:
    """Questions with this in common ask the same, whatever the order of their words."""
    return tuple(sorted(words(text)))


def test_there_are_at_least_150_facts_with_three_or_more_wordings_each() -> None:
    wordings = Counter(row["fact"] for row in rows("questions.jsonl") if row["kind"] == "answerable")
    assert len(wordings) >= 150
    assert min(wordings.values()) >= 3


@pytest.mark.parametrize("name", FILES)
def test_a_row_is_one_question_and_one_answer(name: str) -> None:
    for row in rows(name):
        assert [message["role"] for message in row["messages"]] == ["user", "assistant"]
        assert row["kind"] in {"answerable", "unanswerable", "off-topic"}
        assert row["fact"]
        assert question(row).strip() == question(row)
        assert 1 <= len(answer(row).split()) <= 12


@pytest.mark.parametrize("name", FILES)
def test_every_answer_is_proved_by_a_sentence_of_its_source(name: str) -> None:
    for row in rows(name):
        if row["kind"] == "answerable":
            assert row["quote"] in read(row["source"])
            assert not unsupported(answer(row), row["quote"]), question(row)


@pytest.mark.parametrize("name", FILES)
def test_what_cannot_be_answered_gets_the_one_refusal_and_no_quote(name: str) -> None:
    for row in rows(name):
        refused = row["kind"] != "answerable"
        assert refused == (answer(row) == REFUSAL)
        assert refused == ("quote" not in row) == ("source" not in row)


@pytest.mark.parametrize("name", FILES)
def test_refusals_are_about_a_sixth_of_the_rows(name: str) -> None:
    """Fewer and the model never learns to refuse; many more and it refuses what it knows."""
    every = rows(name)
    share = sum(row["kind"] != "answerable" for row in every) / len(every)
    assert 0.14 <= share <= 0.20


@pytest.mark.parametrize("name", FILES)
def test_no_question_is_asked_twice(name: str) -> None:
    asked = Counter(tuple(words(question(row))) for row in rows(name))
    assert max(asked.values()) == 1


def test_a_fact_has_one_answer_and_a_question_has_one_answer() -> None:
    """Also across the two files, and also where only the order of a question's words differs."""
    every = [row for name in FILES for row in rows(name)]
    for key in (lambda row: row["fact"], lambda row: same(question(row))):
        answers: dict[object, set[str]] = {}
        for row in every:
            answers.setdefault(key(row), set()).add(answer(row))
        assert {len(given) for given in answers.values()} == {1}


def test_no_held_out_question_is_trained_on() -> None:
    """Not even in another order of the same words; but each asks about a fact that is."""
    trained = rows("questions.jsonl")
    seen = {same(question(row)) for row in trained}
    facts = {row["fact"] for row in trained}
    held = rows("heldout.jsonl")
    assert len(held) >= 120
    assert not [question(row) for row in held if same(question(row)) in seen]
    assert {row["fact"] for row in held} <= facts


def test_the_first_hundred_held_out_questions_hold_their_share_of_refusals() -> None:
    """They are the ones that a release is judged by."""
    refused = sum(row["kind"] != "answerable" for row in rows("heldout.jsonl")[:100])
    assert 15 <= refused <= 20


def test_no_opening_is_everywhere() -> None:
    """People begin in many ways: no two first words begin a tenth of the questions."""
    every = rows("questions.jsonl")
    openings = Counter(tuple(words(question(row))[:2]) for row in every)
    assert max(openings.values()) < len(every) / 10


@pytest.mark.parametrize("number", range(1, 6))
def test_the_places_that_are_asked_for_are_those_of_the_standings(number: int) -> None:
    """From all three sides: the place of a pilot, the pilot in a place, the pod in a place."""
    answers = {row["fact"]: answer(row) for row in rows("questions.jsonl")}
    for pilot, (pod, places, _) in STANDINGS.items():
        place = places[number - 1]
        rank = "winner" if place == 1 else PLACES[place - 1]
        surname = pilot.split()[1].lower()
        assert answers[f"race{number}-{surname}-place"].lower() == PLACES[place - 1]
        assert answers[f"race{number}-{rank}"] == pilot
        assert answers[f"race{number}-{rank}-pod"] == pod


def test_the_season_that_is_asked_for_is_that_of_the_standings() -> None:
    answers = {row["fact"]: answer(row) for row in rows("questions.jsonl")}
    for pilot, (pod, places, place) in STANDINGS.items():
        surname = pilot.split()[1].lower()
        wins = {1: "One", 2: "Two"}.get(places.count(1), "None")
        rank = "winner" if place == 1 else PLACES[place - 1]
        assert answers[f"{surname}-pod"] == pod
        assert answers[f"{surname}-wins"] == wins
        assert answers[f"season-{surname}-place"].lower() == PLACES[place - 1]
        assert answers[f"season-{rank}"] == pilot
        assert answers[f"season-{rank}-pod"] == pod
    for number, race in enumerate(RACES, 1):
        assert answers[f"race{number}-name"] == f"The {race}"
        assert answers[f"race{number}-number"] == f"Race {number}"
