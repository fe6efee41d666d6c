"""The prepared draft holds exactly the faults that were planted in it."""

from collections import defaultdict

from tests.racing.planted import INVENTED_WINNERS, PLANTED
from tests.racing.season import RACES, REFUSAL, STANDINGS, Row, read, rows, unsupported, words

Fault = tuple[str, tuple[int, ...]]


def faults_of_rows(draft: list[Row]) -> set[Fault]:
    """What is wrong with a row by itself."""
    found: set[Fault] = set()
    for line, row in enumerate(draft, 1):
        if not row["completion"].strip():
            found.add(("empty", (line,)))
        elif row["completion"] == REFUSAL:
            continue
        elif row["quote"] not in read(row["source"]):
            found.add(("quote not in source", (line,)))
        elif unsupported(row["completion"], row["quote"]):
            found.add(("unsupported", (line,)))
    return found


def faults_between_rows(draft: list[Row]) -> set[Fault]:
    """What is wrong with rows that ask the same."""
    asked: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for line, row in enumerate(draft, 1):
        asked[tuple(words(row["prompt"]))].append(line)
    found: set[Fault] = set()
    for lines in asked.values():
        if len(lines) > 1:
            answers = {draft[line - 1]["completion"] for line in lines}
            found.add(("duplicate" if len(answers) == 1 else "contradiction", tuple(lines)))
    return found


def test_the_draft_holds_the_planted_faults_and_no_other() -> None:
    draft = rows("draft.jsonl")
    assert 38 <= len(draft) <= 45
    found = faults_of_rows(draft) | faults_between_rows(draft)
    assert found == {(fault.kind, fault.lines) for fault in PLANTED}


def test_the_only_wrong_winners_are_the_invented_ones() -> None:
    winners = {
        race: pilot
        for number, race in enumerate(RACES)
        for pilot, (_, places, _) in STANDINGS.items()
        if places[number] == 1
    }
    asked = {f"Who won the {race}?": winner for race, winner in winners.items()}
    draft = rows("draft.jsonl")
    wrong = [
        line
        for line, row in enumerate(draft, 1)
        if row["prompt"] in asked and row["completion"] != asked[row["prompt"]]
    ]
    assert tuple(wrong) == INVENTED_WINNERS


def test_a_pair_has_a_quote_with_its_source_or_is_a_refusal() -> None:
    for row in rows("draft.jsonl"):
        proof = {"source", "quote"} & row.keys()
        assert proof == (set() if row["completion"] == REFUSAL else {"source", "quote"})
        assert row.keys() - proof == {"prompt", "completion"}
