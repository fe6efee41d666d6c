"""Summaries: what happened on a path down to a turn. One belongs to its place in the tree and never changes."""

from time import time

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import Database
from bot.storage.tables import SUMMARIES


async def add(database: Database, story_id: str, turn_id: int, text: str) -> None:
    """Keep the summary of the path down to a turn, in place of an earlier one there."""

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(delete(SUMMARIES).where(SUMMARIES.c.turn_id == turn_id))
        await connection.execute(SUMMARIES.insert().values(turn_id=turn_id, story_id=story_id, text=text, at=time()))

    await database.transact(work)


async def at(database: Database, turn_id: int) -> str | None:
    """The summary of the path down to a turn, if there is one exactly there."""
    query = select(SUMMARIES.c.text).where(SUMMARIES.c.turn_id == turn_id)
    async with database.read() as connection:
        return (await connection.execute(query)).scalar_one_or_none()
