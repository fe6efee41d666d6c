"""Tricks that servers teach, their examples and versions, and the corrections that members suggest.

An example belongs to the versions from `since` to the one before `until`; without `until`, to the newest one too. So an
example is stored once, and its author can be erased from all versions together.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import Database, in_transaction
from bot.storage.rows import columns_of, values_of
from bot.storage.tables import TRICK_EXAMPLES, TRICK_SUGGESTIONS, TRICK_VERSIONS, TRICKS

# `taken`: the name exists. `full`: the limit is reached. `mine`: the person's own limit is reached. `gone`: the trick
# or the suggestion does not exist any more.
Outcome = Literal["added", "taken", "full", "mine", "gone"]
# How a version was made. `stored`: before versions were stored.
Kind = Literal["taught", "example", "accepted", "imported", "reverted", "dropped", "stored"]


@dataclass(frozen=True, slots=True)
class TrickRow:
    """A server's template. The name is unique in the server; `body` is the template's JSON without the examples.

    `user_id` wrote the body, and `version` is the number of the newest version.
    """

    id: str
    guild_id: int
    name: str
    user_id: int
    at: float
    body: str
    version: int


@dataclass(frozen=True, slots=True)
class ExampleRow:
    """One example of a trick, its author, and the versions that have it.

    `given_by` wrote the message whose text became the input, where that is not the author.
    """

    id: str
    user_id: int
    at: float
    given: str
    wanted: str
    since: int = 1
    until: int | None = None
    given_by: int | None = None


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version of a trick, made by `user_id`. `author_id` wrote its `body`, the template's JSON without examples."""

    number: int
    user_id: int
    author_id: int
    at: float
    kind: Kind
    note: str
    body: str


@dataclass(frozen=True, slots=True)
class Change:
    """What the next version of a trick is, and who makes it. `examples` are all that it has, old and new ones."""

    user_id: int
    at: float
    kind: Kind
    note: str
    body: str
    author_id: int
    examples: Sequence[ExampleRow]


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


_TRICK = columns_of(TRICKS, TrickRow)
_EXAMPLE = columns_of(TRICK_EXAMPLES, ExampleRow)
_VERSION = columns_of(TRICK_VERSIONS, VersionRow)
_CURRENT = TRICK_EXAMPLES.c.until.is_(None)
_SUGGESTION = columns_of(TRICK_SUGGESTIONS, SuggestionRow)


async def all_of(database: Database, guild_id: int) -> list[tuple[TrickRow, list[ExampleRow]]]:
    """A server's tricks by name, each with its examples, oldest first."""
    query = select(*_TRICK).where(TRICKS.c.guild_id == guild_id).order_by(TRICKS.c.name)
    join = TRICK_EXAMPLES.join(TRICKS, TRICK_EXAMPLES.c.trick_id == TRICKS.c.id)
    examples = select(TRICK_EXAMPLES.c.trick_id, *_EXAMPLE).select_from(join)
    examples = examples.where(TRICKS.c.guild_id == guild_id, _CURRENT)
    async with database.read() as connection:
        tricks = [TrickRow(*row) for row in await connection.execute(query)]
        found: dict[str, list[ExampleRow]] = {trick.id: [] for trick in tricks}
        for trick_id, *row in await connection.execute(examples.order_by(TRICK_EXAMPLES.c.at, TRICK_EXAMPLES.c.id)):
            found.setdefault(trick_id, []).append(ExampleRow(*row))
    return [(trick, found[trick.id]) for trick in tricks]


async def find(database: Database, guild_id: int, name: str) -> tuple[TrickRow, list[ExampleRow]] | None:
    """One trick with its examples."""
    async with database.read() as connection:
        return await _find(connection, guild_id, name)


async def history(
    database: Database, guild_id: int, name: str
) -> tuple[TrickRow, list[VersionRow], list[ExampleRow]] | None:
    """One trick, its versions, the newest first, and the examples of all of them."""
    async with database.read() as connection:
        found = await _find(connection, guild_id, name)
        if found is None:
            return None
        trick = found[0]
        query = select(*_VERSION).where(TRICK_VERSIONS.c.trick_id == trick.id).order_by(TRICK_VERSIONS.c.number.desc())
        versions = [VersionRow(*row) for row in await connection.execute(query)]
        examples = select(*_EXAMPLE).where(TRICK_EXAMPLES.c.trick_id == trick.id)
        rows = await connection.execute(examples.order_by(TRICK_EXAMPLES.c.at, TRICK_EXAMPLES.c.id))
        return trick, versions, [ExampleRow(*row) for row in rows]


def examples_at(examples: Iterable[ExampleRow], number: int) -> list[ExampleRow]:
    """Those of a trick's `examples` that its version `number` has."""
    return [row for row in examples if row.since <= number and (row.until is None or row.until > number)]


async def _find(connection: AsyncConnection, guild_id: int, name: str) -> tuple[TrickRow, list[ExampleRow]] | None:
    query = select(*_TRICK).where(TRICKS.c.guild_id == guild_id, TRICKS.c.name == name)
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    trick = TrickRow(*row)
    examples = select(*_EXAMPLE).where(TRICK_EXAMPLES.c.trick_id == trick.id, _CURRENT)
    rows = await connection.execute(examples.order_by(TRICK_EXAMPLES.c.at, TRICK_EXAMPLES.c.id))
    return trick, [ExampleRow(*row) for row in rows]


async def names(database: Database, guild_id: int) -> list[str]:
    """The names of a server's tricks."""
    query = select(TRICKS.c.name).where(TRICKS.c.guild_id == guild_id).order_by(TRICKS.c.name)
    return await database.fetch_values(query)


@in_transaction
async def add(
    connection: AsyncConnection, trick: TrickRow, first: Change, *, limit: int, suggestion: str = ""
) -> Outcome:
    """Store a trick with its first version and remove the `suggestion` that it came from.

    A server has up to `limit` tricks.
    """
    taken = select(TRICKS.c.name).where(TRICKS.c.guild_id == trick.guild_id)
    there = set((await connection.execute(taken)).scalars())
    if trick.name in there:
        return "taken"
    if len(there) >= limit:
        return "full"
    if suggestion and not await _delete_suggestion(connection, trick.guild_id, suggestion):
        return "gone"
    await connection.execute(TRICKS.insert(), values_of(trick))
    await _add_version(connection, trick.id, trick.version, first, first.examples)
    return "added"


@in_transaction
async def change(
    connection: AsyncConnection,
    guild_id: int,
    name: str,
    make: Callable[[TrickRow, Sequence[ExampleRow]], Change],
    *,
    keep: int,
    suggestion: str = "",
) -> Outcome:
    """Make the next version of a trick and remove the `suggestion` that it came from.

    `make` returns the version, from the trick and the examples of the newest one; what it raises undoes all. The newest
    `keep` versions stay.
    """
    found = await _find(connection, guild_id, name)
    if found is None or (suggestion and not await _delete_suggestion(connection, guild_id, suggestion)):
        return "gone"
    trick, examples = found
    changed, number, current = make(trick, examples), trick.version + 1, {example.id for example in examples}
    left = current - {example.id for example in changed.examples}
    await connection.execute(update(TRICK_EXAMPLES).where(TRICK_EXAMPLES.c.id.in_(left)).values(until=number))
    new = [example for example in changed.examples if example.id not in current]
    await _add_version(connection, trick.id, number, changed, new)
    values = {"version": number, "body": changed.body, "user_id": changed.author_id}
    await connection.execute(update(TRICKS).where(TRICKS.c.id == trick.id).values(**values))
    oldest = number - keep + 1
    old = (TRICK_VERSIONS.c.trick_id == trick.id) & (TRICK_VERSIONS.c.number < oldest)
    await connection.execute(delete(TRICK_VERSIONS).where(old))
    gone = (TRICK_EXAMPLES.c.trick_id == trick.id) & (TRICK_EXAMPLES.c.until <= oldest)
    await connection.execute(delete(TRICK_EXAMPLES).where(gone))
    return "added"


async def _add_version(
    connection: AsyncConnection, trick_id: str, number: int, change: Change, new: Sequence[ExampleRow]
) -> None:
    """Insert a version and the examples that are `new` in it."""
    version = VersionRow(number, change.user_id, change.author_id, change.at, change.kind, change.note, change.body)
    await connection.execute(TRICK_VERSIONS.insert(), {**values_of(version), "trick_id": trick_id})
    if new:
        rows = [{**values_of(example), "trick_id": trick_id, "since": number, "until": None} for example in new]
        await connection.execute(TRICK_EXAMPLES.insert(), rows)


@in_transaction
async def remove(connection: AsyncConnection, guild_id: int, name: str) -> int | None:
    """Delete a trick with its examples; returns their number, None where there is no such trick."""
    mine = (TRICKS.c.guild_id == guild_id) & (TRICKS.c.name == name)
    join = TRICK_EXAMPLES.join(TRICKS, TRICK_EXAMPLES.c.trick_id == TRICKS.c.id)
    counted = select(func.count()).select_from(join).where(mine, _CURRENT)
    examples = (await connection.execute(counted)).scalar_one()
    gone = await connection.execute(delete(TRICKS).where(mine))
    return int(examples) if gone.rowcount else None


@in_transaction
async def suggest(connection: AsyncConnection, row: SuggestionRow, *, limit: int, limit_per_person: int) -> Outcome:
    """Store a suggestion. A server has up to `limit`, and each of its members up to `limit_per_person`."""
    here = TRICK_SUGGESTIONS.c.guild_id == row.guild_id
    for where, maximum, refusal in (
        (here & (TRICK_SUGGESTIONS.c.user_id == row.user_id), limit_per_person, "mine"),
        (here, limit, "full"),
    ):
        waiting = select(func.count()).select_from(TRICK_SUGGESTIONS).where(where)
        if (await connection.execute(waiting)).scalar_one() >= maximum:
            return cast(Outcome, refusal)
    await connection.execute(TRICK_SUGGESTIONS.insert(), values_of(row))
    return "added"


async def suggestions(database: Database, guild_id: int) -> list[SuggestionRow]:
    """A server's suggestions, oldest first."""
    query = select(*_SUGGESTION).where(TRICK_SUGGESTIONS.c.guild_id == guild_id)
    return await database.fetch_rows(query.order_by(TRICK_SUGGESTIONS.c.at), SuggestionRow)


async def drop_suggestion(database: Database, guild_id: int, suggestion: str) -> bool:
    """Delete a suggestion; returns whether it was still there."""
    return await database.transact(lambda connection: _delete_suggestion(connection, guild_id, suggestion))


async def _delete_suggestion(connection: AsyncConnection, guild_id: int, suggestion: str) -> bool:
    mine = (TRICK_SUGGESTIONS.c.guild_id == guild_id) & (TRICK_SUGGESTIONS.c.id == suggestion)
    return int((await connection.execute(delete(TRICK_SUGGESTIONS).where(mine))).rowcount) > 0
