"""What the tables hold of people and of servers, and what becomes of it when they go.

Every table is named here once: in `PEOPLE` where it has a person's id, with what stands in their place
afterwards, or in `NOBODY_THERE` with the reason why it has none. A test fails for a table that is in neither.
Words without a writer's id that quote one (summaries, other people's prompts) are dropped by what they belong to:
`bot.storage.erasure`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy import Table, case, delete, select, union, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import Database
from bot.storage.erasure import Traces, drop_quotes, traces
from bot.storage.metadata import METADATA
from bot.storage.players import A_PLAYER, GONE, NOBODY
from bot.storage.stories import ENDED
from bot.storage.tables import CALLS, STORIES, TRICK_SUGGESTIONS, TURNS
from bot.storage.tuning_tables import PROMOTIONS
from bot.storage.turns import DROPPED, WAITING


@dataclass(frozen=True, slots=True)
class Place:
    """A column with a person's id. `becomes` are the values that take the place of theirs; None: the row goes.

    `shown` are the columns for their export, where not all of the row is theirs to see; empty for all.
    """

    by: str
    becomes: Mapping[str, Any] | None = None
    shown: Sequence[str] = ()


_TURN = {
    "player_id": NOBODY,
    "player": A_PLAYER,
    "words": GONE,
    "dice": "",
    "event_id": None,
    # What still waits for its place in the line has nothing to say any more.
    "state": case((TURNS.c.state == WAITING, DROPPED), else_=TURNS.c.state),
}
_PROMOTION = {"user_id": NOBODY, "reason": case((PROMOTIONS.c.reason == "", ""), else_=GONE)}
_STORY = ("id", "guild_id", "channel_id", "scenario", "title", "state", "at", "touched")
_QUOTED = ("id", "at", "guild_id", "channel_id", "source_id")

PEOPLE: Mapping[str, Sequence[Place]] = MappingProxyType(
    {
        "calls": (Place("user_id", {"user_id": NOBODY}),),
        "prompts": (Place("user_id"), Place("author_id", shown=_QUOTED)),
        "stories": (Place("starter_id", {"starter_id": NOBODY}, _STORY),),
        "turns": (Place("player_id", _TURN),),
        "players": (Place("user_id"),),
        "notes": (Place("player_id"),),
        # Their names go too; the places stay, under others: `bot.storage.erasure`.
        "branches": (Place("player_id", {"player_id": None}),),
        # The instruction goes too, or the trick with it: `bot.storage.erasure`.
        "tricks": (Place("user_id", {"user_id": NOBODY}),),
        "trick_examples": (Place("user_id"),),
        "trick_suggestions": (Place("user_id"),),
        "tuning_jobs": (Place("user_id", {"user_id": NOBODY}),),
        "promotions": (Place("user_id", _PROMOTION),),
    }
)
NOBODY_THERE: Mapping[str, str] = MappingProxyType(
    {
        "marks": "notes of the process for the next one: hashes of commands, servers that were left",
        "guilds": "what the admins of a server set, without saying which of them",
        "summaries": "written by the model; dropped with the story's players by `bot.storage.erasure`",
        "datasets": "made from the operator's folders, never from what people write",
        "chunks": "pieces of the operator's texts",
        "pairs": "questions about the operator's texts",
        "tuning_events": "what a provider told of a job",
        "tuned_models": "models made from the operator's texts",
        "score_answers": "what models answered to questions about the operator's texts",
    }
)
# Where a server's id stands, and what takes its place once the bot has left it for good; None: the row goes. The
# sums of the ledger must stay right, and a job is the operator's.
SERVERS: Mapping[str, Mapping[str, Any] | None] = MappingProxyType(
    {
        "calls": {"guild_id": None},
        "prompts": None,
        "stories": None,
        "guilds": None,
        "tricks": None,
        "trick_suggestions": None,
        "tuning_jobs": {"guild_id": None, "channel_id": None, "message_id": None},
    }
)


async def rows_of(database: Database, user_id: int) -> dict[str, list[dict[str, Any]]]:
    """Everything that is kept under a person's id, by table; tables without any are left out."""
    found: dict[str, list[dict[str, Any]]] = {}
    async with database.read() as connection:
        for name, places in PEOPLE.items():
            table = METADATA.tables[name]
            for place in places:
                columns = [table.c[column] for column in place.shown or table.c.keys()]
                rows = await connection.execute(select(*columns).where(table.c[place.by] == user_id))
                found.setdefault(name, []).extend(dict(row) for row in rows.mappings())
    return {name: rows for name, rows in found.items() if rows}


async def forget(database: Database, user_id: int, without_words: Callable[[str], str]) -> tuple[int, Traces]:
    """Forget a person; how many rows that changed, and where they were quoted.

    `without_words` empties the instruction in a trick's JSON.
    """

    async def work(connection: AsyncConnection) -> tuple[int, Traces]:
        found = await traces(connection, user_id)
        quotes = await drop_quotes(connection, found, without_words)
        return quotes + await _erase(connection, user_id), found

    return await database.transact(work)


async def quoted(database: Database, user_id: int) -> Traces:
    """Where prompts, of whomever, may quote a person."""
    async with database.read() as connection:
        return await traces(connection, user_id)


async def _erase(connection: AsyncConnection, user_id: int) -> int:
    """Take a person's id out of every table; how many rows had it."""
    count = 0
    for name, places in PEOPLE.items():
        table = METADATA.tables[name]
        for place in places:
            count += await _become(connection, table, table.c[place.by] == user_id, place.becomes)
    return count


async def forget_server(database: Database, guild_id: int) -> int:
    """Forget a server that was left for good; in how many rows it stood."""

    async def work(connection: AsyncConnection) -> int:
        tables = [(METADATA.tables[name], becomes) for name, becomes in SERVERS.items()]
        return sum([await _become(connection, table, table.c.guild_id == guild_id, new) for table, new in tables])

    return await database.transact(work)


async def servers(database: Database) -> set[int]:
    """The servers of which anything is kept."""
    query = union(*(select(METADATA.tables[name].c.guild_id) for name in SERVERS))
    async with database.read() as connection:
        return {guild for guild in (await connection.execute(query)).scalars() if guild is not None}


async def drop_old(database: Database, *, day: str, at: float) -> dict[str, int]:
    """Forget calls of before the ISO date `day`, and stories that ended and suggestions that came before `at`."""
    old = {
        CALLS: CALLS.c.settled & (CALLS.c.day < day),
        STORIES: (STORIES.c.state == ENDED) & (STORIES.c.touched < at),
        TRICK_SUGGESTIONS: TRICK_SUGGESTIONS.c.at < at,
    }

    async def work(connection: AsyncConnection) -> dict[str, int]:
        return {table.name: await _become(connection, table, where, None) for table, where in old.items()}

    return await database.transact(work)


async def _become(connection: AsyncConnection, table: Table, where: Any, values: Mapping[str, Any] | None) -> int:
    """Drop the rows `where` that holds, or give them other values; how many there were."""
    change = delete(table).where(where) if values is None else update(table).where(where).values(**values)
    return int((await connection.execute(change)).rowcount)
