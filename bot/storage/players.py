"""Players of a story: who has said something in it, and who may not any more."""

from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import Database
from bot.storage.tables import PLAYERS

# How a person stands in a story after asking to be forgotten.
NOBODY, A_PLAYER, GONE = 0, "a player", "…"


@dataclass(frozen=True, slots=True)
class Player:
    """Someone who has played; `removed` by a moderator."""

    user_id: int
    name: str
    removed: bool


async def note_player(connection: AsyncConnection, story_id: str, user_id: int, name: str) -> None:
    """Know a player, or their new name; inside the transaction that stores what they said."""
    mine = (PLAYERS.c.story_id == story_id, PLAYERS.c.user_id == user_id)
    known = await connection.execute(update(PLAYERS).where(*mine).values(name=name))
    if not known.rowcount:
        await connection.execute(PLAYERS.insert().values(story_id=story_id, user_id=user_id, name=name, removed=False))


async def count(connection: AsyncConnection, story_id: str) -> int:
    """How many have played, those removed included: the story goes on naming whom it has named."""
    query = select(func.count()).where(PLAYERS.c.story_id == story_id)
    return int((await connection.execute(query)).scalar_one())


async def of_story(database: Database, story_id: str) -> list[Player]:
    """Everyone who has played in a story."""
    query = select(PLAYERS.c.user_id, PLAYERS.c.name, PLAYERS.c.removed).where(PLAYERS.c.story_id == story_id)
    async with database.read() as connection:
        return [Player(*row) for row in await connection.execute(query.order_by(PLAYERS.c.user_id))]


async def set_removed(database: Database, story_id: str, user_id: int, removed: bool) -> None:
    """Keep a player out of a story, or let them in again."""
    query = update(PLAYERS).where(PLAYERS.c.story_id == story_id, PLAYERS.c.user_id == user_id)
    await database.transact(lambda connection: connection.execute(query.values(removed=removed)))
