"""The faults planted in `racing/draft.jsonl`, so that a checker can be held to finding each of them and no more.

Lines are counted from 1. A fault that two lines make together, such as a contradiction, names both.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Planted:
    kind: str
    lines: tuple[int, ...]
    about: str


PLANTED = (
    Planted("unsupported", (8,), "an invented winner of race 1"),
    Planted("unsupported", (15,), "an invented winner of race 2"),
    Planted("quote not in source", (17,), "a sentence that race 2 never tells"),
    Planted("unsupported", (20,), "the failure of race 5 in the place of race 2's"),
    Planted("contradiction", (21, 33), "a question that names no race, answered for two of them"),
    Planted("duplicate", (25, 28), "the same pair twice"),
    Planted("unsupported", (31,), "an invented winner of race 4"),
    Planted("empty", (35,), "a completion with nothing in it"),
)

INVENTED_WINNERS = (8, 15, 31)
"""Lines whose answer names a pilot who did not win the race, as in the chapter's own generated data."""
