"""Summaries: what happened on a path down to a turn. One belongs to its place in the tree and never changes."""

from collections.abc import Sequence
from time import time

from sqlalchemy import delete, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import Database
from bot.storage.tables import SUMMARIES, TURNS
from bot.storage.turns import Turn


async def add(database: Database, text: str, turns: Sequence[Turn], before: str = "") -> bool:
    """Keep the summary of the path down to the last of `turns`, in place of an earlier one there.

    It was made of these turns, and of the summary `before` them. False where one of those is not as it was any
    more: somebody who is quoted in it has been forgotten meanwhile, and it is not kept.
    """
    last = turns[-1]

    async def work(connection: AsyncConnection) -> bool:
        made_of = select(TURNS.c.id, TURNS.c.words, TURNS.c.reply).where(TURNS.c.id.in_([turn.id for turn in turns]))
        there = {turn: (words, reply) for turn, words, reply in await connection.execute(made_of)}
        if there != {turn.id: (turn.words, turn.reply) for turn in turns}:
            return False
        if before:
            same = exists().where(SUMMARIES.c.story_id == last.story_id, SUMMARIES.c.text == before)
            if not (await connection.execute(select(same))).scalar_one():
                return False
        await connection.execute(delete(SUMMARIES).where(SUMMARIES.c.turn_id == last.id))
        row = {"turn_id": last.id, "story_id": last.story_id, "text": text, "at": time()}
        await connection.execute(SUMMARIES.insert().values(**row))
        return True

    return await database.transact(work)


async def at(database: Database, turn_id: int) -> str | None:
    """The summary of the path down to a turn, if there is one exactly there."""
    query = select(SUMMARIES.c.text).where(SUMMARIES.c.turn_id == turn_id)
    async with database.read() as connection:
        return (await connection.execute(query)).scalar_one_or_none()
