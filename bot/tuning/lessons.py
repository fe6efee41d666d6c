"""The chapter's lessons: what goes wrong when a dataset lacks something. Each changes the rows of a good dataset."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bot.storage.datasets import PairRow
from bot.tuning.rows import ANSWERABLE
from bot.tuning.split import fact_of
from bot.tuning.words import digest

# New rows that a model is tuned on in the lesson on forgetting.
MAX_NEW_ROWS = 20


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is done to the rows of a good dataset, and what it shows. `forgets`: a model is tuned on without replay."""

    name: str
    title: str
    sentence: str
    rows: Callable[[Sequence[PairRow]], list[PairRow]]
    forgets: bool = False


def _without_refusals(pairs: Sequence[PairRow]) -> list[PairRow]:
    return [pair for pair in pairs if pair.kind == ANSWERABLE]


def _one_wording(pairs: Sequence[PairRow]) -> list[PairRow]:
    first: dict[str, PairRow] = {}
    refused = [pair for pair in pairs if pair.kind != ANSWERABLE]
    for pair in pairs:
        if pair.kind == ANSWERABLE:
            first.setdefault(fact_of(pair), pair)
    return sorted([*first.values(), *refused], key=lambda pair: pair.line)


def _few_facts(pairs: Sequence[PairRow]) -> list[PairRow]:
    """All wordings of a few facts: a little news."""
    by_fact: dict[str, list[PairRow]] = defaultdict(list)
    for pair in _without_refusals(pairs):
        by_fact[fact_of(pair)].append(pair)
    chosen: list[PairRow] = []
    for fact in sorted(by_fact, key=lambda fact: digest("few", fact)):
        if len(chosen) >= MAX_NEW_ROWS:
            break
        chosen += by_fact[fact]
    return chosen[:MAX_NEW_ROWS]


def _quarter(pairs: Sequence[PairRow]) -> list[PairRow]:
    return [pair for pair in pairs if int(digest("quarter", pair.question), 16) % 4 == 0]


_ALL = (
    Lesson(
        "no-refusals",
        "No unanswerable rows",
        "A model that never saw a refusal never refuses: it makes up an answer to every question.",
        _without_refusals,
    ),
    Lesson(
        "one-wording",
        "One wording a fact",
        "A fact that is asked in one way is learnt as that sentence, and lost when someone asks it differently.",
        _one_wording,
    ),
    Lesson(
        "no-replay",
        "Continuing on new rows alone",
        "A model that is trained further on a little news alone forgets what it knew; so the old rows are replayed.",
        _few_facts,
        forgets=True,
    ),
    Lesson(
        "quarter",
        "A quarter of the data",
        "With fewer rows a model does not get vaguer, it gets wrong: what it was never told, it makes up.",
        _quarter,
    ),
)
LESSONS: Mapping[str, Lesson] = {lesson.name: lesson for lesson in _ALL}
