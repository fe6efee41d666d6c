"""The split: pairs by fact into training data and three kinds of questions that are never trained.

`train`       what the model learns from
`validation`  unseen wordings that are scored during training, and so not in the scorecard
`held-out`    unseen wordings of trained facts, and of trained topics that must be refused
`never-seen`  topics that must be refused and that training never mentions

The split depends only on the pairs, so that it is equal in every process. A fact needs three trained wordings: with
one wording a fact, half of the unseen questions are answered rightly, with two 85 %, with three 94 % (measured
2026-11-22). So only facts with four have one held out.
"""

from collections import defaultdict
from collections.abc import Sequence

from bot.storage.datasets import PairRow
from bot.tuning.rows import ANSWERABLE
from bot.tuning.words import bag_key, digest

TRAIN, VALIDATION, HELD_OUT, NEVER_SEEN = "train", "validation", "held-out", "never-seen"
# Wordings that a fact must have, so that one of them can be held out.
MIN_WORDINGS = 4
# Of so many facts with only three wordings, one is held out, too: some datasets have no others.
FACTS_PER_HELD_OUT = 4
# Of so many topics that must be refused, one is never trained; of so many held-out wordings, one is for validation.
TOPICS_PER_NEVER_SEEN, HELD_OUT_PER_VALIDATION = 8, 4
# Of so many facts, one has a wording for validation where the corpus has a test set of its own.
FACTS_PER_VALIDATION = 9


def roles(pairs: Sequence[PairRow], *, has_test_set: bool = False) -> dict[int, str]:
    """The role of each pair, by line. With a test set of its own, no wording of the dataset is held out."""
    by_fact: dict[str, list[PairRow]] = defaultdict(list)
    for pair in pairs:
        by_fact[fact_of(pair)].append(pair)
    given = {pair.line: TRAIN for pair in pairs}
    for fact in _never_seen(by_fact):
        given.update({pair.line: NEVER_SEEN for pair in by_fact[fact]})
    taught = {fact: rows for fact, rows in by_fact.items() if given[rows[0].line] == TRAIN}
    for fact, line in _held_out_lines(taught, has_test_set=has_test_set).items():
        spared = int(digest("spared", fact), 16) % HELD_OUT_PER_VALIDATION == 0
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
    """The topics that are never trained; none where fewer than `TOPICS_PER_NEVER_SEEN` are refused."""
    topics = sorted(
        (fact for fact, rows in by_fact.items() if rows[0].kind != ANSWERABLE), key=lambda fact: digest("topic", fact)
    )
    return topics[: len(topics) // TOPICS_PER_NEVER_SEEN]


def _held_out_lines(by_fact: dict[str, list[PairRow]], *, has_test_set: bool) -> dict[str, int]:
    """The line that is held out of each fact, for facts that have enough wordings."""
    return {
        fact: min(rows, key=lambda pair: digest(pair.question)).line
        for fact, rows in by_fact.items()
        if _can_spare(len(rows), int(digest("lot", fact), 16), has_test_set=has_test_set)
    }


def _can_spare(wordings: int, lot: int, *, has_test_set: bool) -> bool:
    """Whether one of so many wordings of a fact is held out; `lot` is the random number of the fact."""
    if has_test_set:
        return wordings >= MIN_WORDINGS and lot % FACTS_PER_VALIDATION == 0
    return wordings >= MIN_WORDINGS or (wordings == MIN_WORDINGS - 1 and lot % FACTS_PER_HELD_OUT == 0)
