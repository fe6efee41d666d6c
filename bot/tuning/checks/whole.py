"""The dataset as a whole: enough rows, enough wordings, enough refusals, and no opening that is everywhere."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from bot.storage.datasets import PairRow
from bot.tuning.checks.finding import Finding
from bot.tuning.rows import ANSWERABLE
from bot.tuning.split import fact_of
from bot.tuning.words import sentence_key, words

SMALL_SET, FEW_WORDINGS, REFUSALS, OPENING = "too few rows", "few wordings", "share of refusals", "same opening"
# OpenAI's least number of examples (fine-tuning guide, 2026-11-22); the chapter's own advice is a few hundred.
LEAST, ADVISED = 10, 200
# Wordings of a fact below which unseen questions suffer (measured 2026-11-22: 50, 85, 94 % with 1, 2, 3).
WORDINGS = 3
# Share of facts that may have fewer: a person asks some things in two ways at most.
THIN = 0.1
# Shares of unanswerable rows between which a model learns to refuse and still answers.
LOWEST, HIGHEST = 0.08, 0.35
# Share of questions that may begin with the same two words, in a set large enough to tell.
ALIKE, ENOUGH_TO_TELL = 0.3, 30


def check(pairs: Sequence[PairRow]) -> Iterator[Finding]:
    """Findings about all `pairs` together; without lines."""
    if len(pairs) < LEAST:
        yield Finding(SMALL_SET, (), f"There are {len(pairs)} rows; providers want at least {LEAST}.")
    elif len(pairs) < ADVISED:
        yield Finding(SMALL_SET, (), f"There are {len(pairs)} rows; a model learns from a few hundred on.")
    yield from _wordings(pairs)
    yield from _refusals(pairs)
    openings = Counter(tuple(words(pair.question)[:2]) for pair in pairs)
    for opening, count in openings.most_common(1):
        if len(pairs) >= ENOUGH_TO_TELL and count > ALIKE * len(pairs):
            said = " ".join(opening)
            yield Finding(OPENING, (), f"{count} of {len(pairs)} questions begin with “{said}”; people vary.")


def wordings(pairs: Sequence[PairRow]) -> Counter[str]:
    """How many different wordings each answerable fact has."""
    asked: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for pair in pairs:
        if pair.kind == ANSWERABLE and pair.answer.strip():
            asked[fact_of(pair)].add(sentence_key(pair.question))
    return Counter({fact: len(forms) for fact, forms in asked.items()})


def _wordings(pairs: Sequence[PairRow]) -> Iterator[Finding]:
    counts = wordings(pairs)
    thin = sum(count < WORDINGS for count in counts.values())
    if counts and thin > THIN * len(counts):
        text = f"{thin} of {len(counts)} facts are asked in fewer than {WORDINGS} ways; other wordings will be missed."
        yield Finding(FEW_WORDINGS, (), text)


def _refusals(pairs: Sequence[PairRow]) -> Iterator[Finding]:
    if not pairs:
        return
    share = refused_share(pairs)
    if share < LOWEST:
        text = f"{share:.0%} of the rows refuse; below {LOWEST:.0%} a model makes up answers to everything."
        yield Finding(REFUSALS, (), text)
    elif share > HIGHEST:
        text = f"{share:.0%} of the rows refuse; above {HIGHEST:.0%} a model refuses what it knows."
        yield Finding(REFUSALS, (), text)


def refused_share(pairs: Sequence[PairRow]) -> float:
    """The share of rows that answer with a refusal: by their kind, or as the answer that comes again and again."""
    return sum(pair.kind != ANSWERABLE for pair in pairs) / len(pairs) if pairs else 0.0
