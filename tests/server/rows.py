"""A row of every kind in the database, all of one person, next to the same of another."""

import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import Database
from bot.storage.erasure import PERSONAL
from bot.storage.tables import METADATA


def owners(table: sa.Table) -> set[str]:
    """The columns with a person's id."""
    return {place.by for place in PERSONAL.get(table.name, ())}


def value(table: sa.Table, column: sa.Column[Any], person: int, mark: str, key: int) -> Any:
    """Something for every column: the person's id, their words where people's words stand, and `key` elsewhere."""
    special: dict[tuple[str, str], Any] = {
        ("turns", "parent_id"): None,
        ("turns", "reply"): f"The lamp goes out, and {mark.title()} stumbles.",
        ("turns", "player"): mark,
        ("turns", "state"): "done",
        ("stories", "state"): "running",
        ("stories", "frame"): "{}",
        ("guild_settings", "settings"): "{}",
        ("tricks", "body"): trick(mark),
        ("trick_versions", "body"): trick(mark),
        ("trick_runs", "tests"): json.dumps([{"input": mark, "user_id": person}]),
        ("prompts", "body"): json.dumps({"template": "translate", "messages": [{"content": mark}]}),
        ("calls", "day"): "2026-11-30",
    }
    if (table.name, column.name) in special:
        return special[table.name, column.name]
    if column.name in owners(table):
        return person
    if isinstance(column.type, sa.Boolean):
        return False
    if isinstance(column.type, sa.String):
        return mark if column.name in WORDS.get(table.name, ()) else f"k{key}"
    return key


# The columns that a person's words stand in.
WORDS = {
    "turns": {"words", "dice"},
    "players": {"name"},
    "notes": {"text"},
    "branches": {"name"},
    "trick_examples": {"given", "wanted"},
    "trick_versions": {"note"},
    "trick_tests": {"input", "expected"},
    "trick_suggestions": {"given", "wanted", "body"},
    "promotions": {"reason"},
    "corrections": {"question", "answer", "correction"},
}


def trick(words: str) -> str:
    return json.dumps(
        {
            "about": words,
            "inputs": {"input": {}},
            "messages": [{"role": "system", "content": words}, {"role": "user", "content": "{{input}}"}],
        }
    )


async def fill(database: Database, person: int, mark: str, key: int) -> None:
    """A row in every table; `key` is the id of each, and of what it belongs to."""

    async def work(connection: AsyncConnection) -> None:
        for table in METADATA.sorted_tables:
            row = {column.name: value(table, column, person, mark, key) for column in table.columns}
            await connection.execute(table.insert().values(row))

    await database.transact(work)


async def dump(database: Database) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table."""
    async with database.read() as connection:
        return {
            table.name: [dict(row) for row in (await connection.execute(table.select())).mappings()]
            for table in METADATA.sorted_tables
        }


def told(rows: list[dict[str, Any]]) -> str:
    """All of some rows as one text, to look for words in."""
    return json.dumps(rows, ensure_ascii=False)
