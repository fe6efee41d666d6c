"""The ledger's rows: what was reserved for a call of a model, and what it really used."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import Database
from bot.storage.tables import CALLS


@dataclass(frozen=True, slots=True)
class Call:
    """One use of a model by a person; `day` is the UTC date, `at` seconds since 1970."""

    id: str
    day: str
    at: float
    user_id: int
    guild_id: int | None
    purpose: str
    model: str
    reserved: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """What the call `id` used, in tokens and billionths of a US dollar."""

    id: str
    model: str
    prompt: int
    cached: int
    completion: int
    nanodollars: int


@dataclass(frozen=True, slots=True)
class DaySum:
    """Tokens that count against a day's limits, for one person in one server (None: a direct message)."""

    user_id: int
    guild_id: int | None
    tokens: int


@dataclass(frozen=True, slots=True)
class DayUse:
    """Settled calls of a day: how many, their tokens, and their price in billionths of a US dollar."""

    calls: int = 0
    tokens: int = 0
    nanodollars: int = 0


@dataclass(frozen=True, slots=True)
class Bill:
    """The price of a tuning job, in billionths of a US dollar; `at` is when it was known, in seconds since 1970.

    It is kept under the job's own id, so that a job is never paid twice.
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
    """Keep the reservation; durable when this returns."""
    row = {name: getattr(call, name) for name in Call.__slots__}
    await database.write(_INSERT, {**row, "settled": False})


def settle(database: Database, done: Settlement) -> None:
    """Replace the reservation by what was used, with the next group of writes.

    A crash before that leaves the reservation open, and the next start settles it at its estimate.
    """
    row = {"call": done.id, "used_model": done.model, "prompt": done.prompt, "cached": done.cached}
    database.write_later(_SETTLE, {**row, "completion": done.completion, "cost": done.nanodollars})


async def pay(connection: AsyncConnection, bill: Bill) -> bool:
    """Keep a bill, inside the caller's transaction: no tokens of any day's limit. False where it is kept already."""
    known = await connection.execute(select(CALLS.c.id).where(CALLS.c.id == bill.job_id))
    if known.first() is not None:
        return False
    row = Call(bill.job_id, bill.day, bill.at, bill.user_id, None, "training", bill.model, 0)
    values = {name: getattr(row, name) for name in Call.__slots__}
    await connection.execute(_INSERT, {**values, "settled": True, "nanodollars": bill.nanodollars})
    return True


async def settle_orphans(database: Database) -> int:
    """Settle at their estimate the calls that a crash left open; how many there were.

    The provider may have charged for them, and nobody can tell any more.
    """
    orphans = update(CALLS).where(CALLS.c.settled.is_(False)).values(settled=True, prompt_tokens=CALLS.c.reserved)
    result = await database.transact(lambda connection: connection.execute(orphans))
    return int(result.rowcount)


async def sums_of_day(database: Database, day: str) -> list[DaySum]:
    """The settled tokens of a UTC `day`, by person and server."""
    tokens = func.sum(CALLS.c.prompt_tokens + CALLS.c.completion_tokens)
    query = select(CALLS.c.user_id, CALLS.c.guild_id, tokens).where(CALLS.c.day == day)
    async with database.read() as connection:
        rows = await connection.execute(query.group_by(CALLS.c.user_id, CALLS.c.guild_id))
        return [DaySum(user_id, guild_id, int(total)) for user_id, guild_id, total in rows]


async def uses_by_day(
    database: Database, since: str, *, user_id: int | None = None, guild_id: int | None = None
) -> dict[str, DayUse]:
    """What was used on each UTC day from `since` on, by a person, a server, or all; days without use are left out.

    Read by the writer, behind what it has still to settle: a call of a moment ago counts.
    """
    tokens = func.sum(CALLS.c.prompt_tokens + CALLS.c.completion_tokens)
    query = select(CALLS.c.day, func.count(), tokens, func.sum(CALLS.c.nanodollars))
    query = query.where(CALLS.c.day >= since, CALLS.c.settled)
    if user_id is not None:
        query = query.where(CALLS.c.user_id == user_id)
    if guild_id is not None:
        query = query.where(CALLS.c.guild_id == guild_id)
    rows = await database.transact(lambda connection: connection.execute(query.group_by(CALLS.c.day)))
    return {day: DayUse(int(count), int(total), int(nanodollars)) for day, count, total, nanodollars in rows}


async def nanodollars_since(database: Database, day: str) -> int:
    """What was spent on `day` and after it, in billionths of a US dollar."""
    query = select(func.coalesce(func.sum(CALLS.c.nanodollars), 0)).where(CALLS.c.day >= day)
    async with database.read() as connection:
        return int((await connection.execute(query)).scalar_one())
