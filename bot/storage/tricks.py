"""Tricks that servers teach, their examples, and the corrections that members suggest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import Database
from bot.storage.tables import TRICK_EXAMPLES, TRICK_SUGGESTIONS, TRICKS

# `taken`: the name exists. `full`: the limit is reached. `mine`: the person's own limit is reached. `gone`: the trick
# or the suggestion does not exist any more.
Outcome = Literal["added", "taken", "full", "mine", "gone"]


@dataclass(frozen=True, slots=True)
class TrickRow:
    """A server's template. The name is unique in the server; `body` is the template's JSON without the examples."""

    id: str
    guild_id: int
    name: str
    user_id: int
    at: float
    body: str


@dataclass(frozen=True, slots=True)
class ExampleRow:
    """One example of a trick, and its author."""

    id: str
    user_id: int
    at: float
    given: str
    wanted: str


@dataclass(frozen=True, slots=True)
class SuggestionRow:
    """An example that a member suggests. `body` is the JSON of the template called `template`, with its examples."""

    id: str
    guild_id: int
    user_id: int
    at: float
    template: str
    body: str
    given: str
    wanted: str


_TRICK = [TRICKS.c[name] for name in TrickRow.__slots__]
_EXAMPLE = [TRICK_EXAMPLES.c[name] for name in ExampleRow.__slots__]
_SUGGESTION = [TRICK_SUGGESTIONS.c[name] for name in SuggestionRow.__slots__]


async def all_of(database: Database, guild_id: int) -> list[tuple[TrickRow, list[ExampleRow]]]:
    """A server's tricks by name, each with its examples, oldest first."""
    query = select(*_TRICK).where(TRICKS.c.guild_id == guild_id).order_by(TRICKS.c.name)
    join = TRICK_EXAMPLES.join(TRICKS, TRICK_EXAMPLES.c.trick_id == TRICKS.c.id)
    examples = select(TRICK_EXAMPLES.c.trick_id, *_EXAMPLE).select_from(join).where(TRICKS.c.guild_id == guild_id)
    async with database.read() as connection:
        tricks = [TrickRow(*row) for row in await connection.execute(query)]
        found: dict[str, list[ExampleRow]] = {trick.id: [] for trick in tricks}
        for trick_id, *row in await connection.execute(examples.order_by(TRICK_EXAMPLES.c.at, TRICK_EXAMPLES.c.id)):
            found.setdefault(trick_id, []).append(ExampleRow(*row))
    return [(trick, found[trick.id]) for trick in tricks]


async def find(database: Database, guild_id: int, name: str) -> tuple[TrickRow, list[ExampleRow]] | None:
    """One trick with its examples."""
    query = select(*_TRICK).where(TRICKS.c.guild_id == guild_id, TRICKS.c.name == name)
    async with database.read() as connection:
        row = (await connection.execute(query)).first()
        if row is None:
            return None
        trick = TrickRow(*row)
        examples = select(*_EXAMPLE).where(TRICK_EXAMPLES.c.trick_id == trick.id)
        rows = await connection.execute(examples.order_by(TRICK_EXAMPLES.c.at, TRICK_EXAMPLES.c.id))
        return trick, [ExampleRow(*row) for row in rows]


async def names(database: Database, guild_id: int) -> list[str]:
    """The names of a server's tricks."""
    query = select(TRICKS.c.name).where(TRICKS.c.guild_id == guild_id).order_by(TRICKS.c.name)
    async with database.read() as connection:
        return list((await connection.execute(query)).scalars())


async def add(
    database: Database, trick: TrickRow, examples: Sequence[ExampleRow], *, limit: int, suggestion: str = ""
) -> Outcome:
    """Store a trick with its examples and remove the `suggestion` that it came from. A server has up to `limit`."""

    async def work(connection: AsyncConnection) -> Outcome:
        taken = select(TRICKS.c.name).where(TRICKS.c.guild_id == trick.guild_id)
        there = set((await connection.execute(taken)).scalars())
        if trick.name in there:
            return "taken"
        if len(there) >= limit:
            return "full"
        if suggestion and not await _delete_suggestion(connection, trick.guild_id, suggestion):
            return "gone"
        await connection.execute(TRICKS.insert(), _values(trick))
        for example in examples:
            await connection.execute(TRICK_EXAMPLES.insert(), {**_values(example), "trick_id": trick.id})
        return "added"

    return await database.transact(work)


async def add_example(
    database: Database, guild_id: int, name: str, example: ExampleRow, *, limit: int, suggestion: str = ""
) -> Outcome:
    """Store an example and remove the `suggestion` that it came from. A trick has up to `limit` examples."""

    async def work(connection: AsyncConnection) -> Outcome:
        query = select(TRICKS.c.id).where(TRICKS.c.guild_id == guild_id, TRICKS.c.name == name)
        trick = (await connection.execute(query)).scalar_one_or_none()
        if trick is None:
            return "gone"
        counted = select(func.count()).select_from(TRICK_EXAMPLES).where(TRICK_EXAMPLES.c.trick_id == trick)
        if (await connection.execute(counted)).scalar_one() >= limit:
            return "full"
        if suggestion and not await _delete_suggestion(connection, guild_id, suggestion):
            return "gone"
        await connection.execute(TRICK_EXAMPLES.insert(), {**_values(example), "trick_id": trick})
        return "added"

    return await database.transact(work)


async def remove(database: Database, guild_id: int, name: str) -> int | None:
    """Delete a trick with its examples; returns their number, None where there is no such trick."""
    mine = (TRICKS.c.guild_id == guild_id) & (TRICKS.c.name == name)

    async def work(connection: AsyncConnection) -> int | None:
        join = TRICK_EXAMPLES.join(TRICKS, TRICK_EXAMPLES.c.trick_id == TRICKS.c.id)
        examples = (await connection.execute(select(func.count()).select_from(join).where(mine))).scalar_one()
        gone = await connection.execute(delete(TRICKS).where(mine))
        return int(examples) if gone.rowcount else None

    return await database.transact(work)


async def suggest(database: Database, row: SuggestionRow, *, limit: int, limit_per_person: int) -> Outcome:
    """Store a suggestion. A server has up to `limit`, and each of its members up to `limit_per_person`."""

    async def work(connection: AsyncConnection) -> Outcome:
        here = TRICK_SUGGESTIONS.c.guild_id == row.guild_id
        for where, maximum, refusal in (
            (here & (TRICK_SUGGESTIONS.c.user_id == row.user_id), limit_per_person, "mine"),
            (here, limit, "full"),
        ):
            waiting = select(func.count()).select_from(TRICK_SUGGESTIONS).where(where)
            if (await connection.execute(waiting)).scalar_one() >= maximum:
                return cast(Outcome, refusal)
        await connection.execute(TRICK_SUGGESTIONS.insert(), _values(row))
        return "added"

    return await database.transact(work)


async def suggestions(database: Database, guild_id: int) -> list[SuggestionRow]:
    """A server's suggestions, oldest first."""
    query = select(*_SUGGESTION).where(TRICK_SUGGESTIONS.c.guild_id == guild_id)
    async with database.read() as connection:
        rows = await connection.execute(query.order_by(TRICK_SUGGESTIONS.c.at))
        return [SuggestionRow(*row) for row in rows]


async def drop_suggestion(database: Database, guild_id: int, suggestion: str) -> bool:
    """Delete a suggestion; returns whether it was still there."""
    return await database.transact(lambda connection: _delete_suggestion(connection, guild_id, suggestion))


async def _delete_suggestion(connection: AsyncConnection, guild_id: int, suggestion: str) -> bool:
    query = delete(TRICK_SUGGESTIONS).where(
        TRICK_SUGGESTIONS.c.guild_id == guild_id, TRICK_SUGGESTIONS.c.id == suggestion
    )
    return int((await connection.execute(query)).rowcount) > 0


def _values(row: TrickRow | ExampleRow | SuggestionRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in row.__slots__}
