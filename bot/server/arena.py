"""Blind comparisons: answers without names, a vote of the channel, and then the names, models, prices and prompts."""

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from time import time

from bot.core.caller import Caller
from bot.core.errors import NotAllowedError, NotFoundError
from bot.core.i18n import N_
from bot.server.prompts import new_id
from bot.storage import arenas
from bot.storage.arenas import ArenaRow
from bot.storage.database import Database

# Seconds that a vote is open: Discord limits edits of messages that are older than an hour (2026-11-22).
OPEN_SECONDS = 45 * 60.0
# Votes that close it before.
MAX_VOTES = 500
VOTE_ENDED = N_("This vote is over.")


@dataclass(frozen=True, slots=True)
class Contestant:
    """An answer of a blind comparison: what is shown at once, and what is revealed later."""

    text: str
    name: str
    figures: str
    prompt_id: str


@dataclass(frozen=True, slots=True)
class Arena:
    """A blind comparison. `votes` are those for each contestant, once it is closed."""

    row: ArenaRow
    title: str
    contestants: tuple[Contestant, ...]
    votes: tuple[int, ...] | None = None


class Arenas:
    """The blind comparisons of all servers. One for the process."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, caller: Caller, title: str, contestants: Sequence[Contestant]) -> Arena:
        """Store a comparison, its answers in random order. `caller` acts in a server."""
        assert caller.guild_id is not None, "votes are in servers"
        assert caller.channel_id is not None, "commands are in channels"
        mixed = random.sample(contestants, len(contestants))
        body = json.dumps({"title": title, "contestants": [asdict(each) for each in mixed]}, ensure_ascii=False)
        row = ArenaRow(new_id(), caller.guild_id, caller.channel_id, caller.user_id, time() + OPEN_SECONDS, body)
        await arenas.add(self._database, row)
        return _arena(row)

    async def set_message(self, arena: Arena, message_id: int) -> None:
        """Store the message of the card."""
        await arenas.set_message(self._database, arena.row.id, message_id)

    async def vote(self, arena_id: str, caller: Caller, choice: int) -> bool:
        """Count a person's vote, instead of an earlier one; returns whether it was the last. Raises `NotFoundError`."""
        row = await self._in_channel(arena_id, caller)
        if choice >= len(_arena(row).contestants):
            raise NotFoundError(VOTE_ENDED)
        count = await arenas.vote(self._database, arena_id, caller.user_id, choice)
        if count is None:
            raise NotFoundError(VOTE_ENDED)
        return count >= MAX_VOTES

    async def close(self, arena_id: str, caller: Caller | None = None) -> Arena:
        """Close a vote and count it. A `caller` must have asked, or be a moderator; else `NotAllowedError`."""
        if caller is not None:
            row = await self._in_channel(arena_id, caller)
            if caller.user_id != row.user_id and not caller.is_moderator:
                raise NotAllowedError("Only the one who asked and moderators can end the vote.")
        closed = await arenas.close(self._database, arena_id)
        if closed is None:
            raise NotFoundError(VOTE_ENDED)
        return _arena(closed)

    async def _in_channel(self, arena_id: str, caller: Caller) -> ArenaRow:
        """The comparison, if it is in the caller's channel: a custom id can be forged. Raises `NotFoundError`."""
        row = await arenas.find(self._database, arena_id)
        if row is None or (row.guild_id, row.channel_id) != (caller.guild_id, caller.channel_id):
            raise NotFoundError(VOTE_ENDED)
        return row

    async def due(self) -> list[ArenaRow]:
        """Comparisons that are to be revealed."""
        return await arenas.due(self._database)

    async def next_close(self) -> float | None:
        """When the next comparison closes, in seconds since 1970; None where there is none."""
        return await arenas.next_close(self._database)

    async def remove(self, arena_id: str) -> None:
        """Forget a comparison: its result is shown, or its message is gone."""
        await arenas.remove(self._database, arena_id)


def _arena(row: ArenaRow) -> Arena:
    body = json.loads(row.body)
    contestants = tuple(Contestant(**each) for each in body["contestants"])
    if row.counts is None:
        return Arena(row, body["title"], contestants)
    counts = json.loads(row.counts)
    return Arena(row, body["title"], contestants, tuple(counts.get(str(at), 0) for at in range(len(contestants))))
