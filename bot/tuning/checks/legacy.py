"""What `prepare_data` asked for in the days of prompt and completion: explained, and taken out by `--fix`.

Models of that day read one text. A separator told where the question ended, a space began the answer because
tokens began with one, and a stop string ended it. Chat models are given roles instead, and would only learn to
write these.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from bot.core.i18n import N_, _, ngettext
from bot.storage.datasets import PairRow

SEPARATOR = re.compile(r"(?:\s*(?:\n\n###\n\n|\n\n###|###|->|=>))\s*$")
STOP = re.compile(r"\s*(?:###|\n?\bEND\b|<\|endoftext\|>)\s*$")

SPACES = N_(
    "Answers that begin with a space: {n:,}. Older tokenizers joined it to the first word; chat "
    "models need none, and --fix removes it."
)
SEPARATORS = N_(
    "Questions that end with a separator: {n:,}. It told older models where the question ended; "
    "chat models need none, and --fix removes it."
)
STOPS = N_(
    "Answers that end with a stop string: {n:,}. It told older models where to stop; chat models "
    "need none, and --fix removes it."
)


def plain(pair: PairRow) -> PairRow:
    """A pair without separator, stop string and blank space around its texts."""
    question = SEPARATOR.sub("", pair.question).strip()
    answer = STOP.sub("", pair.answer).strip()
    return (
        pair if (question, answer) == (pair.question, pair.answer) else replace(pair, question=question, answer=answer)
    )


def notes(pairs: Sequence[PairRow], older: Sequence[int]) -> list[str]:
    """Sentences about the older form, where it is there; no faults."""
    said = []
    if older:
        said.append(
            ngettext(
                "{n:,} row is a prompt/completion pair, the form of older models; it is written as messages.",
                "{n:,} rows are prompt/completion pairs, the form of older models; they are written as messages.",
                len(older),
            )
        )
    spaced = sum(pair.answer.startswith(" ") for pair in pairs)
    separated = sum(bool(SEPARATOR.search(pair.question)) for pair in pairs)
    stopped = sum(bool(STOP.search(pair.answer)) for pair in pairs)
    for count, sentence in ((spaced, SPACES), (separated, SEPARATORS), (stopped, STOPS)):
        if count:
            said.append(_(sentence, n=count))
    return said
