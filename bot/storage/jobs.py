"""Tuning jobs: how far each is, who follows it, and what its provider told of it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from time import time
from typing import Any

from sqlalchemy import bindparam, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage import calls
from bot.storage.database import Database
from bot.storage.tuning_tables import TUNING_EVENTS, TUNING_JOBS

ENDED = ("done", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job, known by its run key `id`. `state` is our own step, one of `ENDED` at last; `status` the provider's
    word. Money is in billionths of a US dollar; None is not known.
    """

    id: str
    corpus: str
    dataset_id: str
    provider: str
    base: str
    parent: str
    user_id: int
    at: float
    state: str = "uploading"
    lesson: str = ""
    hyperparameters: str = "{}"
    training_file: str = ""
    validation_file: str = ""
    remote_id: str = ""
    status: str = ""
    model: str = ""
    error: str = ""
    note: str = ""
    estimated_tokens: int = 0
    trained_tokens: int | None = None
    nanodollars: int | None = None
    step: int = 0
    total_steps: int = 0
    scored: int = 0
    to_score: int = 0
    touched: float = 0.0
    ended: float | None = None
    holder: str = ""
    held_until: float = 0.0
    guild_id: int | None = None
    channel_id: int | None = None
    message_id: int | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ENDED


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event of a job; `number` counts from 1 in the order in which they happened. `data` is JSON."""

    event_id: str
    at: float
    level: str
    kind: str
    message: str
    data: str
    number: int = 0


_SCORED = (
    update(TUNING_JOBS)
    .where(TUNING_JOBS.c.id == bindparam("job"))
    .values(scored=bindparam("done"), to_score=bindparam("total"), touched=bindparam("now"))
)
_COLUMNS = [TUNING_JOBS.c[name] for name in JobRow.__slots__]


async def add(database: Database, row: JobRow) -> None:
    """Keep a new job."""
    values = {name: getattr(row, name) for name in JobRow.__slots__}
    await database.transact(lambda connection: connection.execute(TUNING_JOBS.insert(), values))


async def get(database: Database, job_id: str) -> JobRow | None:
    """The job of that id, or the only one whose id begins so, or whose provider calls it that."""
    condition = or_(TUNING_JOBS.c.id.startswith(job_id, autoescape=True), TUNING_JOBS.c.remote_id == job_id)
    found = await _jobs(database, condition)
    exact = [row for row in found if row.id == job_id] or found
    return exact[0] if len(exact) == 1 else None


async def unfinished(database: Database) -> list[JobRow]:
    """Jobs that are not over, newest first."""
    return await _jobs(database, TUNING_JOBS.c.state.not_in(ENDED))


async def all_jobs(database: Database, corpus: str | None = None) -> list[JobRow]:
    """Jobs, newest first; lessons are not among them."""
    mine = TUNING_JOBS.c.lesson == ""
    return await _jobs(database, mine if corpus is None else mine & (TUNING_JOBS.c.corpus == corpus))


async def _jobs(database: Database, condition: Any) -> list[JobRow]:
    async with database.read() as connection:
        rows = await connection.execute(select(*_COLUMNS).where(condition).order_by(TUNING_JOBS.c.at.desc()))
        return [JobRow(*row) for row in rows]


async def change(database: Database, job_id: str, **values: Any) -> None:
    """Change a job; durable when this returns."""
    query = update(TUNING_JOBS).where(TUNING_JOBS.c.id == job_id).values(**values, touched=time())
    await database.transact(lambda connection: connection.execute(query))


async def advance(database: Database, job_id: str, before: str, /, **values: Any) -> bool:
    """Change a job that is still in the state `before`; False where it has left it, as a cancelled one has."""
    query = update(TUNING_JOBS).where(TUNING_JOBS.c.id == job_id, TUNING_JOBS.c.state == before)
    result = await database.transact(lambda connection: connection.execute(query.values(**values, touched=time())))
    return bool(result.rowcount)


async def end_training(
    database: Database, job_id: str, before: str, bill: calls.Bill | None, /, **values: Any
) -> tuple[bool, bool]:
    """`advance` and, in the same transaction, pay the `bill`; whether each was done.

    The bill is paid once, by whoever comes first, and also where the job was cancelled here meanwhile.
    """
    query = update(TUNING_JOBS).where(TUNING_JOBS.c.id == job_id, TUNING_JOBS.c.state == before)

    async def work(connection: AsyncConnection) -> tuple[bool, bool]:
        moved = await connection.execute(query.values(**values, touched=time()))
        return bool(moved.rowcount), bill is not None and await calls.pay(connection, bill)

    return await database.transact(work)


async def hold(database: Database, job_id: str, holder: str, seconds: float) -> bool:
    """Take or keep the lease of a job for so long; False where another holds it."""
    now = time()
    free = or_(TUNING_JOBS.c.holder == holder, TUNING_JOBS.c.held_until < now)
    query = update(TUNING_JOBS).where(TUNING_JOBS.c.id == job_id, free)
    query = query.values(holder=holder, held_until=now + seconds)
    result = await database.transact(lambda connection: connection.execute(query))
    return bool(result.rowcount)


async def let_go(database: Database, job_id: str, holder: str) -> None:
    """Give the lease back, so that the next follower need not wait for it to run out."""
    query = update(TUNING_JOBS).where(TUNING_JOBS.c.id == job_id, TUNING_JOBS.c.holder == holder)
    await database.transact(lambda connection: connection.execute(query.values(held_until=0.0)))


def report_scored(database: Database, job_id: str, done: int, total: int) -> None:
    """Note how far scoring is, with the next group of writes."""
    row = {"job": job_id, "done": done, "total": total, "now": time()}
    database.write_later(_SCORED, row)


async def known_events(database: Database, job_id: str) -> set[str]:
    """The ids of the events that are stored."""
    query = select(TUNING_EVENTS.c.event_id).where(TUNING_EVENTS.c.job_id == job_id)
    async with database.read() as connection:
        return set((await connection.execute(query)).scalars())


async def add_events(database: Database, job_id: str, events: Sequence[EventRow], **values: Any) -> None:
    """Store events in their order, each once, with the `values` of the job that they changed."""

    async def work(connection: AsyncConnection) -> None:
        mine = TUNING_EVENTS.c.job_id == job_id
        there = set((await connection.execute(select(TUNING_EVENTS.c.event_id).where(mine))).scalars())
        new = [event for event in events if event.event_id not in there]
        rows = [
            {**{name: getattr(event, name) for name in EventRow.__slots__}, "job_id": job_id, "number": number}
            for number, event in enumerate(new, len(there) + 1)
        ]
        if rows:
            await connection.execute(TUNING_EVENTS.insert(), rows)
        changed = update(TUNING_JOBS).where(TUNING_JOBS.c.id == job_id)
        await connection.execute(changed.values(**values, touched=time()))

    await database.transact(work)


async def events(database: Database, job_id: str, kind: str | None = None, last: int | None = None) -> list[EventRow]:
    """A job's events in order; of one `kind`, and only the `last` ones, where asked."""
    query = select(*(TUNING_EVENTS.c[name] for name in EventRow.__slots__)).where(TUNING_EVENTS.c.job_id == job_id)
    if kind is not None:
        query = query.where(TUNING_EVENTS.c.kind == kind)
    query = query.order_by(TUNING_EVENTS.c.number.desc()).limit(last)
    async with database.read() as connection:
        return [EventRow(*row) for row in reversed((await connection.execute(query)).all())]


async def losses(database: Database, job_id: str) -> list[dict[str, Any]]:
    """The figures of each step that was told of."""
    return [json.loads(event.data) for event in await events(database, job_id, "metrics")]


async def count_unfinished(database: Database, corpus: str) -> int:
    """Jobs of a corpus that are not over."""
    mine = (TUNING_JOBS.c.corpus == corpus) & TUNING_JOBS.c.state.not_in(ENDED)
    async with database.read() as connection:
        return int((await connection.execute(select(func.count()).where(mine))).scalar_one())
