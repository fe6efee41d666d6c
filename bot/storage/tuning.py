"""Tuning: jobs with their leases and events, the models that they made, scoring answers, and promotions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import time
from typing import Any

from sqlalchemy import bindparam, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage import calls
from bot.storage.database import Database, in_transaction
from bot.storage.leases import DatabaseTime
from bot.storage.rows import columns_of, values_of
from bot.storage.tables import PROMOTIONS, SCORE_ANSWERS, TUNED_MODELS, TUNING_EVENTS, TUNING_JOBS

ENDED = ("done", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job; `id` is its run key. `state` is our own step, at last one of `ENDED`; `status` is the provider's.

    Money is in billionths of a US dollar; None is unknown.
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
    pinned: str | None = None

    @property
    def over(self) -> bool:
        """Whether the job has ended."""
        return self.state in ENDED


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event of a job. `number` counts from 1 in the order of time. `data` is JSON."""

    event_id: str
    at: float
    level: str
    kind: str
    message: str
    data: str
    number: int = 0


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A tuned model by its name at the provider. `scorecard` is JSON, empty until the model is scored."""

    name: str
    corpus: str
    provider: str
    base: str
    parent: str
    dataset_id: str
    job_id: str
    lesson: str = ""
    at: float = 0.0
    gone: bool = False
    scorecard: str = ""


@dataclass(frozen=True, slots=True)
class PromotionRow:
    """From `at` on, `model` answers for `corpus`. `reason` is given where the promotion was forced."""

    id: int
    corpus: str
    model: str
    user_id: int
    at: float
    reason: str


_SET_SCORED = (
    update(TUNING_JOBS)
    .where(TUNING_JOBS.c.id == bindparam("job"))
    .values(scored=bindparam("done"), to_score=bindparam("total"), touched=bindparam("now"))
)
_JOB = columns_of(TUNING_JOBS, JobRow)
_EVENT = columns_of(TUNING_EVENTS, EventRow)
_MODEL = columns_of(TUNED_MODELS, ModelRow)
_PROMOTION = columns_of(PROMOTIONS, PromotionRow)


@in_transaction
async def add_job(
    connection: AsyncConnection, row: JobRow, limit: int | None = None, lease: tuple[str, float] = ("", 0.0)
) -> bool:
    """Store a new job with its `lease`: a holder, and for how many seconds by the database's clock.

    False where the job's corpus has `limit` jobs that have not ended.
    """
    unfinished = (TUNING_JOBS.c.corpus == row.corpus) & TUNING_JOBS.c.state.not_in(ENDED)
    count = int(await connection.scalar(select(func.count()).where(unfinished)) or 0)
    if limit is not None and count >= limit:
        return False
    await connection.execute(TUNING_JOBS.insert(), values_of(row))
    return not lease[0] or await _acquire(connection, row.id, *lease)


async def get_job(database: Database, job_id: str) -> JobRow | None:
    """The job with this id, the only one whose id starts with it, or the one with this id at its provider."""
    condition = or_(TUNING_JOBS.c.id.startswith(job_id, autoescape=True), TUNING_JOBS.c.remote_id == job_id)
    found = await _jobs(database, condition)
    exact = [row for row in found if row.id == job_id] or found
    return exact[0] if len(exact) == 1 else None


async def unfinished_jobs(database: Database) -> list[JobRow]:
    """Jobs that have not ended, newest first."""
    return await _jobs(database, TUNING_JOBS.c.state.not_in(ENDED))


async def all_jobs(database: Database, corpus: str | None = None) -> list[JobRow]:
    """Jobs without lessons, newest first."""
    mine = TUNING_JOBS.c.lesson == ""
    return await _jobs(database, mine if corpus is None else mine & (TUNING_JOBS.c.corpus == corpus))


async def count_jobs_by_state(database: Database) -> dict[str, int]:
    """The number of unfinished jobs in each state."""
    query = select(TUNING_JOBS.c.state, func.count()).where(TUNING_JOBS.c.state.not_in(ENDED))
    return dict(await database.fetch_all(query.group_by(TUNING_JOBS.c.state)))


async def change_job(database: Database, job_id: str, **values: Any) -> None:
    """Change a job; durable on return."""
    query = update(TUNING_JOBS).where(TUNING_JOBS.c.id == job_id).values(**values, touched=time())
    await database.execute(query)


async def advance_job(database: Database, job_id: str, before: str, /, **values: Any) -> bool:
    """Change a job that is in the state `before`. False where it is in another by now, e.g. cancelled."""
    query = update(TUNING_JOBS).where(TUNING_JOBS.c.id == job_id, TUNING_JOBS.c.state == before)
    return await database.execute(query.values(**values, touched=time())) > 0


@in_transaction
async def end_training(
    connection: AsyncConnection, job_id: str, before: str, bill: calls.Bill | None, /, **values: Any
) -> tuple[bool, bool]:
    """`advance_job` and pay the `bill` in one transaction; returns whether each was done.

    The bill is paid once, also for a job that was cancelled here meanwhile.
    """
    query = update(TUNING_JOBS).where(TUNING_JOBS.c.id == job_id, TUNING_JOBS.c.state == before)
    moved = await connection.execute(query.values(**values, touched=time()))
    return bool(moved.rowcount), bill is not None and await calls.pay(connection, bill)


@in_transaction
async def acquire_lease(connection: AsyncConnection, job_id: str, holder: str, seconds: float) -> bool:
    """Take or renew the lease of a job for `seconds` by the database's clock. False where another holder has it."""
    return await _acquire(connection, job_id, holder, seconds)


async def _acquire(connection: AsyncConnection, job_id: str, holder: str, seconds: float) -> bool:
    free = or_(TUNING_JOBS.c.holder == holder, TUNING_JOBS.c.held_until < DatabaseTime())
    query = update(TUNING_JOBS).where(TUNING_JOBS.c.id == job_id, free)
    taken = await connection.execute(query.values(holder=holder, held_until=DatabaseTime() + seconds))
    return taken.rowcount > 0


async def is_held(database: Database, job_id: str) -> bool:
    """Whether anybody holds the lease of a job."""
    held = (TUNING_JOBS.c.id == job_id) & (TUNING_JOBS.c.held_until >= DatabaseTime())
    return await database.fetch_value(select(TUNING_JOBS.c.id).where(held)) is not None


async def release_lease(database: Database, job_id: str, holder: str) -> None:
    """Give the lease back before it expires."""
    query = update(TUNING_JOBS).where(TUNING_JOBS.c.id == job_id, TUNING_JOBS.c.holder == holder)
    await database.execute(query.values(held_until=0.0))


def set_scored(database: Database, job_id: str, done: int, total: int) -> None:
    """Store the progress of scoring with the next group of writes."""
    database.write_later(_SET_SCORED, {"job": job_id, "done": done, "total": total, "now": time()})


async def known_events(database: Database, job_id: str) -> set[str]:
    """The ids of the stored events."""
    query = select(TUNING_EVENTS.c.event_id).where(TUNING_EVENTS.c.job_id == job_id)
    return set(await database.fetch_values(query))


@in_transaction
async def add_events(connection: AsyncConnection, job_id: str, events: Sequence[EventRow], /, **values: Any) -> None:
    """Store events in order, each once, and in the same transaction the `values` of the job that they changed."""
    mine = TUNING_EVENTS.c.job_id == job_id
    there = set((await connection.execute(select(TUNING_EVENTS.c.event_id).where(mine))).scalars())
    new = [event for event in events if event.event_id not in there]
    rows = [
        {**values_of(event), "job_id": job_id, "number": number} for number, event in enumerate(new, len(there) + 1)
    ]
    if rows:
        await connection.execute(TUNING_EVENTS.insert(), rows)
    changed = update(TUNING_JOBS).where(TUNING_JOBS.c.id == job_id)
    await connection.execute(changed.values(**values, touched=time()))


async def job_events(
    database: Database, job_id: str, kind: str | None = None, last: int | None = None
) -> list[EventRow]:
    """A job's events in order; only those of one `kind`, and only the `last` ones, where given."""
    query = select(*_EVENT).where(TUNING_EVENTS.c.job_id == job_id)
    if kind is not None:
        query = query.where(TUNING_EVENTS.c.kind == kind)
    query = query.order_by(TUNING_EVENTS.c.number.desc()).limit(last)
    return (await database.fetch_rows(query, EventRow))[::-1]


@in_transaction
async def add_model(connection: AsyncConnection, row: ModelRow) -> None:
    """Store a model. Nothing changes where its name is known."""
    query = select(TUNED_MODELS.c.name).where(TUNED_MODELS.c.name == row.name)
    if await connection.scalar(query) is None:
        await connection.execute(TUNED_MODELS.insert(), {**values_of(row), "at": row.at or time()})


async def get_model(database: Database, name: str) -> ModelRow | None:
    """The model with this name."""
    return await database.fetch_row(select(*_MODEL).where(TUNED_MODELS.c.name == name), ModelRow)


async def models_of(database: Database, corpus: str | None = None) -> list[ModelRow]:
    """Models without those of lessons, newest first; only those of one corpus where given."""
    mine = TUNED_MODELS.c.lesson == ""
    return await _models(database, mine if corpus is None else mine & (TUNED_MODELS.c.corpus == corpus))


async def change_model(database: Database, name: str, **values: Any) -> None:
    """Change a model; durable on return."""
    await database.execute(update(TUNED_MODELS).where(TUNED_MODELS.c.name == name).values(**values))


async def score_answers(database: Database, model: str) -> dict[str, str]:
    """A model's answers during scoring, by the hash of the prompt."""
    query = select(SCORE_ANSWERS.c.asked, SCORE_ANSWERS.c.answer).where(SCORE_ANSWERS.c.model == model)
    return dict(await database.fetch_all(query))


@in_transaction
async def add_score_answers(connection: AsyncConnection, model: str, answers: Mapping[str, str]) -> None:
    """Store answers of a model by the hash of the prompt; known ones stay as they are."""
    mine = (SCORE_ANSWERS.c.model == model) & SCORE_ANSWERS.c.asked.in_(answers)
    there = set((await connection.execute(select(SCORE_ANSWERS.c.asked).where(mine))).scalars())
    rows = [{"model": model, "asked": asked, "answer": text} for asked, text in answers.items() if asked not in there]
    if rows:
        await connection.execute(SCORE_ANSWERS.insert(), rows)


async def promotions(database: Database, corpus: str) -> list[PromotionRow]:
    """The promotions of a corpus that are not undone, newest first: the first is the active one."""
    query = select(*_PROMOTION).where(PROMOTIONS.c.corpus == corpus, PROMOTIONS.c.undone.is_(False))
    return await database.fetch_rows(query.order_by(PROMOTIONS.c.id.desc()), PromotionRow)


@in_transaction
async def promote(connection: AsyncConnection, corpus: str, model: str, user_id: int, reason: str) -> None:
    """Let `model` answer for `corpus` from now on. Nothing changes where it does already."""
    in_effect = (PROMOTIONS.c.corpus == corpus) & PROMOTIONS.c.undone.is_(False)
    newest = select(PROMOTIONS.c.model).where(in_effect).order_by(PROMOTIONS.c.id.desc()).limit(1)
    if await connection.scalar(newest) != model:
        row = {"corpus": corpus, "model": model, "user_id": user_id, "at": time(), "reason": reason}
        await connection.execute(PROMOTIONS.insert(), {**row, "undone": False})


async def undo_promotion(database: Database, promotion_id: int) -> None:
    """Undo a promotion; the one before it becomes active."""
    await database.execute(update(PROMOTIONS).where(PROMOTIONS.c.id == promotion_id).values(undone=True))


async def _jobs(database: Database, condition: Any) -> list[JobRow]:
    query = select(*_JOB).where(condition).order_by(TUNING_JOBS.c.at.desc())
    return await database.fetch_rows(query, JobRow)


async def _models(database: Database, condition: Any) -> list[ModelRow]:
    query = select(*_MODEL).where(condition).order_by(TUNED_MODELS.c.at.desc())
    return await database.fetch_rows(query, ModelRow)
