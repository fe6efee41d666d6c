"""Stories: the tree of turns, its players, pinned notes, named branches and summaries.

Turn ids grow with time. A story's `head` is the id of the newest turn on the path that is played.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from time import time
from typing import Any, Literal

from sqlalchemy import ColumnElement, delete, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import Database, in_transaction
from bot.storage.rows import columns_of, values_of
from bot.storage.tables import BRANCHES, NOTES, PLAYERS, STORIES, SUMMARIES, TURNS

RUNNING, PAUSED, ENDED = "running", "paused", "ended"
# States of a turn: in the queue, begun and without an answer yet, answered, or removed from the queue.
WAITING, OPEN, DONE, DROPPED = "waiting", "open", "done", "dropped"
# Why a turn is not put into the queue: its Discord event is stored already, or the queue is full.
Refusal = Literal["known", "full"]


@dataclass(frozen=True, slots=True)
class Story:
    """An adventure in a channel. `head` is the newest turn's id, None at the opening. Times are seconds since 1970."""

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


@dataclass(frozen=True, slots=True)
class Turn:
    """A player's words and the model's `reply` (None while there is none).

    `depth` is 1 for a first turn and 0 in the queue. `kind` is `do`, `say` or `continue`. `named` says whether the
    prompt names the player. `dice` is the result of the bot's dice, in words.
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
    """A turn before it is stored. `event_id` is the Discord event that brought it."""

    story_id: str
    kind: str
    event_id: int | None
    player_id: int
    player: str
    words: str
    dice: str


@dataclass(frozen=True, slots=True)
class Player:
    """A person who has played in a story. `removed`: a moderator does not let them play any more."""

    user_id: int
    name: str
    removed: bool


@dataclass(frozen=True, slots=True)
class Note:
    """A text that a player pinned: every prompt of the story contains it."""

    id: int
    player_id: int
    text: str


@dataclass(frozen=True, slots=True)
class Branch:
    """A name for a turn, and the id of its author. `turn_id` None is the opening."""

    name: str
    turn_id: int | None
    player_id: int | None = None


_STORY = columns_of(STORIES, Story)
_TURN = columns_of(TURNS, Turn)
_BRANCH = columns_of(BRANCHES, Branch)


@in_transaction
async def add_story(connection: AsyncConnection, story: Story) -> bool:
    """Store a new story. False where its channel has a running or paused story already."""
    taken = select(STORIES.c.id).where(STORIES.c.channel_id == story.channel_id, _is_played())
    if await connection.scalar(taken):
        return False
    await connection.execute(STORIES.insert(), values_of(story))
    return True


async def find_story(database: Database, story_id: str) -> Story | None:
    """The story with this id."""
    return await database.fetch_row(select(*_STORY).where(STORIES.c.id == story_id), Story)


async def story_in_channel(database: Database, channel_id: int, *states: str) -> Story | None:
    """The channel's story in one of `states` (default: running and paused); the newest of several."""
    query = select(*_STORY).where(STORIES.c.channel_id == channel_id, _is_played(*states))
    return await database.fetch_row(query.order_by(STORIES.c.touched.desc()).limit(1), Story)


async def newest_running_stories(database: Database, limit: int) -> list[Story]:
    """The `limit` running stories with the latest activity, the latest first."""
    query = select(*_STORY).where(STORIES.c.state == RUNNING).order_by(STORIES.c.touched.desc()).limit(limit)
    return await database.fetch_rows(query, Story)


async def move_head(database: Database, story_id: str, expected: int | None, head: int | None) -> bool:
    """Set the head if it is still `expected`. False where another change came first."""
    expected_head = STORIES.c.head.is_not_distinct_from(expected)
    query = update(STORIES).where(STORIES.c.id == story_id, expected_head).values(head=head, touched=time())
    return await database.execute(query) > 0


@in_transaction
async def set_story_state(connection: AsyncConnection, story_id: str, state: str) -> bool:
    """Run, pause or end the story. False where it should run and its channel has another story by now."""
    if state == RUNNING:
        channel = select(STORIES.c.channel_id).where(STORIES.c.id == story_id).scalar_subquery()
        other = select(STORIES.c.id).where(STORIES.c.channel_id == channel, STORIES.c.id != story_id, _is_played())
        if await connection.scalar(other):
            return False
    await connection.execute(update(STORIES).where(STORIES.c.id == story_id).values(state=state, touched=time()))
    return True


async def end_stories_in_channels(database: Database, *channel_ids: int) -> int:
    """End the stories of deleted channels; returns their number."""
    running = STORIES.c.channel_id.in_(channel_ids) & (STORIES.c.state != ENDED)
    return await database.execute(update(STORIES).where(running).values(state=ENDED, touched=time()))


async def set_story_locked(database: Database, story_id: str, locked: bool) -> None:
    """Let only moderators and the person who started the story play, or everyone again."""
    await database.execute(update(STORIES).where(STORIES.c.id == story_id).values(locked=locked))


async def set_story_message(database: Database, story_id: str, message_id: int | None) -> None:
    """Store the id of the message that shows the newest turn with its buttons."""
    await database.execute(update(STORIES).where(STORIES.c.id == story_id).values(message_id=message_id))


@in_transaction
async def enqueue_turn(connection: AsyncConnection, new: NewTurn, limit: int) -> int | Refusal:
    """Append `new` to its story's queue; returns the number of turns before it, or the reason why not.

    `known`: a turn of its event is stored already. `full`: the queue has `limit` turns.
    """
    if new.event_id is not None:
        known = select(TURNS.c.id).where(TURNS.c.event_id == new.event_id)
        if await connection.scalar(known):
            return "known"
    waiting = select(func.count()).where(TURNS.c.story_id == new.story_id, TURNS.c.state == WAITING)
    ahead = int((await connection.execute(waiting)).scalar_one())
    if ahead >= limit:
        return "full"
    await _set_player(connection, new.story_id, new.player_id, new.player)
    await _insert_turn(connection, new, WAITING, parent_id=None, depth=0, named=False)
    return ahead


@in_transaction
async def begin_turn(connection: AsyncConnection, story_id: str) -> Turn | None:
    """Make the first turn of the queue a child of the head, open it, and move the head to it.

    None where the queue is empty or the story does not run.
    """
    queue = select(*_TURN).where(TURNS.c.story_id == story_id, TURNS.c.state == WAITING)
    queue = queue.where(exists().where(STORIES.c.id == story_id, STORIES.c.state == RUNNING))
    row = (await connection.execute(queue.order_by(TURNS.c.id).limit(1))).first()
    if row is None:
        return None
    head, depth = await _head(connection, story_id)
    # Removed players count, so that a story does not stop naming its players.
    count = select(func.count()).where(PLAYERS.c.story_id == story_id)
    named = (await connection.execute(count)).scalar_one() > 1
    place = {"parent_id": head, "depth": depth + 1, "state": OPEN, "named": named}
    await connection.execute(update(TURNS).where(TURNS.c.id == row.id).values(**place))
    await connection.execute(update(STORIES).where(STORIES.c.id == story_id).values(head=row.id, touched=time()))
    return Turn(**{**row._mapping, **place})


@in_transaction
async def retry_turn(connection: AsyncConnection, turn: Turn) -> Turn | None:
    """Add an open sibling of `turn` with the same words and move the head to it. None where `turn` is not the head.

    The sibling is shown in the message of `turn`, so it has its id from the beginning.
    """
    head, _ = await _head(connection, turn.story_id)
    if head != turn.id:
        return None
    # Read again: the player may have been erased since `turn` was read.
    stored = (await connection.execute(select(*_TURN).where(TURNS.c.id == turn.id))).one()
    again = NewTurn(turn.story_id, turn.kind, None, stored.player_id, stored.player, stored.words, stored.dice)
    place = {name: getattr(stored, name) for name in ("parent_id", "depth", "named", "message_id")}
    made = await _insert_turn(connection, again, OPEN, **place)
    await connection.execute(update(STORIES).where(STORIES.c.id == turn.story_id).values(head=made, touched=time()))
    row = (await connection.execute(select(*_TURN).where(TURNS.c.id == made))).one()
    return Turn(*row)


@in_transaction
async def withdraw_turn(connection: AsyncConnection, turn: Turn, head: int | None, state: str) -> None:
    """Take an open turn out of the tree again, into `state` (waiting or dropped), and move the head to `head`."""
    place = {"parent_id": None, "depth": 0, "state": state, "named": False}
    mine = (TURNS.c.id == turn.id) & (TURNS.c.state == OPEN)
    await connection.execute(update(TURNS).where(mine).values(**place))
    is_head = (STORIES.c.id == turn.story_id) & (STORIES.c.head == turn.id)
    await connection.execute(update(STORIES).where(is_head).values(head=head))


async def complete_turn(
    database: Database, turn_id: int, reply: str, *, model: str, finish: str, prompt_id: str
) -> None:
    """Store the answer to a turn; durable on return."""
    done = {"state": DONE, "reply": reply, "model": model, "finish": finish, "prompt_id": prompt_id}
    await database.execute(update(TURNS).where(TURNS.c.id == turn_id).values(**done))


@in_transaction
async def set_turn_message(connection: AsyncConnection, turn_id: int, message_id: int) -> None:
    """Store the id of the message that shows a turn, and as the story's message where the turn is its head."""
    await connection.execute(update(TURNS).where(TURNS.c.id == turn_id).values(message_id=message_id))
    story = select(TURNS.c.story_id).where(TURNS.c.id == turn_id).scalar_subquery()
    await connection.execute(
        update(STORIES).where(STORIES.c.id == story, STORIES.c.head == turn_id).values(message_id=message_id)
    )


async def drop_waiting_turns(database: Database, story_id: str) -> int:
    """Remove all turns from the queue and keep their words; returns their number."""
    waiting = (TURNS.c.story_id == story_id) & (TURNS.c.state == WAITING)
    return await database.execute(update(TURNS).where(waiting).values(state=DROPPED))


async def find_turn(database: Database, turn_id: int | None) -> Turn | None:
    """The turn with this id; None for the opening, which has no id, and for a turn that does not exist."""
    if turn_id is None:
        return None
    return await database.fetch_row(select(*_TURN).where(TURNS.c.id == turn_id), Turn)


async def turn_of_message(database: Database, message_id: int) -> Turn | None:
    """The turn that a message shows."""
    return await database.fetch_row(select(*_TURN).where(TURNS.c.message_id == message_id), Turn)


async def waiting_turns(database: Database, story_id: str) -> list[Turn]:
    """The queue of a story, first come first."""
    query = select(*_TURN).where(TURNS.c.story_id == story_id, TURNS.c.state == WAITING)
    return await database.fetch_rows(query.order_by(TURNS.c.id), Turn)


async def sibling_turns(database: Database, turn: Turn) -> list[int]:
    """The ids of all turns with the parent of `turn`, its own among them, oldest first."""
    query = select(TURNS.c.id).where(
        TURNS.c.story_id == turn.story_id, TURNS.c.depth > 0, TURNS.c.parent_id.is_not_distinct_from(turn.parent_id)
    )
    return await database.fetch_values(query.order_by(TURNS.c.id))


async def turn_path(
    database: Database, head: int | None, *, limit: int | None = None, whole: bool = False
) -> list[Turn]:
    """The turns from the start of the path to `head`, oldest first; at most the newest `limit`.

    The path starts at the newest turn that has a summary, that turn included, else at the opening. With `whole` it
    always starts at the opening.
    """
    if head is None:
        return []
    walk = select(TURNS.c.id, TURNS.c.parent_id, TURNS.c.depth).where(TURNS.c.id == head).cte("walk", recursive=True)
    step = select(TURNS.c.id, TURNS.c.parent_id, TURNS.c.depth).join(walk, TURNS.c.id == walk.c.parent_id)
    if not whole:
        step = step.where(~exists().where(SUMMARIES.c.turn_id == walk.c.id))
    if limit is not None:
        lowest = select(TURNS.c.depth - limit + 1).where(TURNS.c.id == head).scalar_subquery()
        step = step.where(TURNS.c.depth >= lowest)
    walk = walk.union_all(step)
    return await database.fetch_rows(select(*_TURN).join(walk, TURNS.c.id == walk.c.id).order_by(TURNS.c.depth), Turn)


async def turn_tree(database: Database, story_id: str) -> list[Turn]:
    """All turns of the story's tree, parents before children."""
    query = select(*_TURN).where(TURNS.c.story_id == story_id, TURNS.c.depth > 0)
    return await database.fetch_rows(query.order_by(TURNS.c.id), Turn)


async def players_of(database: Database, story_id: str) -> list[Player]:
    """Everyone who has played in a story."""
    query = select(PLAYERS.c.user_id, PLAYERS.c.name, PLAYERS.c.removed).where(PLAYERS.c.story_id == story_id)
    return await database.fetch_rows(query.order_by(PLAYERS.c.user_id), Player)


async def set_player_removed(database: Database, story_id: str, user_id: int, removed: bool) -> None:
    """Forbid a player to play in a story, or allow it again."""
    mine = (PLAYERS.c.story_id == story_id) & (PLAYERS.c.user_id == user_id)
    await database.execute(update(PLAYERS).where(mine).values(removed=removed))


@in_transaction
async def add_note(connection: AsyncConnection, story_id: str, player_id: int, text: str, limit: int) -> bool:
    """Pin a note. False where the story has `limit` notes."""
    there = select(func.count()).where(NOTES.c.story_id == story_id)
    if (await connection.execute(there)).scalar_one() >= limit:
        return False
    await connection.execute(NOTES.insert().values(story_id=story_id, player_id=player_id, text=text, at=time()))
    return True


async def remove_note(database: Database, story_id: str, note_id: int) -> bool:
    """Remove a note. False where there is none with this id."""
    return await database.execute(delete(NOTES).where(NOTES.c.story_id == story_id, NOTES.c.id == note_id)) > 0


async def notes_of(database: Database, story_id: str) -> list[Note]:
    """A story's notes, oldest first."""
    query = select(NOTES.c.id, NOTES.c.player_id, NOTES.c.text).where(NOTES.c.story_id == story_id)
    return await database.fetch_rows(query.order_by(NOTES.c.id), Note)


@in_transaction
async def put_branch(connection: AsyncConnection, story_id: str, branch: Branch, limit: int) -> bool:
    """Store a branch, in place of one with the same name. False where the story has `limit` others."""
    await connection.execute(delete(BRANCHES).where(BRANCHES.c.story_id == story_id, BRANCHES.c.name == branch.name))
    others = select(func.count()).where(BRANCHES.c.story_id == story_id)
    if (await connection.execute(others)).scalar_one() >= limit:
        return False
    await connection.execute(BRANCHES.insert().values(story_id=story_id, **values_of(branch)))
    return True


async def branches_of(database: Database, story_id: str) -> list[Branch]:
    """A story's branches, by name."""
    query = select(*_BRANCH).where(BRANCHES.c.story_id == story_id)
    return await database.fetch_rows(query.order_by(BRANCHES.c.name), Branch)


@in_transaction
async def add_summary(connection: AsyncConnection, text: str, turns: Sequence[Turn], before: str = "") -> bool:
    """Store the summary of the path to the last of `turns`, in place of an earlier one of that turn.

    `text` was made from these turns and from the summary `before` them. False, and nothing is stored, where one of
    them has changed since: a player whom the text quotes was erased meanwhile.
    """
    last = turns[-1]
    made_of = select(TURNS.c.id, TURNS.c.words, TURNS.c.reply).where(TURNS.c.id.in_([turn.id for turn in turns]))
    there = {turn: (words, reply) for turn, words, reply in await connection.execute(made_of)}
    if there != {turn.id: (turn.words, turn.reply) for turn in turns}:
        return False
    if before:
        same = exists().where(SUMMARIES.c.story_id == last.story_id, SUMMARIES.c.text == before)
        if not await connection.scalar(select(same)):
            return False
    await connection.execute(delete(SUMMARIES).where(SUMMARIES.c.turn_id == last.id))
    row = {"turn_id": last.id, "story_id": last.story_id, "text": text, "at": time()}
    await connection.execute(SUMMARIES.insert().values(**row))
    return True


async def summary_at(database: Database, turn_id: int) -> str | None:
    """The summary of the path to a turn, where that turn has one."""
    query = select(SUMMARIES.c.text).where(SUMMARIES.c.turn_id == turn_id)
    found: str | None = await database.fetch_value(query)
    return found


def _is_played(*states: str) -> ColumnElement[bool]:
    """Whether a story is in one of `states`, by default running or paused."""
    return STORIES.c.state.in_(states or (RUNNING, PAUSED))


async def _head(connection: AsyncConnection, story_id: str) -> tuple[int | None, int]:
    """The head of a story and its depth; None and 0 at the opening."""
    query = (
        select(STORIES.c.head, func.coalesce(TURNS.c.depth, 0))
        .select_from(STORIES.outerjoin(TURNS, TURNS.c.id == STORIES.c.head))
        .where(STORIES.c.id == story_id)
    )
    row: Sequence[Any] = (await connection.execute(query)).one()
    return row[0], row[1]


async def _set_player(connection: AsyncConnection, story_id: str, user_id: int, name: str) -> None:
    """Insert a player, or update the name."""
    mine = (PLAYERS.c.story_id == story_id, PLAYERS.c.user_id == user_id)
    known = await connection.execute(update(PLAYERS).where(*mine).values(name=name))
    if not known.rowcount:
        await connection.execute(PLAYERS.insert().values(story_id=story_id, user_id=user_id, name=name, removed=False))


async def _insert_turn(connection: AsyncConnection, new: NewTurn, state: str, **place: Any) -> int:
    row = values_of(new)
    row |= {"reply": None, "model": "", "finish": "", "prompt_id": "", "message_id": None, "at": time()} | place
    result = await connection.execute(TURNS.insert().values(**row, state=state))
    key = result.inserted_primary_key
    assert key is not None, "an insert of one row gives its key"
    return int(key[0])
