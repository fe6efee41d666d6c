"""What the tables hold of people and servers: export, erasure, and deletion by age.

Every table is listed once: in `PERSONAL`, with the columns that hold a person's id and the values that replace a row's
personal data, or in `NOT_PERSONAL`, with the reason why it has none. A test fails for a table that is in neither.

Texts without an author's id can quote a person: summaries, replies of stories, instructions of tricks, and the prompts
of other people. `Traces` says where; `erase_person` deletes or rewrites them in the same transaction.
"""

import json
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from types import MappingProxyType
from typing import Any

from sqlalchemy import Table, and_, case, delete, func, select, union, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.json_text import read_json
from bot.storage.corrections import CONFIRMED
from bot.storage.database import Database, in_transaction
from bot.storage.key_value import WATCHED
from bot.storage.notices import announce
from bot.storage.stories import DROPPED, ENDED, WAITING
from bot.storage.tables import (
    BRANCHES,
    CALLS,
    CORRECTIONS,
    KEY_VALUES,
    METADATA,
    NOTES,
    PLAYERS,
    PROMOTIONS,
    PROMPT_AUTHORS,
    PROMPTS,
    STORIES,
    SUMMARIES,
    TRICK_EXAMPLES,
    TRICK_RUNS,
    TRICK_SUGGESTIONS,
    TRICK_TESTS,
    TRICK_VERSIONS,
    TRICKS,
    TURNS,
    USAGE_SUMS,
)

# What replaces the id, the name and the words of an erased person.
ERASED_ID, ERASED_NAME, ERASED_TEXT = 0, "a player", "…"
# Templates whose prompts hold other people's words: the turns of a story, and the purposes of all tricks of a server.
STORY_TEMPLATE, ROUTING_TEMPLATE = "adventure", "select"
# Shorter names, and shorter single words, are too common to be looked for in other texts.
MIN_NAME_LENGTH, MIN_WORD_LENGTH = 3, 8
# The subject of the notice about an erasure, and the characters of a text in it.
ERASED, MAX_ANNOUNCED = "erased", 1_000


@dataclass(frozen=True, slots=True)
class PersonColumn:
    """A column with a person's id. `replaced_by` are the values that replace theirs; None deletes the row.

    `shown` are the columns in their export; empty for all. Some rows are not theirs to see as a whole.
    """

    by: str
    replaced_by: Mapping[str, Any] | None = None
    shown: Sequence[str] = ()


_TURN = {
    "player_id": ERASED_ID,
    "player": ERASED_NAME,
    "words": ERASED_TEXT,
    "dice": "",
    "event_id": None,
    # A turn in the queue has no words any more, so it is dropped.
    "state": case((TURNS.c.state == WAITING, DROPPED), else_=TURNS.c.state),
}
_PROMOTION = {"user_id": ERASED_ID, "reason": case((PROMOTIONS.c.reason == "", ""), else_=ERASED_TEXT)}
_VERSION = {
    "user_id": ERASED_ID,
    # The note of a version that was brought back is a number.
    "note": case((TRICK_VERSIONS.c.kind == "reverted", TRICK_VERSIONS.c.note), else_=""),
}
_STORY = ("id", "guild_id", "channel_id", "scenario", "title", "state", "at", "touched")
# Of an example that is from a message of theirs: not the answer that somebody else typed.
_EXAMPLE = ("id", "at", "given")
_QUOTED = ("id", "at", "guild_id", "channel_id", "source_id")

PERSONAL: Mapping[str, Sequence[PersonColumn]] = MappingProxyType(
    {
        "calls": (PersonColumn("user_id", {"user_id": ERASED_ID}),),
        "usage_sums": (PersonColumn("user_id"),),
        "prompts": (PersonColumn("user_id"), PersonColumn("author_id", shown=_QUOTED)),
        # The prompts that they belong to are deleted, too: `_drop_quotes`.
        "prompt_authors": (PersonColumn("user_id"),),
        "stories": (PersonColumn("starter_id", {"starter_id": ERASED_ID}, _STORY),),
        "turns": (PersonColumn("player_id", _TURN),),
        "players": (PersonColumn("user_id"),),
        "notes": (PersonColumn("player_id"),),
        # The branch stays under another name: `_rename_branches`.
        "branches": (PersonColumn("player_id", {"player_id": None}),),
        # The instruction goes, or the whole trick: `_empty_tricks`.
        "tricks": (PersonColumn("user_id", {"user_id": ERASED_ID}),),
        "trick_versions": (
            PersonColumn("user_id", _VERSION, ("trick_id", "number", "at", "kind", "note")),
            PersonColumn("author_id", {"author_id": ERASED_ID}, ("trick_id", "number", "at", "body")),
        ),
        "trick_examples": (PersonColumn("user_id"), PersonColumn("given_by", shown=_EXAMPLE)),
        "trick_suggestions": (PersonColumn("user_id"),),
        "trick_tests": (PersonColumn("user_id"),),
        # Runs that quote the person are deleted: `_drop_runs`.
        "trick_runs": (PersonColumn("user_id", {"user_id": ERASED_ID}, ("id", "trick_id", "at", "kind", "version")),),
        "tuning_jobs": (PersonColumn("user_id", {"user_id": ERASED_ID, "pinned": None}),),
        "builds": (PersonColumn("user_id", {"user_id": ERASED_ID}),),
        "promotions": (PersonColumn("user_id", _PROMOTION),),
        "corrections": (PersonColumn("user_id"),),
        "arenas": (PersonColumn("user_id"),),
        "arena_votes": (PersonColumn("user_id"),),
    }
)
NOT_PERSONAL: Mapping[str, str] = MappingProxyType(
    {
        "slots": "the processes of the bot",
        "key_values": "values of the process for the next one: hashes of commands, servers that were left, models",
        "unfinished_answers": "tokens of interactions, without people's ids, until they are answered",
        "leases": "which process does a piece of work",
        "guild_settings": "settings of a server; the people it blocks stay blocked when they delete their data",
        "trick_cells": "answers of models in test runs; deleted with a run that quotes somebody",
        "summaries": "written by the model; deleted with the story's players",
        "datasets": "made from the operator's folders, never from what people write",
        "chunks": "parts of the operator's texts",
        "pairs": "questions about the operator's texts",
        "tuning_events": "a provider's events of a job",
        "tuned_models": "models made from the operator's texts",
        "score_answers": "models' answers to questions about the operator's texts",
    }
)
# Tables with a server's id, and the values that replace a row's once the bot has left it for good; None deletes the
# row. The ledger's sums must stay right, and a job belongs to the operator.
PER_SERVER: Mapping[str, Mapping[str, Any] | None] = MappingProxyType(
    {
        "calls": {"guild_id": None},
        "usage_sums": None,
        "prompts": None,
        "stories": None,
        "guild_settings": None,
        "tricks": None,
        "trick_suggestions": None,
        "corrections": None,
        "arenas": None,
        "tuning_jobs": {"guild_id": None, "channel_id": None, "message_id": None},
    }
)


@dataclass(frozen=True, slots=True)
class StoryTrace:
    """A story in `channel_id` that holds a person's words, from `since` to `until` (seconds since 1970).

    `texts` are what they typed in it, and their name.
    """

    channel_id: int
    since: float
    until: float
    texts: frozenset[str]


@dataclass(frozen=True, slots=True)
class Traces:
    """Where other people's prompts may quote a person.

    `tricks` are the tricks, by server and name, that they taught or gave an example.
    """

    user_id: int
    stories: tuple[StoryTrace, ...]
    tricks: frozenset[tuple[int, str]]

    def to_notices(self) -> Iterator[str]:
        """These traces in texts that are short enough to be announced to other processes."""
        yield json.dumps([self.user_id, [], []])
        for trick in self.tricks:
            yield json.dumps([self.user_id, [], [trick]])
        for story in self.stories:
            for text in story.texts or {""}:
                # A prompt that contains a text contains its beginning.
                part = [story.channel_id, story.since, story.until, [text[:MAX_ANNOUNCED]] if text else []]
                yield json.dumps([self.user_id, [part], []], ensure_ascii=False)

    @classmethod
    def from_notice(cls, notice: str) -> "Traces":
        """The traces in one of these texts."""
        user_id, stories, tricks = json.loads(notice)
        traces = [StoryTrace(channel, since, until, frozenset(texts)) for channel, since, until, texts in stories]
        return cls(user_id, tuple(traces), frozenset((guild, name) for guild, name in tricks))

    def quoted_in_story(self, channel_id: int | None, template: str, at: float, texts: Iterable[str]) -> bool:
        """Whether a prompt made at `at` quotes what the person typed in a story of its channel.

        A story's own prompts hold all turns, as they are or in a summary. Another prompt with `texts` quotes the
        person where it contains what they typed.
        """
        here = [story for story in self.stories if story.channel_id == channel_id]
        if template == STORY_TEMPLATE:
            return any(story.since <= at <= story.until for story in here)
        wanted = {text for story in here for text in story.texts}
        return bool(wanted) and any(_word(text).search(other) for other in texts for text in wanted)


async def export_rows(database: Database, user_id: int) -> dict[str, list[dict[str, Any]]]:
    """All rows with a person's id, by table; tables without any are left out."""
    found: dict[str, list[dict[str, Any]]] = {}
    async with database.read() as connection:
        for name, columns in PERSONAL.items():
            table = METADATA.tables[name]
            for column in columns:
                shown = [table.c[other] for other in column.shown or table.c.keys()]
                rows = await connection.execute(select(*shown).where(table.c[column.by] == user_id))
                found.setdefault(name, []).extend(dict(row) for row in rows.mappings())
    return {name: rows for name, rows in found.items() if rows}


async def find_traces(database: Database, user_id: int) -> Traces:
    """Where other people's prompts may quote a person."""
    async with database.read() as connection:
        return await _traces(connection, user_id)


@in_transaction
async def erase_person(
    connection: AsyncConnection, user_id: int, without_words: Callable[[str], str]
) -> tuple[int, Traces]:
    """Erase a person; returns the number of changed rows, and where the person was quoted.

    `without_words` replaces the instruction in a trick's JSON.
    """
    # First what quotes them, which is found by their id.
    found = await _traces(connection, user_id)
    count = await _drop_quotes(connection, found)
    await _rename_player(connection, user_id)
    await _rename_branches(connection, user_id)
    count += await _drop_runs(connection, user_id)
    await _empty_tricks(connection, user_id, without_words)
    for name, columns in PERSONAL.items():
        table = METADATA.tables[name]
        for column in columns:
            count += await _replace(connection, table, table.c[column.by] == user_id, column.replaced_by)
    for notice in found.to_notices():
        await announce(connection, ERASED, notice)
    return count, found


@in_transaction
async def erase_server(connection: AsyncConnection, guild_id: int) -> int:
    """Erase a server; returns the number of changed rows."""
    tables = [(METADATA.tables[name], values) for name, values in PER_SERVER.items()]
    await _replace(connection, KEY_VALUES, KEY_VALUES.c.name == f"{WATCHED}{guild_id}", None)
    return sum([await _replace(connection, table, table.c.guild_id == guild_id, new) for table, new in tables])


async def known_servers(database: Database) -> set[int]:
    """The ids of all servers of which anything is stored."""
    query = union(*(select(METADATA.tables[name].c.guild_id) for name in PER_SERVER))
    async with database.read() as connection:
        return {guild for guild in (await connection.execute(query)).scalars() if guild}  # 0 and NULL are none.


async def newest_time(database: Database) -> float | None:
    """The newest time of a call, prompt, turn or suggestion, in seconds since 1970; None where there is none."""
    async with database.read() as connection:
        tables = (CALLS, PROMPTS, TURNS, TRICK_SUGGESTIONS)
        times = [(await connection.execute(select(func.max(table.c.at)))).scalar_one() for table in tables]
    return max((time for time in times if time is not None), default=None)


@in_transaction
async def delete_expired(connection: AsyncConnection, *, day: str, at: float) -> dict[str, int]:
    """Delete calls before the ISO date `day`; counts by table.

    Also delete ended stories, suggestions, test runs, and corrections that were not confirmed, if they are older than
    `at`.
    """
    old = {
        CALLS: CALLS.c.settled & (CALLS.c.day < day),
        USAGE_SUMS: USAGE_SUMS.c.period < day,
        STORIES: (STORIES.c.state == ENDED) & (STORIES.c.touched < at),
        TRICK_SUGGESTIONS: TRICK_SUGGESTIONS.c.at < at,
        TRICK_RUNS: (TRICK_RUNS.c.state != "running") & (TRICK_RUNS.c.at < at),
        CORRECTIONS: (CORRECTIONS.c.state != CONFIRMED) & (CORRECTIONS.c.at < at),
    }
    return {table.name: await _replace(connection, table, where, None) for table, where in old.items()}


async def _traces(connection: AsyncConnection, user_id: int) -> Traces:
    typed: dict[str, set[str]] = {}
    since: dict[str, float] = {}
    for table, column in ((TURNS, "words"), (TURNS, "player"), (NOTES, "text")):
        query = select(table.c.story_id, table.c.at, table.c[column]).where(table.c.player_id == user_id)
        for story, at, text in await connection.execute(query):
            distinctive = len(text) >= MIN_NAME_LENGTH if column == "player" else _is_distinctive(text)
            typed.setdefault(story, set()).update([text] if distinctive else [])
            since[story] = min(since.get(story, inf), at)
    branches = select(BRANCHES.c.story_id, BRANCHES.c.name).where(BRANCHES.c.player_id == user_id)
    for story, name in await connection.execute(branches):
        typed.setdefault(story, set()).update([name] if _is_distinctive(name) else [])
    where = select(STORIES.c.id, STORIES.c.channel_id, STORIES.c.state, STORIES.c.touched)
    stories = [
        StoryTrace(channel, since.get(story, 0.0), touched if state == ENDED else inf, frozenset(typed[story]))
        for story, channel, state, touched in await connection.execute(where.where(STORIES.c.id.in_(typed)))
    ]
    theirs = (TRICK_EXAMPLES.c.user_id == user_id) | (TRICK_EXAMPLES.c.given_by == user_id)
    shown = select(TRICK_EXAMPLES.c.trick_id).where(theirs)
    wrote = select(TRICK_VERSIONS.c.trick_id).where(TRICK_VERSIONS.c.author_id == user_id)
    theirs = TRICKS.c.id.in_(shown) | TRICKS.c.id.in_(wrote) | (TRICKS.c.user_id == user_id)
    taught = select(TRICKS.c.guild_id, TRICKS.c.name).where(theirs)
    tricks = {(guild, name) for guild, name in await connection.execute(taught)}
    tricks |= {(guild, ROUTING_TEMPLATE) for guild, _ in tricks}
    return Traces(user_id, tuple(stories), frozenset(tricks))


async def _drop_quotes(connection: AsyncConnection, found: Traces) -> int:
    """Delete summaries, prompts and suggestions that quote the person; returns their number."""
    played = select(PLAYERS.c.story_id).where(PLAYERS.c.user_id == found.user_id)
    count = await _replace(connection, SUMMARIES, SUMMARIES.c.story_id.in_(played), None)
    continuing = select(PROMPT_AUTHORS.c.prompt_id).where(PROMPT_AUTHORS.c.user_id == found.user_id)
    count += await _replace(connection, PROMPTS, PROMPTS.c.id.in_(continuing), None)
    quoting = [prompt async for prompt in _prompts_of_stories(connection, found)]
    count += await _replace(connection, PROMPTS, PROMPTS.c.id.in_(quoting), None)
    for guild, name in found.tricks:
        # The body is JSON, in which quotation marks of typed texts are escaped.
        uses = and_(PROMPTS.c.guild_id == guild, PROMPTS.c.body.contains(f'"template": "{name}"', autoescape=True))
        count += await _replace(connection, PROMPTS, uses, None)
        waiting = and_(TRICK_SUGGESTIONS.c.guild_id == guild, TRICK_SUGGESTIONS.c.template == name)
        count += await _replace(connection, TRICK_SUGGESTIONS, waiting, None)
    return count


async def _drop_runs(connection: AsyncConnection, user_id: int) -> int:
    """Delete the test runs whose tests, examples or instructions are the person's; returns their number."""
    theirs = union(
        select(TRICKS.c.id).where(TRICKS.c.user_id == user_id),
        select(TRICK_VERSIONS.c.trick_id).where(TRICK_VERSIONS.c.author_id == user_id),
        select(TRICK_TESTS.c.trick_id).where(TRICK_TESTS.c.user_id == user_id),
        *(select(TRICK_EXAMPLES.c.trick_id).where(TRICK_EXAMPLES.c[by] == user_id) for by in ("user_id", "given_by")),
    )
    # A test that was removed is still in the runs that asked it, where the author's id is the last key of each test.
    quoted = TRICK_RUNS.c.tests.contains(f'"user_id": {user_id}}}', autoescape=True)
    return await _replace(connection, TRICK_RUNS, TRICK_RUNS.c.trick_id.in_(theirs) | quoted, None)


async def _prompts_of_stories(connection: AsyncConnection, found: Traces) -> AsyncIterator[str]:
    """The ids of prompts that quote what the person typed in stories."""
    channels = {story.channel_id for story in found.stories}
    query = select(PROMPTS.c.id, PROMPTS.c.channel_id, PROMPTS.c.at, PROMPTS.c.body)
    rows = await connection.execute(query.where(PROMPTS.c.channel_id.in_(channels)))
    for prompt, channel, at, body in rows:
        data = read_json(body)
        if found.quoted_in_story(channel, str(data.get("template", "")), at, _texts(data)):
            yield prompt


async def _rename_player(connection: AsyncConnection, user_id: int) -> None:
    """Replace the person's name in the replies of stories in which they played."""
    names = select(TURNS.c.story_id, TURNS.c.player, func.min(TURNS.c.id)).where(TURNS.c.player_id == user_id)
    for story, name, first in list(await connection.execute(names.group_by(TURNS.c.story_id, TURNS.c.player))):
        if len(name) < MIN_NAME_LENGTH:
            continue
        word = _word(name)
        frame = (await connection.execute(select(STORIES.c.frame).where(STORIES.c.id == story))).scalar_one()
        query = select(TURNS.c.id, TURNS.c.reply).where(TURNS.c.story_id == story, TURNS.c.reply.is_not(None))
        replies = list(await connection.execute(query))
        # A word that the story used before the person's first turn, "door" for example, is not their name.
        if word.search(frame) or any(turn < first and word.search(reply) for turn, reply in replies):
            continue
        for turn, reply in replies:
            if word.search(reply):
                new = word.sub(ERASED_NAME, reply)
                await connection.execute(update(TURNS).where(TURNS.c.id == turn).values(reply=new))


async def _rename_branches(connection: AsyncConnection, user_id: int) -> None:
    """Give the person's branches neutral names, so that others still find them."""
    theirs = select(BRANCHES.c.story_id, BRANCHES.c.name).where(BRANCHES.c.player_id == user_id)
    for story, name in list(await connection.execute(theirs)):
        there = select(BRANCHES.c.name).where(BRANCHES.c.story_id == story)
        taken = set((await connection.execute(there)).scalars())
        new = next(free for number in range(1, len(taken) + 2) if (free := f"branch {number}") not in taken)
        here = and_(BRANCHES.c.story_id == story, BRANCHES.c.name == name)
        await connection.execute(update(BRANCHES).where(here).values(name=new))


async def _empty_tricks(connection: AsyncConnection, user_id: int, without_words: Callable[[str], str]) -> None:
    """Delete the person's tricks; one that others wrote a part of stays, without the person's instructions."""
    examples = select(TRICK_EXAMPLES.c.trick_id).where(TRICK_EXAMPLES.c.user_id != user_id)
    versions = select(TRICK_VERSIONS.c.trick_id).where(TRICK_VERSIONS.c.author_id != user_id)
    mine = TRICKS.c.user_id == user_id
    others = TRICKS.c.id.in_(examples) | TRICKS.c.id.in_(versions)
    await connection.execute(delete(TRICKS).where(mine, ~others))
    for table, where in ((TRICKS, mine), (TRICK_VERSIONS, TRICK_VERSIONS.c.author_id == user_id)):
        keys = list(table.primary_key)
        for *key, body in list(await connection.execute(select(*keys, table.c.body).where(where))):
            this = and_(*(column == value for column, value in zip(keys, key, strict=True)))
            await connection.execute(update(table).where(this).values(body=without_words(body)))


async def _replace(connection: AsyncConnection, table: Table, where: Any, values: Mapping[str, Any] | None) -> int:
    """Delete the rows, or give them `values`; returns their number."""
    change = delete(table).where(where) if values is None else update(table).where(where).values(**values)
    return int((await connection.execute(change)).rowcount)


def _word(text: str) -> re.Pattern[str]:
    """Finds `text` as whole words, in any case."""
    return re.compile(rf"(?<!\w){re.escape(text)}(?!\w)", re.IGNORECASE)


def _is_distinctive(text: str) -> bool:
    """Whether `text` elsewhere means that it was quoted: it has several words, or is a long one."""
    return len(text) >= MIN_WORD_LENGTH or " " in text.strip()


def _texts(data: Any) -> Iterator[str]:
    """Every text in JSON data, at any depth."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, Mapping):
        for value in data.values():
            yield from _texts(value)
    elif isinstance(data, list):
        for value in data:
            yield from _texts(value)
