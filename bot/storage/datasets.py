"""Datasets: chunks of texts while they are processed, and pairs of questions and answers."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import Database, in_transaction
from bot.storage.rows import columns_of, values_of
from bot.storage.tables import BUILDS, CHUNKS, DATASETS, PAIRS


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """A dataset of `corpus`. `state` is generating or ready; `size` is the number of questions per chunk."""

    id: str
    corpus: str
    name: str
    origin: str
    state: str
    at: float
    model: str
    refusal: str
    size: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """A chunk of a source. `state` is waiting, asked, checked or failed; `reply` and `verdicts` are JSON."""

    dataset_id: str
    number: int
    source: str
    start: int
    end: int
    text: str
    state: str = "waiting"
    reply: str = ""
    verdicts: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class BuildRow:
    """A dataset that a worker is asked to write for a person. `error` is serialized, and empty while it is written."""

    dataset_id: str
    user_id: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class PairRow:
    """A question with its answer. `flags` are sentences for the reviewer. `id` and `dataset_id` are set when stored."""

    line: int
    fact: str
    kind: str
    question: str
    answer: str
    source: str = ""
    quote: str = ""
    role: str = "train"
    flags: tuple[str, ...] = ()
    decision: str = ""
    id: int = 0
    dataset_id: str = ""


@in_transaction
async def add(
    connection: AsyncConnection, row: DatasetRow, chunks: Sequence[ChunkRow] = (), pairs: Sequence[PairRow] = ()
) -> None:
    """Store a new dataset with its chunks, or a complete one with its pairs."""
    await connection.execute(DATASETS.insert(), values_of(row))
    if chunks:
        await connection.execute(CHUNKS.insert(), [values_of(chunk) for chunk in chunks])
    await _insert(connection, row.id, pairs)


@in_transaction
async def request_build(connection: AsyncConnection, row: BuildRow) -> None:
    """Ask the workers to write a dataset; an earlier request for it is replaced."""
    await connection.execute(delete(BUILDS).where(BUILDS.c.dataset_id == row.dataset_id))
    await connection.execute(BUILDS.insert(), values_of(row))


async def end_build(database: Database, dataset_id: str, error: str = "") -> None:
    """Delete a request that was done, or note why it could not be."""
    mine = BUILDS.c.dataset_id == dataset_id
    query = update(BUILDS).where(mine).values(error=error) if error else delete(BUILDS).where(mine)
    await database.execute(query)


async def builds(database: Database) -> list[BuildRow]:
    """All requests, with those that could not be done."""
    return await database.fetch_rows(select(*columns_of(BUILDS, BuildRow)), BuildRow)


@in_transaction
async def finish(connection: AsyncConnection, dataset_id: str, pairs: Sequence[PairRow]) -> None:
    """Store the pairs and set the dataset ready. A second call replaces the pairs."""
    await connection.execute(delete(PAIRS).where(PAIRS.c.dataset_id == dataset_id))
    await _add(connection, dataset_id, pairs)
    await connection.execute(update(DATASETS).where(DATASETS.c.id == dataset_id).values(state="ready"))


async def add_pairs(database: Database, dataset_id: str, pairs: Sequence[PairRow]) -> None:
    """Add the pairs of repeated chunks to a dataset that is ready. The other pairs do not change."""
    await database.transact(lambda connection: _add(connection, dataset_id, pairs))


async def last_line(database: Database, dataset_id: str) -> int:
    """The line of a dataset's last pair, dropped ones included; 0 where there is none."""
    query = select(func.coalesce(func.max(PAIRS.c.line), 0)).where(PAIRS.c.dataset_id == dataset_id)
    return int(await database.fetch_value(query))


async def get(database: Database, dataset_id: str) -> DatasetRow | None:
    """The dataset with this id, or the only one whose id starts with it."""
    found = await _datasets(database, DATASETS.c.id.startswith(dataset_id, autoescape=True))
    exact = [row for row in found if row.id == dataset_id] or found
    return exact[0] if len(exact) == 1 else None


async def of_corpus(database: Database, corpus: str) -> list[DatasetRow]:
    """The datasets of a corpus, newest first."""
    return await _datasets(database, DATASETS.c.corpus == corpus)


async def _datasets(database: Database, condition: Any) -> list[DatasetRow]:
    query = select(*columns_of(DATASETS, DatasetRow)).where(condition).order_by(DATASETS.c.at.desc())
    return await database.fetch_rows(query, DatasetRow)


async def chunks(database: Database, dataset_id: str, *states: str) -> list[ChunkRow]:
    """A dataset's chunks in order, only those in `states` where any are given."""
    query = select(*columns_of(CHUNKS, ChunkRow)).where(CHUNKS.c.dataset_id == dataset_id)
    if states:
        query = query.where(CHUNKS.c.state.in_(states))
    return await database.fetch_rows(query.order_by(CHUNKS.c.number), ChunkRow)


async def chunk(database: Database, dataset_id: str, number: int) -> ChunkRow:
    """One chunk."""
    query = select(*columns_of(CHUNKS, ChunkRow))
    (row,) = await database.fetch_all(query.where(CHUNKS.c.dataset_id == dataset_id, CHUNKS.c.number == number))
    return ChunkRow(*row)


async def chunk_numbers(database: Database, dataset_id: str, *states: str) -> list[int]:
    """The numbers of the chunks in these states, without reading their texts."""
    query = select(CHUNKS.c.number).where(CHUNKS.c.dataset_id == dataset_id, CHUNKS.c.state.in_(states))
    return await database.fetch_values(query.order_by(CHUNKS.c.number))


async def chunk_problems(database: Database, dataset_id: str) -> list[str]:
    """Why chunks failed, in their order."""
    query = select(CHUNKS.c.problem).where(CHUNKS.c.dataset_id == dataset_id, CHUNKS.c.state == "failed")
    return await database.fetch_values(query.order_by(CHUNKS.c.number))


async def chunks_done(database: Database, dataset_id: str) -> tuple[int, int]:
    """How many chunks of a dataset are checked or failed, and how many there are."""
    counted = func.count(case((CHUNKS.c.state.in_(("checked", "failed")), 1)))
    ((done, total),) = await database.fetch_all(select(counted, func.count()).where(CHUNKS.c.dataset_id == dataset_id))
    return done, total


async def set_chunk(database: Database, chunk: ChunkRow, **values: str) -> None:
    """Change a chunk; durable on return."""
    mine = (CHUNKS.c.dataset_id == chunk.dataset_id) & (CHUNKS.c.number == chunk.number)
    await database.execute(update(CHUNKS).where(mine).values(**values))


async def reset_failed(database: Database, dataset_id: str) -> None:
    """Set failed chunks back to the step that failed, so that they are tried again.

    Their problems stay until their pairs are stored: a checked chunk with a problem has pairs that are not stored yet.
    """
    mine = (CHUNKS.c.dataset_id == dataset_id) & (CHUNKS.c.state == "failed")
    query = update(CHUNKS).where(mine).values(state=case((CHUNKS.c.reply == "", "waiting"), else_="asked"))
    await database.execute(query)


async def pairs(database: Database, dataset_id: str, *roles: str) -> list[PairRow]:
    """A dataset's pairs in order without dropped ones; only those with `roles` where given."""
    query = select(*columns_of(PAIRS, PairRow)).where(PAIRS.c.dataset_id == dataset_id, PAIRS.c.decision != "dropped")
    if roles:
        query = query.where(PAIRS.c.role.in_(roles))
    return await database.fetch_rows(query.order_by(PAIRS.c.line), _pair)


async def flagged(database: Database, dataset_id: str) -> list[PairRow]:
    """The pairs with flags in order, reviewed ones included."""
    query = select(*columns_of(PAIRS, PairRow)).where(PAIRS.c.dataset_id == dataset_id, PAIRS.c.flags != "[]")
    return await database.fetch_rows(query.order_by(PAIRS.c.line), _pair)


async def decide(database: Database, pair_id: int, decision: str, **values: str) -> None:
    """Store the reviewer's decision on a pair: kept, edited (with new texts in `values`) or dropped."""
    await database.execute(update(PAIRS).where(PAIRS.c.id == pair_id).values(decision=decision, **values))


async def _add(connection: AsyncConnection, dataset_id: str, pairs: Sequence[PairRow]) -> None:
    """Insert pairs, and clear the problems of checked chunks."""
    await _insert(connection, dataset_id, pairs)
    checked = (CHUNKS.c.dataset_id == dataset_id) & (CHUNKS.c.state == "checked")
    await connection.execute(update(CHUNKS).where(checked).values(problem=""))


async def _insert(connection: AsyncConnection, dataset_id: str, pairs: Sequence[PairRow]) -> None:
    rows = [{**values_of(pair), "dataset_id": dataset_id, "flags": json.dumps(list(pair.flags))} for pair in pairs]
    for row in rows:
        del row["id"]
    if rows:
        await connection.execute(PAIRS.insert(), rows)


def _pair(*values: Any) -> PairRow:
    named = dict(zip(PairRow.__slots__, values, strict=True))
    return PairRow(**{**named, "flags": tuple(json.loads(named["flags"]))})
