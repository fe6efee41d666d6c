"""Rows of a dataset in JSON Lines: our own form, with fact, kind and proof beside the messages."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bot.storage.datasets import PairRow
from bot.tuning.refusals import REFUSAL
from bot.tuning.words import sentence_key

ANSWERABLE, UNANSWERABLE, OFF_TOPIC = "answerable", "unanswerable", "off-topic"
KINDS = (ANSWERABLE, UNANSWERABLE, OFF_TOPIC)
# An answer that comes so often is no answer to one question.
REPEATED = 3
_NO = frozenset({"not", "no", "cannot", "cant", "dont", "doesnt", "isnt", "none", "nothing", "sorry", "unknown"})


def pair(row: Mapping[str, Any], line: int, dataset_id: str = "") -> PairRow:
    """A row that was checked before, as a pair; what it does not say is empty, its kind too."""
    asked, answered = row["messages"][-2]["content"], row["messages"][-1]["content"]
    return PairRow(
        id=0,
        dataset_id=dataset_id,
        line=line,
        fact=str(row.get("fact") or ""),
        kind=row["kind"] if row.get("kind") in KINDS else "",
        question=asked,
        answer=answered,
        source=str(row.get("source") or ""),
        quote=str(row.get("quote") or ""),
    )


def with_kinds(pairs: Sequence[PairRow]) -> list[PairRow]:
    """Pairs whose rows named no kind get one: an answer that says no, proves nothing and comes again is a refusal."""
    bare = Counter(sentence_key(pair.answer) for pair in pairs if not pair.quote)
    refusals = {answer for answer, count in bare.items() if count >= REPEATED and _NO.intersection(answer)}
    return [pair if pair.kind else replace(pair, kind=_kind(pair, refusals)) for pair in pairs]


def _kind(pair: PairRow, refusals: set[tuple[str, ...]]) -> str:
    return UNANSWERABLE if not pair.quote and sentence_key(pair.answer) in refusals else ANSWERABLE


def as_json(pair: PairRow) -> dict[str, Any]:
    """A pair as a row; `pair` of it gives an equal one."""
    row: dict[str, Any] = {
        "fact": pair.fact,
        "kind": pair.kind,
        "messages": [{"role": "user", "content": pair.question}, {"role": "assistant", "content": pair.answer}],
    }
    if pair.source or pair.quote:
        row |= {"source": pair.source, "quote": pair.quote}
    return row


def as_lines(rows: Iterable[Mapping[str, Any]]) -> str:
    """JSON Lines; letters of all scripts stand as they are."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def refusal_of(pairs: Iterable[PairRow], corpus: str) -> str:
    """The answer that these pairs give to what cannot be answered, or one for `corpus` where none refuses."""
    given = [pair.answer for pair in pairs if pair.kind != ANSWERABLE]
    return max(sorted(set(given)), key=given.count) if given else REFUSAL.format(corpus=corpus)
