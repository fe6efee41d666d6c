"""Notes that players pin to a story, so that every prompt has them."""

from dataclasses import dataclass
from time import time

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import Database
from bot.storage.tables import NOTES


@dataclass(frozen=True, slots=True)
class Note:
    """A pinned note and whose it is."""

    id: int
    player_id: int
    text: str


async def add(database: Database, story_id: str, player_id: int, text: str, most: int) -> bool:
    """Pin a note; False where the story has `most` already."""

    async def work(connection: AsyncConnection) -> bool:
        there = select(func.count()).where(NOTES.c.story_id == story_id)
        if (await connection.execute(there)).scalar_one() >= most:
            return False
        await connection.execute(NOTES.insert().values(story_id=story_id, player_id=player_id, text=text, at=time()))
        return True

    return await database.transact(work)


async def remove(database: Database, story_id: str, note_id: int) -> bool:
    """Take a note away; False where it was not there any more."""
    query = delete(NOTES).where(NOTES.c.story_id == story_id, NOTES.c.id == note_id)
    result = await database.transact(lambda connection: connection.execute(query))
    return bool(result.rowcount)


async def of_story(database: Database, story_id: str) -> list[Note]:
    """A story's notes, oldest first."""
    query = select(NOTES.c.id, NOTES.c.player_id, NOTES.c.text).where(NOTES.c.story_id == story_id)
    async with database.read() as connection:
        return [Note(*row) for row in await connection.execute(query.order_by(NOTES.c.id))]
