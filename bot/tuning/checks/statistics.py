"""The dataset as a whole: enough rows, enough wordings, enough refusals, and no opening that is everywhere."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from bot.core.i18n import N_
from bot.storage.datasets import PairRow
from bot.tuning.checks.finding import Finding
from bot.tuning.localized_text import kept
from bot.tuning.rows import ANSWERABLE
from bot.tuning.split import fact_of
from bot.tuning.words import sentence_key, words

SMALL_SET, FEW_WORDINGS = N_("too few rows"), N_("few wordings")
REFUSALS, OPENING = N_("share of refusals"), N_("same opening")
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
        text = kept(N_("Rows: {n:,}. Providers want at least {least}."), n=len(pairs), least=LEAST)
        yield Finding(SMALL_SET, (), text)
    elif len(pairs) < ADVISED:
        text = kept(N_("There are {n:,} rows; a model learns from a few hundred on."), n=len(pairs))
        yield Finding(SMALL_SET, (), text)
    yield from _wordings(pairs)
    yield from _refusals(pairs)
    openings = Counter(tuple(words(pair.question)[:2]) for pair in pairs)
    for opening, count in openings.most_common(1):
        if len(pairs) >= ENOUGH_TO_TELL and count > ALIKE * len(pairs):
            message = N_("{n:,} of {total:,} questions begin with “{words}”; people's questions vary more.")
            text = kept(message, n=count, total=len(pairs), words=" ".join(opening))
            yield Finding(OPENING, (), text)


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
        message = N_("Facts asked in fewer than {ways} ways: {n:,} of {total:,}. Other wordings will be missed.")
        yield Finding(FEW_WORDINGS, (), kept(message, n=thin, total=len(counts), ways=WORDINGS))


def _refusals(pairs: Sequence[PairRow]) -> Iterator[Finding]:
    if not pairs:
        return
    share = refused_share(pairs)
    if share < LOWEST:
        message = N_(
            "{share:.0%} of the rows are refusals; below {least:.0%}, a model invents an answer to everything."
        )
        yield Finding(REFUSALS, (), kept(message, share=share, least=LOWEST))
    elif share > HIGHEST:
        message = N_("{share:.0%} of the rows are refusals; above {most:.0%}, a model also refuses what it knows.")
        yield Finding(REFUSALS, (), kept(message, share=share, most=HIGHEST))


def refused_share(pairs: Sequence[PairRow]) -> float:
    """The share of rows that answer with a refusal: by their kind, or as the answer that comes again and again."""
    return sum(pair.kind != ANSWERABLE for pair in pairs) / len(pairs) if pairs else 0.0
