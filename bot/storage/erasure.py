"""Where a person's words stand without their id: what quotes them, and what they gave to others.

Found by what it belongs to, inside the transaction that forgets them, before their ids go.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.players import A_PLAYER
from bot.storage.tables import (
    BRANCHES,
    PLAYERS,
    PROMPTS,
    STORIES,
    SUMMARIES,
    TRICK_EXAMPLES,
    TRICK_SUGGESTIONS,
    TRICKS,
    TURNS,
)

# The template that chooses among tricks: its prompts hold what every trick of a server is for.
CHOOSING = "select"
# A name with fewer characters is no name to look for in a story.
SHORTEST_NAME = 3


@dataclass(frozen=True, slots=True)
class Traces:
    """Where prompts, of whomever, may quote a person: in the channels of stories that they played in or started,
    and where a server's trick was used (server and trick's name) that they taught or showed an example.
    """

    user_id: int
    channels: frozenset[int]
    tricks: frozenset[tuple[int, str]]


async def traces(connection: AsyncConnection, user_id: int) -> Traces:
    """Where a person is quoted."""
    played = select(PLAYERS.c.story_id).where(PLAYERS.c.user_id == user_id)
    own = select(STORIES.c.channel_id).where(STORIES.c.id.in_(played) | (STORIES.c.starter_id == user_id))
    shown = select(TRICK_EXAMPLES.c.trick_id).where(TRICK_EXAMPLES.c.user_id == user_id)
    taught = select(TRICKS.c.guild_id, TRICKS.c.name).where(TRICKS.c.id.in_(shown) | (TRICKS.c.user_id == user_id))
    tricks = {(guild, name) for guild, name in await connection.execute(taught)}
    tricks |= {(guild, CHOOSING) for guild, _ in tricks}
    channels = frozenset((await connection.execute(own)).scalars())
    return Traces(user_id, channels, frozenset(tricks))


async def drop_quotes(connection: AsyncConnection, found: Traces, without_words: Callable[[str], str]) -> int:
    """Drop what quotes the person; how many rows. `without_words` empties the instruction in a trick's JSON."""
    played = select(PLAYERS.c.story_id).where(PLAYERS.c.user_id == found.user_id)
    gone = await connection.execute(delete(SUMMARIES).where(SUMMARIES.c.story_id.in_(played)))
    count = int(gone.rowcount)
    count += await _drop_prompts(connection, found)
    for guild, name in found.tricks:
        waiting = and_(TRICK_SUGGESTIONS.c.guild_id == guild, TRICK_SUGGESTIONS.c.template == name)
        count += int((await connection.execute(delete(TRICK_SUGGESTIONS).where(waiting))).rowcount)
    await _rename(connection, found.user_id)
    await _rename_branches(connection, found.user_id)
    await _empty_tricks(connection, found.user_id, without_words)
    return count


async def _drop_prompts(connection: AsyncConnection, found: Traces) -> int:
    quoting: list[ColumnElement[bool]] = [PROMPTS.c.channel_id.in_(found.channels)]
    quoting += [
        # The body is JSON, where a text that somebody typed has its quotation marks escaped.
        and_(PROMPTS.c.guild_id == guild, PROMPTS.c.body.contains(f'"template": "{name}"', autoescape=True))
        for guild, name in found.tricks
    ]
    return int((await connection.execute(delete(PROMPTS).where(or_(*quoting)))).rowcount)


async def _rename(connection: AsyncConnection, user_id: int) -> None:
    """Where the storyteller called the person by name, it says "a player"."""
    said = select(TURNS.c.story_id, TURNS.c.player, func.min(TURNS.c.id)).where(TURNS.c.player_id == user_id)
    for story, name, first in list(await connection.execute(said.group_by(TURNS.c.story_id, TURNS.c.player))):
        if len(name) < SHORTEST_NAME:
            continue
        word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE)
        frame = (await connection.execute(select(STORIES.c.frame).where(STORIES.c.id == story))).scalar_one()
        told = select(TURNS.c.id, TURNS.c.reply).where(TURNS.c.story_id == story, TURNS.c.reply.is_not(None))
        replies = list(await connection.execute(told))
        # A word that the story used before they came is a word of its own, "door" say, and stays.
        if word.search(frame) or any(turn < first and word.search(reply) for turn, reply in replies):
            continue
        for turn, reply in replies:
            if word.search(reply):
                new = word.sub(A_PLAYER, reply)
                await connection.execute(update(TURNS).where(TURNS.c.id == turn).values(reply=new))


async def _rename_branches(connection: AsyncConnection, user_id: int) -> None:
    """The places that the person named keep a name, so that others still find them."""
    theirs = select(BRANCHES.c.story_id, BRANCHES.c.name).where(BRANCHES.c.player_id == user_id)
    for story, name in list(await connection.execute(theirs)):
        there = select(BRANCHES.c.name).where(BRANCHES.c.story_id == story)
        taken = set((await connection.execute(there)).scalars())
        new = next(free for number in range(1, len(taken) + 2) if (free := f"branch {number}") not in taken)
        here = and_(BRANCHES.c.story_id == story, BRANCHES.c.name == name)
        await connection.execute(update(BRANCHES).where(here).values(name=new))


async def _empty_tricks(connection: AsyncConnection, user_id: int, without_words: Callable[[str], str]) -> None:
    """A trick that the person taught lives on by the examples of others, without its instruction; else it goes."""
    others = select(TRICK_EXAMPLES.c.trick_id).where(TRICK_EXAMPLES.c.user_id != user_id)
    mine = TRICKS.c.user_id == user_id
    await connection.execute(delete(TRICKS).where(mine, TRICKS.c.id.not_in(others)))
    left: Sequence[tuple[str, str]] = [
        (trick, body) for trick, body in await connection.execute(select(TRICKS.c.id, TRICKS.c.body).where(mine))
    ]
    for trick, body in left:
        await connection.execute(update(TRICKS).where(TRICKS.c.id == trick).values(body=without_words(body)))
