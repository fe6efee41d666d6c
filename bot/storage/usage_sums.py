"""The sums of tokens and money that several processes share, so that together they pass no limit.

One process keeps these sums in memory (`bot.server.ledger`) and writes none of them.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage import calls
from bot.storage.calls import Call, Settlement
from bot.storage.database import Database
from bot.storage.tables import USAGE_SUMS

# A day or a month, a person or 0, a server or 0; see `bot.storage.tables.USAGE_SUMS`.
Key = tuple[str, int, int]
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
    """A settlement of `call`, and the tokens and billionths of a US dollar that it adds to the reservation."""

    call: Call
    done: Settlement
    tokens: int
    nanodollars: int


def keys_of(day: str, user_id: int, guild_id: int | None) -> list[Key]:
    """The sums that a call of a person in a server on `day` counts in. The bot's own calls have user id 0."""
    keys = [(day, 0, 0), (day[:7], 0, 0)]
    if user_id:
        keys.append((day, user_id, 0))
    if guild_id:
        keys.append((day, 0, guild_id))
    if user_id and guild_id:
        keys.append((day, user_id, guild_id))
    return keys


async def read(database: Database, keys: Collection[Key]) -> dict[Key, int]:
    """The stored sums among `keys`."""
    async with database.read() as connection:
        return await _read(connection, keys)


async def count(
    database: Database,
    wanted: Sequence[Call],
    changes: Sequence[Change],
    decide: Callable[[Mapping[Key, int]], Sequence[Call]],
) -> None:
    """Store settlements and reservations, and count them, in one transaction.

    `decide` gets the sums that the calls count in, and returns those of the `wanted` calls that may be made.
    """

    async def work(connection: AsyncConnection) -> None:
        more: Counter[Key] = Counter()
        for change in changes:
            _count(more, change.call, change.tokens, change.nanodollars)
        keys = set(more).union(*(keys_of(call.day, call.user_id, call.guild_id) for call in wanted))
        stored = await _counted(connection, keys)
        # Where a person was erased since the reservation, there is nothing left to correct.
        more = Counter({key: amount for key, amount in more.items() if key in stored})
        reserved = decide({key: stored.get(key, 0) + more[key] for key in keys})
        for call in reserved:
            _count(more, call, call.reserved, call.nanodollars)
        await calls.change(connection, reserved, [change.done for change in changes])
        await _add(connection, more, stored)

    await database.transact(work)


async def forget(database: Database, day: str) -> None:
    """Delete the sums of a day and its month. They are counted again from the calls when they are needed."""
    mine = USAGE_SUMS.c.period.in_([day, day[:7]])
    await database.transact(lambda connection: connection.execute(delete(USAGE_SUMS).where(mine)))


def _count(more: Counter[Key], call: Call, tokens: int, nanodollars: int) -> None:
    for key in keys_of(call.day, call.user_id, call.guild_id):
        more[key] += nanodollars if len(key[0]) == MONTH_LENGTH else tokens


async def _read(connection: AsyncConnection, keys: Collection[Key]) -> dict[Key, int]:
    key = tuple_(USAGE_SUMS.c.period, USAGE_SUMS.c.user_id, USAGE_SUMS.c.guild_id)
    rows = await connection.execute(select(USAGE_SUMS).where(key.in_(list(keys))))
    return {(row.period, row.user_id, row.guild_id): row.amount for row in rows}


async def _counted(connection: AsyncConnection, keys: Collection[Key]) -> dict[Key, int]:
    """The stored sums among `keys`. Sums of a day or month without any are counted from the calls first."""
    stored = await _read(connection, keys)
    for period in {period for period, *_ in keys if (period, 0, 0) not in stored}:
        sums = Counter({(period, 0, 0): 0})
        if len(period) == MONTH_LENGTH:
            sums[period, 0, 0] = await calls.nanodollars_in(connection, period)
        else:
            for part in await calls.sums_in(connection, period):
                for key in keys_of(period, part.user_id, part.guild_id):
                    sums[key] += part.tokens if len(key[0]) != MONTH_LENGTH else 0
            del sums[period[:7], 0, 0]
        await _add(connection, sums, ())
        stored |= {key: amount for key, amount in sums.items() if key in keys}
    return stored


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
