"""Blind comparisons that people vote on, and their votes."""

import json
from collections import Counter
from dataclasses import dataclass, replace
from time import time

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import Database, in_transaction
from bot.storage.rows import columns_of, values_of
from bot.storage.tables import ARENA_VOTES, ARENAS


@dataclass(frozen=True, slots=True)
class ArenaRow:
    """A comparison. `closes` is in seconds since 1970, `body` JSON of the answers, `counts` JSON of their votes."""

    id: str
    guild_id: int
    channel_id: int
    user_id: int
    closes: float
    body: str
    message_id: int | None = None
    counts: str | None = None


_COLUMNS = columns_of(ARENAS, ArenaRow)


async def add(database: Database, row: ArenaRow) -> None:
    """Store an open comparison."""
    await database.execute(ARENAS.insert().values(values_of(row)))


async def find(database: Database, arena_id: str) -> ArenaRow | None:
    """The comparison with this id."""
    return await database.fetch_row(select(*_COLUMNS).where(ARENAS.c.id == arena_id), ArenaRow)


async def set_message(database: Database, arena_id: str, message_id: int) -> None:
    """Store the message of the card."""
    await database.execute(update(ARENAS).where(ARENAS.c.id == arena_id).values(message_id=message_id))


@in_transaction
async def vote(connection: AsyncConnection, arena_id: str, user_id: int, choice: int) -> int | None:
    """Store or change a person's vote, and return the number of votes; None where the vote is closed."""
    is_open = select(ARENAS.c.id).where(ARENAS.c.id == arena_id, ARENAS.c.counts.is_(None))
    if await connection.scalar(is_open) is None:
        return None
    mine = (ARENA_VOTES.c.arena_id == arena_id) & (ARENA_VOTES.c.user_id == user_id)
    await connection.execute(delete(ARENA_VOTES).where(mine))
    values = {"arena_id": arena_id, "user_id": user_id, "choice": choice}
    await connection.execute(ARENA_VOTES.insert(), values)
    every = select(func.count()).where(ARENA_VOTES.c.arena_id == arena_id)
    return int((await connection.execute(every)).scalar_one())


@in_transaction
async def close(connection: AsyncConnection, arena_id: str) -> ArenaRow | None:
    """Count the votes and delete them; the comparison with its counts, also where it is closed already."""
    found = (await connection.execute(select(*_COLUMNS).where(ARENAS.c.id == arena_id))).first()
    row = None if found is None else ArenaRow(*found)
    if row is None or row.counts is not None:
        return row
    query = select(ARENA_VOTES.c.choice).where(ARENA_VOTES.c.arena_id == arena_id)
    counts = json.dumps(Counter((await connection.execute(query)).scalars()))
    await connection.execute(delete(ARENA_VOTES).where(ARENA_VOTES.c.arena_id == arena_id))
    await connection.execute(update(ARENAS).where(ARENAS.c.id == arena_id).values(counts=counts))
    return replace(row, counts=counts)


async def due(database: Database) -> list[ArenaRow]:
    """Comparisons whose time is over, or that are closed and still stored."""
    over = (ARENAS.c.closes <= time()) | ARENAS.c.counts.is_not(None)
    return await database.fetch_rows(select(*_COLUMNS).where(over), ArenaRow)


async def next_close(database: Database) -> float | None:
    """When the next comparison closes, in seconds since 1970; None where there is none."""
    closes: float | None = await database.fetch_value(select(func.min(ARENAS.c.closes)))
    return closes


async def remove(database: Database, arena_id: str) -> None:
    """Delete a comparison whose result is shown."""
    await database.execute(delete(ARENAS).where(ARENAS.c.id == arena_id))
