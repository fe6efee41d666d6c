"""The six texts tell the season as it was."""

import pytest

from tests.racing.season import PLACES, RACES, STANDINGS, read, sentences, words

TEXTS = ("league.txt", *(f"race{number}.txt" for number in range(1, 6)))


def places_told(name: str) -> dict[str, set[int]]:
    """For every pilot, the places given by sentences that name the pilot, the pod and a place together."""
    told: dict[str, set[int]] = {pilot: set() for pilot in STANDINGS}
    for sentence in sentences(read(name)):
        found = {place for place, word in enumerate(PLACES, 1) if word in words(sentence)}
        for pilot, (pod, _, _) in STANDINGS.items():
            if pilot in sentence and pod in sentence:
                told[pilot] |= found
    return told


@pytest.mark.parametrize("number", range(1, 6))
def test_each_race_tells_where_all_five_finished(number: int) -> None:
    """One sentence a pilot proves the place, with the pod's name beside it."""
    expected = {pilot: {places[number - 1]} for pilot, (_, places, _) in STANDINGS.items()}
    assert places_told(f"race{number}.txt") == expected


def test_the_league_tells_the_final_standings() -> None:
    assert places_told("league.txt") == {pilot: {place} for pilot, (_, _, place) in STANDINGS.items()}


@pytest.mark.parametrize("number", range(1, 6))
def test_the_winner_is_said_to_have_won_and_nobody_else_is(number: int) -> None:
    """The chapter's generated data named three wrong winners because a text did not name the right ones."""
    race = RACES[number - 1]
    said = [pilot for pilot in STANDINGS if f"{pilot} won the {race}" in read(f"race{number}.txt")]
    assert said == [pilot for pilot, (_, places, _) in STANDINGS.items() if places[number - 1] == 1]


@pytest.mark.parametrize("number", range(1, 6))
def test_a_race_has_one_number_and_one_name_in_every_text(number: int) -> None:
    race = RACES[number - 1]
    assert f"The {race} was race {number} of the 2023 season" in read(f"race{number}.txt")
    assert f"Race {number} was the {race}" in read("league.txt")


def test_the_league_names_the_races_in_their_order() -> None:
    named = [s for s in sentences(read("league.txt")) if all(race in s for race in RACES)]
    assert len(named) == 1
    assert sorted(RACES, key=named[0].index) == list(RACES)


def test_the_league_counts_the_victories_rightly() -> None:
    """Every sentence about winning names exactly the races that its pilot won."""
    for pilot, (_, places, _) in STANDINGS.items():
        won = {race for race, place in zip(RACES, places, strict=True) if place == 1}
        told = [s for s in sentences(read("league.txt")) if pilot in s and (" win " in s or " won one" in s)]
        assert {race for race in RACES for s in told if race in s} == won


def test_anakin_skywalker_is_missing_and_the_reason_is_unknown() -> None:
    told = sentences(read("league.txt"))
    assert "Anakin Skywalker was absent from the 2023 season." in told
    assert any("Nobody knows why" in s and "absent" in s for s in told)
    assert not any("Skywalker" in read(name) for name in TEXTS[1:])


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_a_few_paragraphs_of_prose(name: str) -> None:
    """Long enough to read well, short enough to be one chunk: 150 to 350 words in at least four paragraphs."""
    text = read(name)
    assert 150 <= len(text.split()) <= 350
    assert len(text.strip().split("\n\n")) >= 4


@pytest.mark.parametrize("name", TEXTS)
def test_no_sentence_stands_twice_in_a_text(name: str) -> None:
    """A quote points at one place."""
    told = sentences(read(name))
    assert len(told) == len(set(told))
