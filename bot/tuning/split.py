"""The split: pairs by fact into training data and three kinds of questions that are never trained.

`train`       what the model learns from
`validation`  unseen wordings that are scored during training, and so not in the scorecard
`held-out`    unseen wordings of trained facts, and of trained topics that must be refused
`never-seen`  topics that must be refused and that training never mentions

The split depends on the pairs alone, so that it is equal in every process. A fact needs three trained wordings: with
one wording a fact, half of the unseen questions are answered rightly, with two 85 %, with three 94 % (measured
2026-11-22). So only facts with four give one away.
"""

from collections import defaultdict
from collections.abc import Sequence

from bot.storage.datasets import PairRow
from bot.tuning.rows import ANSWERABLE
from bot.tuning.words import bag_key, digest

TRAIN, VALIDATION, HELD_OUT, NEVER_SEEN = "train", "validation", "held-out", "never-seen"
# Wordings that a fact must have to give one away.
ENOUGH = 4
# One in so many facts with only three wordings gives one away too: some datasets have no others.
THIN = 4
# One in so many topics that must be refused is never trained; one in so many held-out wordings is for validation.
TOPICS, SPARED = 8, 4
# One in so many facts gives a wording for validation where the corpus has a test set of its own.
WATCHED = 9


def roles(pairs: Sequence[PairRow], *, has_test_set: bool = False) -> dict[int, str]:
    """The role of each pair, by line. With a test set of its own, no wording of the dataset is held out."""
    by_fact: dict[str, list[PairRow]] = defaultdict(list)
    for pair in pairs:
        by_fact[fact_of(pair)].append(pair)
    given = {pair.line: TRAIN for pair in pairs}
    for fact in _never_seen(by_fact):
        given.update({pair.line: NEVER_SEEN for pair in by_fact[fact]})
    taught = {fact: rows for fact, rows in by_fact.items() if given[rows[0].line] == TRAIN}
    for fact, line in _given_away(taught, has_test_set=has_test_set).items():
        spared = int(digest("spared", fact), 16) % SPARED == 0
        given[line] = VALIDATION if has_test_set or spared else HELD_OUT
    return given


def test_role(pair: PairRow, trained_facts: frozenset[str]) -> str:
    """The role of a question of a test set: a refusal whose topic is not trained is `never-seen`."""
    refused = pair.kind != ANSWERABLE
    return NEVER_SEEN if refused and fact_of(pair) not in trained_facts else HELD_OUT


def fact_of(pair: PairRow) -> str:
    """What a pair is about: the name of its fact, else its quote and answer, else its question."""
    if pair.fact:
        return pair.fact
    if pair.kind == ANSWERABLE and pair.quote:
        return digest(pair.source, pair.quote, pair.answer)
    return digest(*bag_key(pair.question))


def _never_seen(by_fact: dict[str, list[PairRow]]) -> list[str]:
    """The topics that are never trained; none where fewer than `TOPICS` are refused."""
    topics = sorted(
        (fact for fact, rows in by_fact.items() if rows[0].kind != ANSWERABLE), key=lambda fact: digest("topic", fact)
    )
    return topics[: len(topics) // TOPICS]


def _given_away(by_fact: dict[str, list[PairRow]], *, has_test_set: bool) -> dict[str, int]:
    """The line that each fact gives away, for facts that can spare one."""
    return {
        fact: min(rows, key=lambda pair: digest(pair.question)).line
        for fact, rows in by_fact.items()
        if _can_spare(len(rows), int(digest("lot", fact), 16), has_test_set=has_test_set)
    }


def _can_spare(wordings: int, lot: int, *, has_test_set: bool) -> bool:
    """Whether a fact of so many wordings gives one away; `lot` is its random number."""
    if has_test_set:
        return wordings >= ENOUGH and lot % WATCHED == 0
    return wordings >= ENOUGH or (wordings == ENOUGH - 1 and lot % THIN == 0)
