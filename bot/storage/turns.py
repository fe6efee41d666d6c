"""Turns: the tree of a story, and the line of those that wait for their place in it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from time import time
from typing import Any, Literal

from sqlalchemy import Select, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import Database
from bot.storage.players import count, note_player
from bot.storage.stories import RUNNING
from bot.storage.tables import STORIES, SUMMARIES, TURNS

# A turn waits, is open while it has no answer, is done, or was dropped from the line before it had a place.
WAITING, OPEN, DONE, DROPPED = "waiting", "open", "done", "dropped"
Refusal = Literal["known", "full"]


@dataclass(frozen=True, slots=True)
class Turn:
    """What a player said, and what came of it. `depth` is 1 for a first turn, 0 while it waits; `reply` may be None.

    `kind` is `do`, `say` or `continue`; `named` says that the player is named to the model; `dice` is what the bot
    rolled, in words.
    """

    id: int
    story_id: str
    parent_id: int | None
    depth: int
    state: str
    kind: str
    event_id: int | None
    player_id: int
    player: str
    named: bool
    words: str
    dice: str
    reply: str | None
    model: str
    finish: str
    prompt_id: str
    message_id: int | None
    at: float


@dataclass(frozen=True, slots=True)
class NewTurn:
    """A turn as it arrives."""

    story_id: str
    kind: str
    event_id: int | None
    player_id: int
    player: str
    words: str
    dice: str


_NAMES = [field.name for field in fields(Turn)]
_COLUMNS = [TURNS.c[name] for name in _NAMES]


async def enqueue(database: Database, new: NewTurn, most: int) -> int | Refusal:
    """Put `new` at the end of its story's line; how many wait ahead of it, or why not.

    `known`: its event was stored before, and is not stored twice. `full`: `most` turns wait already.
    """

    async def work(connection: AsyncConnection) -> int | Refusal:
        if new.event_id is not None:
            known = select(TURNS.c.id).where(TURNS.c.event_id == new.event_id)
            if (await connection.execute(known)).first():
                return "known"
        waiting = select(func.count()).where(TURNS.c.story_id == new.story_id, TURNS.c.state == WAITING)
        ahead = int((await connection.execute(waiting)).scalar_one())
        if ahead >= most:
            return "full"
        await note_player(connection, new.story_id, new.player_id, new.player)
        await _insert(connection, new, WAITING, parent_id=None, depth=0, named=False)
        return ahead

    return await database.transact(work)


async def begin(database: Database, story_id: str) -> Turn | None:
    """Give the first of the line its place below the head, and move the head to it.

    None where nobody waits, or where the story was paused or ended meanwhile.
    """

    async def work(connection: AsyncConnection) -> Turn | None:
        line = select(*_COLUMNS).where(TURNS.c.story_id == story_id, TURNS.c.state == WAITING)
        line = line.where(exists().where(STORIES.c.id == story_id, STORIES.c.state == RUNNING))
        row = (await connection.execute(line.order_by(TURNS.c.id).limit(1))).first()
        if row is None:
            return None
        head, depth = await _head(connection, story_id)
        named = await count(connection, story_id) > 1
        place = {"parent_id": head, "depth": depth + 1, "state": OPEN, "named": named}
        await connection.execute(update(TURNS).where(TURNS.c.id == row.id).values(**place))
        await connection.execute(update(STORIES).where(STORIES.c.id == story_id).values(head=row.id, touched=time()))
        return Turn(**{**row._mapping, **place})

    return await database.transact(work)


async def retry(database: Database, turn: Turn) -> Turn | None:
    """A sibling of `turn` with the same words, open, and the head on it; None where the head has moved on."""

    async def work(connection: AsyncConnection) -> Turn | None:
        head, _ = await _head(connection, turn.story_id)
        if head != turn.id:
            return None
        # As it stands by now: its player may have been forgotten since `turn` was read.
        said = (await connection.execute(select(*_COLUMNS).where(TURNS.c.id == turn.id))).one()
        again = NewTurn(turn.story_id, turn.kind, None, said.player_id, said.player, said.words, said.dice)
        made = await _insert(connection, again, OPEN, parent_id=turn.parent_id, depth=turn.depth, named=turn.named)
        await connection.execute(update(STORIES).where(STORIES.c.id == turn.story_id).values(head=made, touched=time()))
        row = (await connection.execute(select(*_COLUMNS).where(TURNS.c.id == made))).one()
        return Turn(*row)

    return await database.transact(work)


async def complete(database: Database, turn_id: int, reply: str, *, model: str, finish: str, prompt_id: str) -> None:
    """Keep the answer to a turn; durable when this returns."""
    done = {"state": DONE, "reply": reply, "model": model, "finish": finish, "prompt_id": prompt_id}
    query = update(TURNS).where(TURNS.c.id == turn_id).values(**done)
    await database.transact(lambda connection: connection.execute(query))


async def shown_in(database: Database, turn_id: int, message_id: int) -> None:
    """Note the message that shows a turn, so that a reply to it is known as a reply to the story."""

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(update(TURNS).where(TURNS.c.id == turn_id).values(message_id=message_id))
        story = select(TURNS.c.story_id).where(TURNS.c.id == turn_id).scalar_subquery()
        await connection.execute(
            update(STORIES).where(STORIES.c.id == story, STORIES.c.head == turn_id).values(message_id=message_id)
        )

    await database.transact(work)


async def drop_line(database: Database, story_id: str) -> int:
    """Take those that wait out of the line; their words stay. How many there were."""
    query = update(TURNS).where(TURNS.c.story_id == story_id, TURNS.c.state == WAITING).values(state=DROPPED)
    result = await database.transact(lambda connection: connection.execute(query))
    return int(result.rowcount)


async def find(database: Database, turn_id: int) -> Turn | None:
    """The turn with this id."""
    return next(iter(await _read(database, select(*_COLUMNS).where(TURNS.c.id == turn_id))), None)


async def shown_by(database: Database, message_id: int) -> Turn | None:
    """The turn that a message shows."""
    return next(iter(await _read(database, select(*_COLUMNS).where(TURNS.c.message_id == message_id))), None)


async def line(database: Database, story_id: str) -> list[Turn]:
    """Those that wait, first come first."""
    query = select(*_COLUMNS).where(TURNS.c.story_id == story_id, TURNS.c.state == WAITING)
    return await _read(database, query.order_by(TURNS.c.id))


async def siblings(database: Database, turn: Turn) -> list[int]:
    """The ids of the turns at the place of `turn`, itself among them, oldest first."""
    query = select(TURNS.c.id).where(
        TURNS.c.story_id == turn.story_id, TURNS.c.depth > 0, TURNS.c.parent_id.is_not_distinct_from(turn.parent_id)
    )
    async with database.read() as connection:
        return list((await connection.execute(query.order_by(TURNS.c.id))).scalars())


async def path(database: Database, head: int | None, *, most: int | None = None, whole: bool = False) -> list[Turn]:
    """The turns down to `head`, oldest first.

    It begins at the newest turn that has a summary, that one included, or at the opening; with `whole` always at
    the opening. No more than the newest `most` turns are given.
    """
    if head is None:
        return []
    walk = select(TURNS.c.id, TURNS.c.parent_id, TURNS.c.depth).where(TURNS.c.id == head).cte("walk", recursive=True)
    step = select(TURNS.c.id, TURNS.c.parent_id, TURNS.c.depth).join(walk, TURNS.c.id == walk.c.parent_id)
    if not whole:
        step = step.where(~exists().where(SUMMARIES.c.turn_id == walk.c.id))
    if most is not None:
        lowest = select(TURNS.c.depth - most + 1).where(TURNS.c.id == head).scalar_subquery()
        step = step.where(TURNS.c.depth >= lowest)
    walk = walk.union_all(step)
    query = select(*_COLUMNS).join(walk, TURNS.c.id == walk.c.id).order_by(TURNS.c.depth)
    return await _read(database, query)


async def tree(database: Database, story_id: str) -> list[Turn]:
    """All turns that have a place in the story, parents before children."""
    query = select(*_COLUMNS).where(TURNS.c.story_id == story_id, TURNS.c.depth > 0)
    return await _read(database, query.order_by(TURNS.c.id))


async def _read(database: Database, query: Select[Any]) -> list[Turn]:
    async with database.read() as connection:
        return [Turn(*row) for row in await connection.execute(query)]


async def _head(connection: AsyncConnection, story_id: str) -> tuple[int | None, int]:
    """The head of a story and its depth, 0 at the opening."""
    query = (
        select(STORIES.c.head, func.coalesce(TURNS.c.depth, 0))
        .select_from(STORIES.outerjoin(TURNS, TURNS.c.id == STORIES.c.head))
        .where(STORIES.c.id == story_id)
    )
    row: Sequence[Any] = (await connection.execute(query)).one()
    return row[0], row[1]


async def _insert(connection: AsyncConnection, new: NewTurn, state: str, **place: Any) -> int:
    row = {name: getattr(new, name) for name in NewTurn.__slots__}
    blank = {"reply": None, "model": "", "finish": "", "prompt_id": "", "message_id": None, "at": time()}
    result = await connection.execute(TURNS.insert().values(**row, **blank, **place, state=state))
    key = result.inserted_primary_key
    assert key is not None, "an insert of one row gives its key"
    return int(key[0])
