"""Who learns what: pairs split by fact into training and three kinds of questions that are never trained.

`train`       what the model learns from
`validation`  unseen wordings that are looked at during training, and so not in any score
`held-out`    unseen wordings of trained facts, and of trained topics that must be refused
`never-seen`  topics that must be refused and that training never mentions

The split depends on the pairs alone, so that it is the same in every process. Taking a wording away from a
fact with fewer than four would teach it in less than the three that a fact needs: with one wording a fact,
half of the unseen questions are answered rightly, with two 85 %, with three 94 % (measured 2026-11-22).
"""

from collections import defaultdict
from collections.abc import Sequence

from bot.storage.datasets import PairRow
from bot.tuning.rows import ANSWERABLE
from bot.tuning.words import bag_key, digest

TRAIN, VALIDATION, HELD_OUT, NEVER_SEEN = "train", "validation", "held-out", "never-seen"
# Wordings that a fact must have to give one away.
ENOUGH = 4
# One of so many facts that have only three wordings gives one all the same, where facts like that are all there are.
THIN = 4
# One of so many topics that must be refused is never trained; one of so many held-out wordings is for validation.
TOPICS, SPARED = 8, 4
# One of so many facts gives a wording for validation where the corpus brings held-out questions of its own.
WATCHED = 9


def roles(pairs: Sequence[PairRow], *, exam: bool = False) -> dict[int, str]:
    """A role for the line of each pair. With an `exam` of questions written apart, no wording is held out here."""
    by_fact: dict[str, list[PairRow]] = defaultdict(list)
    for pair in pairs:
        by_fact[fact_of(pair)].append(pair)
    given = {pair.line: TRAIN for pair in pairs}
    for fact in _never_seen(by_fact):
        given.update({pair.line: NEVER_SEEN for pair in by_fact[fact]})
    taught = {fact: rows for fact, rows in by_fact.items() if given[rows[0].line] == TRAIN}
    for fact, line in _given_away(taught, exam=exam).items():
        spared = int(digest("spared", fact), 16) % SPARED == 0
        given[line] = VALIDATION if exam or spared else HELD_OUT
    return given


def exam_role(pair: PairRow, trained_facts: frozenset[str]) -> str:
    """The role of a question that was written apart: a refusal whose topic is not trained was never seen."""
    refused = pair.kind != ANSWERABLE
    return NEVER_SEEN if refused and fact_of(pair) not in trained_facts else HELD_OUT


def fact_of(pair: PairRow) -> str:
    """What a pair is about: the name of its fact, else its proof and answer, else its question."""
    if pair.fact:
        return pair.fact
    if pair.kind == ANSWERABLE and pair.quote:
        return digest(pair.source, pair.quote, pair.answer)
    return digest(*bag_key(pair.question))


def _never_seen(by_fact: dict[str, list[PairRow]]) -> list[str]:
    """Topics kept away from training; none where so few are refused that training needs them all."""
    topics = sorted(
        (fact for fact, rows in by_fact.items() if rows[0].kind != ANSWERABLE), key=lambda fact: digest("topic", fact)
    )
    return topics[: len(topics) // TOPICS]


def _given_away(by_fact: dict[str, list[PairRow]], *, exam: bool) -> dict[str, int]:
    """The line that each fact gives away, for those that can spare one."""
    return {
        fact: min(rows, key=lambda pair: digest(pair.question)).line
        for fact, rows in by_fact.items()
        if _can_spare(len(rows), int(digest("lot", fact), 16), exam=exam)
    }


def _can_spare(wordings: int, lot: int, *, exam: bool) -> bool:
    """Whether a fact of so many wordings gives one; `lot` is its number in the draw."""
    if exam:
        return wordings >= ENOUGH and lot % WATCHED == 0
    return wordings >= ENOUGH or (wordings == ENOUGH - 1 and lot % THIN == 0)
