"""Stories: where an adventure is played, how it stands, and which turn is its newest."""

from dataclasses import dataclass
from time import time

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import Database
from bot.storage.tables import STORIES

RUNNING, PAUSED, ENDED = "running", "paused", "ended"


@dataclass(frozen=True, slots=True)
class Story:
    """An adventure in a channel. `head` is the newest turn's id, None at the opening; times in seconds since 1970."""

    id: str
    guild_id: int | None
    channel_id: int
    scenario: str
    title: str
    frame: str
    state: str
    locked: bool
    starter_id: int
    head: int | None
    message_id: int | None
    at: float
    touched: float


_COLUMNS = [STORIES.c[name] for name in Story.__slots__]


async def add(database: Database, story: Story) -> bool:
    """Keep a new story; False where one is played in its channel already, which is looked at in the same step."""

    async def work(connection: AsyncConnection) -> bool:
        taken = select(STORIES.c.id).where(
            STORIES.c.channel_id == story.channel_id, STORIES.c.state.in_((RUNNING, PAUSED))
        )
        if (await connection.execute(taken)).first():
            return False
        await connection.execute(STORIES.insert(), {name: getattr(story, name) for name in Story.__slots__})
        return True

    return await database.transact(work)


async def find(database: Database, story_id: str) -> Story | None:
    """The story with this id."""
    async with database.read() as connection:
        row = (await connection.execute(select(*_COLUMNS).where(STORIES.c.id == story_id))).first()
    return Story(*row) if row else None


async def in_channel(database: Database, channel_id: int, *states: str) -> Story | None:
    """The channel's story in one of `states` (running and paused where none is named); the newest of several."""
    query = (
        select(*_COLUMNS)
        .where(STORIES.c.channel_id == channel_id, STORIES.c.state.in_(states or (RUNNING, PAUSED)))
        .order_by(STORIES.c.touched.desc())
        .limit(1)
    )
    async with database.read() as connection:
        row = (await connection.execute(query)).first()
    return Story(*row) if row else None


async def newest_running(database: Database, most: int) -> list[Story]:
    """The `most` running stories that were played last, the latest first."""
    query = select(*_COLUMNS).where(STORIES.c.state == RUNNING).order_by(STORIES.c.touched.desc()).limit(most)
    async with database.read() as connection:
        return [Story(*row) for row in await connection.execute(query)]


async def move_head(database: Database, story_id: str, expected: int | None, head: int | None) -> bool:
    """Set the head, if it still stands where it is `expected`; False where somebody was faster."""
    query = (
        update(STORIES)
        .where(STORIES.c.id == story_id, STORIES.c.head.is_not_distinct_from(expected))
        .values(head=head, touched=time())
    )
    result = await database.transact(lambda connection: connection.execute(query))
    return bool(result.rowcount)


async def set_state(database: Database, story_id: str, state: str) -> bool:
    """Run, pause or end the story; False where it is to run and another one is played in its channel by now."""

    async def work(connection: AsyncConnection) -> bool:
        if state == RUNNING:
            here = select(STORIES.c.channel_id).where(STORIES.c.id == story_id).scalar_subquery()
            other = select(STORIES.c.id).where(
                STORIES.c.channel_id == here, STORIES.c.id != story_id, STORIES.c.state.in_((RUNNING, PAUSED))
            )
            if (await connection.execute(other)).first():
                return False
        await connection.execute(update(STORIES).where(STORIES.c.id == story_id).values(state=state, touched=time()))
        return True

    return await database.transact(work)


async def end_in_channels(database: Database, *channel_ids: int) -> int:
    """End the stories of channels that are gone; how many there were."""
    query = (
        update(STORIES)
        .where(STORIES.c.channel_id.in_(channel_ids), STORIES.c.state != ENDED)
        .values(state=ENDED, touched=time())
    )
    result = await database.transact(lambda connection: connection.execute(query))
    return int(result.rowcount)


async def set_locked(database: Database, story_id: str, locked: bool) -> None:
    """Let only moderators and the one who started it play, or everyone again."""
    query = update(STORIES).where(STORIES.c.id == story_id).values(locked=locked)
    await database.transact(lambda connection: connection.execute(query))


async def set_message(database: Database, story_id: str, message_id: int | None) -> None:
    """Note the message that shows the newest turn with its buttons."""
    query = update(STORIES).where(STORIES.c.id == story_id).values(message_id=message_id)
    await database.transact(lambda connection: connection.execute(query))
