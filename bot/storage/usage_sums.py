"""The sums of tokens and money that several processes share, so that together they pass no limit.

One process keeps its sums in memory (`bot.server.sums`) and writes none of them.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage import calls
from bot.storage.calls import Call, Settlement
from bot.storage.database import Database, in_transaction
from bot.storage.tables import USAGE_SUMS

# A day or a month, a person or 0, a server or 0; see `bot.storage.tables.USAGE_SUMS`.
Key = tuple[str, int, int]
Sums = Counter[Key]
MONTH_LENGTH = len("2026-11")

_ADD = (
    update(USAGE_SUMS)
    .where(
        USAGE_SUMS.c.period == bindparam("key_period"),
        USAGE_SUMS.c.user_id == bindparam("key_user"),
        USAGE_SUMS.c.guild_id == bindparam("key_guild"),
    )
    .values(amount=USAGE_SUMS.c.amount + bindparam("more"))
)


@dataclass(frozen=True, slots=True)
class Change:
    """The settlement `done` of `call`."""

    call: Call
    done: Settlement

    @property
    def amounts(self) -> dict[Key, int]:
        """What it adds to the sums, which have the reservation already."""
        tokens = self.done.prompt + self.done.completion - self.call.reserved
        return _amounts(self.call, tokens, self.done.nanodollars - self.call.nanodollars)


def keys_of(day: str, user_id: int, guild_id: int | None) -> set[Key]:
    """The sums of tokens that a call of a person in a server on `day` counts in. The bot's own have user id 0."""
    guild = guild_id or 0
    return {(day, 0, 0), (day, user_id, 0), (day, 0, guild), (day, user_id, guild)}


def of_call(call: Call) -> dict[Key, int]:
    """What the reservation of `call` adds to the sums."""
    return _amounts(call, call.reserved, call.nanodollars)


def _amounts(call: Call, tokens: int, nanodollars: int) -> dict[Key, int]:
    amounts = dict.fromkeys(keys_of(call.day, call.user_id, call.guild_id), tokens)
    amounts[month_of(call.day)] = nanodollars
    return amounts


def month_of(day: str) -> Key:
    """The sum of billionths of a US dollar in the month of a day."""
    return day[:MONTH_LENGTH], 0, 0


async def from_calls(database: Database, period: str) -> Sums:
    """The sums of a day or a month, made from all its calls; open ones count with their reservations."""
    async with database.read() as connection:
        return await _from_calls(connection, period)


async def read(database: Database, keys: Collection[Key]) -> dict[Key, int]:
    """The stored sums among `keys`."""
    async with database.read() as connection:
        return await _read(connection, keys)


@in_transaction
async def count(
    connection: AsyncConnection,
    wanted: Sequence[Call],
    changes: Sequence[Change],
    decide: Callable[[Sums], Sequence[Call]],
) -> None:
    """Store settlements and reservations, and count them, in one transaction.

    `decide` gets the sums that the calls count in, and returns those of the `wanted` calls that may be made.
    """
    more: Sums = Counter()
    for change in changes:
        more.update(change.amounts)
    keys = set(more).union(*(of_call(call) for call in wanted))
    stored = await _counted(connection, keys)
    # Where a person was erased since the reservation, there is nothing left to correct.
    more = Counter({key: amount for key, amount in more.items() if key in stored})
    reserved = decide(Counter({key: stored.get(key, 0) + more[key] for key in keys}))
    for call in reserved:
        more.update(of_call(call))
    await calls.change(connection, reserved, [change.done for change in changes])
    await _add(connection, more, stored)


async def forget(database: Database, day: str) -> None:
    """Delete the sums of a day and its month. They are counted again from the calls when they are needed."""
    mine = USAGE_SUMS.c.period.in_([day, day[:7]])
    await database.transact(lambda connection: connection.execute(delete(USAGE_SUMS).where(mine)))


async def _read(connection: AsyncConnection, keys: Collection[Key]) -> dict[Key, int]:
    key = tuple_(USAGE_SUMS.c.period, USAGE_SUMS.c.user_id, USAGE_SUMS.c.guild_id)
    rows = await connection.execute(select(USAGE_SUMS).where(key.in_(list(keys))))
    return {(row.period, row.user_id, row.guild_id): row.amount for row in rows}


async def _counted(connection: AsyncConnection, keys: Collection[Key]) -> dict[Key, int]:
    """The stored sums among `keys`. Sums of a day or month without any are counted from the calls first."""
    stored = await _read(connection, keys)
    for period in {period for period, *_ in keys if (period, 0, 0) not in stored}:
        sums = await _from_calls(connection, period)
        await _add(connection, sums, ())
        stored |= {key: amount for key, amount in sums.items() if key in keys}
    return stored


async def _from_calls(connection: AsyncConnection, period: str) -> Sums:
    sums: Sums = Counter({(period, 0, 0): 0})
    if len(period) == MONTH_LENGTH:
        sums[period, 0, 0] = await calls.nanodollars_in(connection, period)
    else:
        for user_id, guild_id, tokens in await calls.tokens_in(connection, period):
            sums.update(dict.fromkeys(keys_of(period, user_id, guild_id), tokens))
    return sums


async def _add(connection: AsyncConnection, more: Mapping[Key, int], stored: Collection[Key]) -> None:
    """Add `more` to the sums. Those of which no row is `stored` begin at 0."""
    changed = [
        {"key_period": period, "key_user": user, "key_guild": guild, "more": amount}
        for (period, user, guild), amount in more.items()
        if amount and (period, user, guild) in stored
    ]
    new = [
        {"period": period, "user_id": user, "guild_id": guild, "amount": amount}
        for (period, user, guild), amount in more.items()
        if (period, user, guild) not in stored
    ]
    if changed:
        await connection.execute(_ADD, changed)
    if new:
        await connection.execute(USAGE_SUMS.insert(), new)
