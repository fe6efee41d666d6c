"""Branches: names for turns of a story."""

from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import Database
from bot.storage.tables import BRANCHES


@dataclass(frozen=True, slots=True)
class Branch:
    """A name for a turn, and who gave it; the turn None is the opening."""

    name: str
    turn_id: int | None
    player_id: int | None = None


_COLUMNS = [BRANCHES.c[name] for name in Branch.__slots__]


async def put(database: Database, story_id: str, branch: Branch, most: int) -> bool:
    """Keep a name, in place of an equal one; False where there are `most` others already."""

    async def work(connection: AsyncConnection) -> bool:
        await connection.execute(
            delete(BRANCHES).where(BRANCHES.c.story_id == story_id, BRANCHES.c.name == branch.name)
        )
        others = select(func.count()).where(BRANCHES.c.story_id == story_id)
        if (await connection.execute(others)).scalar_one() >= most:
            return False
        row = {name: getattr(branch, name) for name in Branch.__slots__}
        await connection.execute(BRANCHES.insert().values(story_id=story_id, **row))
        return True

    return await database.transact(work)


async def of_story(database: Database, story_id: str) -> list[Branch]:
    """All names of a story, in their order."""
    query = select(*_COLUMNS).where(BRANCHES.c.story_id == story_id)
    async with database.read() as connection:
        return [Branch(*row) for row in await connection.execute(query.order_by(BRANCHES.c.name))]
