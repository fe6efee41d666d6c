"""Model calls: what was reserved for each, and what it used."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Select, bindparam, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import Database
from bot.storage.rows import values_of
from bot.storage.tables import CALLS, USAGE_SUMS


@dataclass(frozen=True, slots=True)
class Call:
    """One model call. `day` is the UTC date, `at` seconds since 1970. `slot` is None on the command line.

    `reserved` are tokens, `nanodollars` their price in billionths of a US dollar.
    """

    id: str
    day: str
    at: float
    user_id: int
    guild_id: int | None
    purpose: str
    model: str
    reserved: int
    nanodollars: int = 0
    slot: int | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """The tokens that the call `id` used, and their price in billionths of a US dollar."""

    id: str
    model: str
    prompt: int
    cached: int
    completion: int
    nanodollars: int


@dataclass(frozen=True, slots=True)
class DayUse:
    """Settled calls of a day or a model: their number, their tokens, and their price in billionths of a US dollar."""

    calls: int = 0
    tokens: int = 0
    nanodollars: int = 0


@dataclass(frozen=True, slots=True)
class Bill:
    """The price of a tuning job in billionths of a US dollar. `at` is when it became known, in seconds since 1970.

    It is stored under the job's id, so that a job is never paid twice.
    """

    job_id: str
    at: float
    user_id: int
    model: str
    nanodollars: int

    @property
    def day(self) -> str:
        """The UTC date."""
        return datetime.fromtimestamp(self.at, UTC).date().isoformat()


_INSERT = CALLS.insert()
_SETTLE = (
    update(CALLS)
    .where(CALLS.c.id == bindparam("call"))
    .values(
        settled=True,
        model=bindparam("used_model"),
        prompt_tokens=bindparam("prompt"),
        cached_tokens=bindparam("cached"),
        completion_tokens=bindparam("completion"),
        nanodollars=bindparam("cost"),
    )
)


async def reserve(database: Database, call: Call) -> None:
    """Store a reservation; durable on return. What waits to be written shares its transaction."""
    database.hurry()
    await database.write(_INSERT, _reservation(call))


def settle(database: Database, done: Settlement) -> None:
    """Replace a reservation by what was used, with the next group of writes.

    After a crash before that, the next start settles the reservation at its estimate.
    """
    database.write_later(_SETTLE, _settlement(done))


async def change(connection: AsyncConnection, reserved: Sequence[Call], settled: Sequence[Settlement]) -> None:
    """Store reservations and settlements inside the caller's transaction."""
    if reserved:
        await connection.execute(_INSERT, [_reservation(call) for call in reserved])
    if settled:
        await connection.execute(_SETTLE, [_settlement(done) for done in settled])


def _reservation(call: Call) -> dict[str, Any]:
    return {**values_of(call), "settled": False}


def _settlement(done: Settlement) -> dict[str, Any]:
    row = {"call": done.id, "used_model": done.model, "prompt": done.prompt, "cached": done.cached}
    return {**row, "completion": done.completion, "cost": done.nanodollars}


async def pay(connection: AsyncConnection, bill: Bill) -> bool:
    """Store a bill inside the caller's transaction. False where it is stored already.

    It counts no tokens. Where several processes share the sum of its month, it is added to that sum.
    """
    known = await connection.execute(select(CALLS.c.id).where(CALLS.c.id == bill.job_id))
    if known.first() is not None:
        return False
    row = Call(bill.job_id, bill.day, bill.at, bill.user_id, None, "training", bill.model, 0, bill.nanodollars)
    await connection.execute(_INSERT, {**values_of(row), "settled": True})
    month = (USAGE_SUMS.c.period == bill.day[:7]) & (USAGE_SUMS.c.user_id == 0) & (USAGE_SUMS.c.guild_id == 0)
    more = USAGE_SUMS.c.amount + bill.nanodollars
    await connection.execute(update(USAGE_SUMS).where(month).values(amount=more))
    return True


async def settle_orphans(database: Database, slot: int | None, before: float) -> int:
    """Settle at their estimates the calls that a crash left open; returns their number.

    These are the calls of `slot`, whose process has just started, and those that anybody began `before` that time (in
    seconds since 1970), as no call takes so long. Whether the provider charged for them is unknown.
    """
    left = CALLS.c.settled.is_(False) & ((CALLS.c.slot == slot) | (CALLS.c.at < before))
    orphans = update(CALLS).where(left).values(settled=True, prompt_tokens=CALLS.c.reserved)
    return await database.execute(orphans)


async def tokens_in(connection: AsyncConnection, day: str) -> list[tuple[int, int | None, int]]:
    """The tokens of a UTC `day` by person and server (None: direct messages), inside the caller's transaction.

    Open calls count with their reservations.
    """
    used = CALLS.c.prompt_tokens + CALLS.c.completion_tokens
    tokens = func.sum(case((CALLS.c.settled, used), else_=CALLS.c.reserved))
    query = select(CALLS.c.user_id, CALLS.c.guild_id, tokens).where(CALLS.c.day == day)
    rows = await connection.execute(query.group_by(CALLS.c.user_id, CALLS.c.guild_id))
    return [(user_id, guild_id, int(total)) for user_id, guild_id, total in rows]


async def uses_by_day(
    database: Database, since: str, *, user_id: int | None = None, guild_id: int | None = None
) -> dict[str, DayUse]:
    """The usage of each UTC day from `since` on, of a person, a server, or all; days without calls are left out.

    The writer reads it after all queued writes, so that the latest calls count.
    """
    query = _uses(CALLS.c.day, since, user_id, guild_id)
    return _by_key(await database.transact(lambda connection: connection.execute(query)))


async def uses_by_model(
    database: Database, since: str, *, user_id: int | None = None, guild_id: int | None = None
) -> dict[str, DayUse]:
    """The usage of all settled calls from the UTC day `since` on, by model; tuning is left out."""
    query = _uses(CALLS.c.model, since, user_id, guild_id).where(CALLS.c.purpose != "training")
    return _by_key(await database.fetch_all(query))


def _uses(key: Column[Any], since: str, user_id: int | None, guild_id: int | None) -> Select[str, int, int, int]:
    """The settled calls of a person and a server, where given, summed by `key`."""
    tokens = func.sum(CALLS.c.prompt_tokens + CALLS.c.completion_tokens)
    query = select(key, func.count(), tokens, func.sum(CALLS.c.nanodollars)).group_by(key)
    query = query.where(CALLS.c.day >= since, CALLS.c.settled)
    if user_id is not None:
        query = query.where(CALLS.c.user_id == user_id)
    return query if guild_id is None else query.where(CALLS.c.guild_id == guild_id)


def _by_key(rows: Iterable[Any]) -> dict[str, DayUse]:
    return {key: DayUse(int(count), int(tokens), int(nanodollars)) for key, count, tokens, nanodollars in rows}


async def nanodollars_in(connection: AsyncConnection, month: str) -> int:
    """The price of all calls in a UTC month (`2026-11`), in billionths of a US dollar."""
    query = select(func.coalesce(func.sum(CALLS.c.nanodollars), 0)).where(CALLS.c.day.startswith(month))
    return int((await connection.execute(query)).scalar_one())
