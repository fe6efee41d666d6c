"""The second held-out set of the racing season. It is only for measuring: no setting and no wording was chosen by it.

`racing/heldout.jsonl` was read while the wordings of the dataset were improved, so its score is a little too good.
"""

import json
from pathlib import Path

from tests.racing.season import Row, answer, question, rows, words

SECOND = Path(__file__).with_name("second_heldout.jsonl")


def second() -> list[Row]:
    """The rows of the second set."""
    return [json.loads(line) for line in SECOND.read_text(encoding="utf-8").splitlines()]


def test_it_asks_sixty_questions_about_facts_that_are_trained() -> None:
    """Each has the answer that its fact has in the dataset."""
    known = {row["fact"]: (row["kind"], answer(row)) for row in rows("questions.jsonl")}
    asked = second()
    assert len(asked) == 60
    assert [known[row["fact"]] for row in asked] == [(row["kind"], answer(row)) for row in asked]


def test_it_shares_no_question_with_the_other_files() -> None:
    """Not even in another order of the same words."""
    seen = {tuple(sorted(words(question(row)))) for name in ("questions.jsonl", "heldout.jsonl") for row in rows(name)}
    asked = [tuple(sorted(words(question(row)))) for row in second()]
    assert not seen.intersection(asked)
    assert len(set(asked)) == len(asked)
