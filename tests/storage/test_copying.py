"""A database moves from SQLite to PostgreSQL and back, and nothing of it changes."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.errors import StorageError
from bot.storage.copying import BATCH, copy
from bot.storage.database import open_database
from bot.storage.key_value import set_value
from bot.storage.migrations import upgrade
from bot.storage.tables import KEY_VALUES, METADATA, TURNS
from tests.postgresql import PostgresServer
from tests.server.rows import dump, fill

INCREMENTED = [table for table in METADATA.sorted_tables if table.autoincrement_column is not None]


def sorted_rows(rows: dict[str, list[dict[str, Any]]]) -> dict[str, list[str]]:
    return {table: sorted(map(str, found)) for table, found in rows.items()}


@pytest.mark.postgresql
async def test_a_row_of_every_kind_goes_to_postgresql_and_back(postgresql: PostgresServer, tmp_path: Path) -> None:
    first, last = (f"sqlite+aiosqlite:///{tmp_path / name}.sqlite3" for name in ("first", "last"))
    await upgrade(first)

    async def harder(connection: AsyncConnection) -> None:
        """A turn whose parent has a greater id, values that are as large as may be, and more rows than one batch."""
        turn = dict((await connection.execute(TURNS.select().where(TURNS.c.id == 1))).mappings().one())
        await connection.execute(
            TURNS.insert().values(**turn | {"id": 9, "event_id": 2**63 - 1, "words": "é 🙂 \"'\\"})
        )
        await connection.execute(TURNS.update().where(TURNS.c.id == 1).values(parent_id=9))
        many = [{"name": f"n{number}", "value": "x" * 300} for number in range(BATCH + 1)]
        await connection.execute(KEY_VALUES.insert(), many)

    async with open_database(first) as database:
        await fill(database, 1, "xyzzy", 1)
        await fill(database, 2**62, "quuxly", 2)
        await database.transact(harder)
        before = await dump(database)
    async with postgresql.new_database() as between:
        counts = await copy(first, between)
        assert counts == {table: len(rows) for table, rows in before.items()}
        assert min(counts.values()) >= 2
        async with open_database(between) as database:
            assert sorted_rows(await dump(database)) == sorted_rows(before)
        assert await copy(between, last) == counts
        for refused in (between, first):
            with pytest.raises(StorageError, match="is not empty: "):
                await copy(last, refused)
        # The ids of new rows go on after those that were copied.
        async with open_database(between) as database:
            for table in INCREMENTED:
                newest = max(row["id"] for row in before[table.name])
                async with database.read() as connection:
                    assert await connection.scalar(sa.text(f"SELECT nextval('{table.name}_id_seq')")) == newest + 1
    async with open_database(last) as database:
        assert sorted_rows(await dump(database)) == sorted_rows(before)


async def test_what_cannot_be_copied_is_a_sentence_and_leaves_the_target_empty(tmp_path: Path) -> None:
    url, other = (f"sqlite+aiosqlite:///{tmp_path / name}.sqlite3" for name in ("one", "other"))
    with pytest.raises(StorageError, match="has version none, and this program has"):
        await copy(url, other)
    await upgrade(url)
    with pytest.raises(StorageError, match=r"^TO is no address that can be used"):
        await copy(url, "nonsense")
    async with open_database(url) as database:
        await set_value(database, "a\0b", "c\0d")
    assert (await copy(url, other))["key_values"] == 1
    async with open_database(other) as database:
        assert (await dump(database))["key_values"] == [{"name": "ab", "value": "cd"}]


@pytest.mark.postgresql
async def test_a_row_that_the_other_database_refuses_is_a_sentence_that_names_its_table(
    postgresql: PostgresServer, tmp_path: Path
) -> None:
    """SQLite stores numbers of any size, and references to no row where `foreign_keys` is off."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'one.sqlite3'}"
    await upgrade(url)
    async with open_database(url) as database:
        await fill(database, 1, "xyzzy", 1)
    with closing(sqlite3.connect(tmp_path / "one.sqlite3")) as file:
        for table, wrong, right in (
            ("arena_votes", "arena_id = 'gone'", "arena_id = 'k1'"),
            ("calls", f"reserved = {2**40}", "reserved = 1"),
        ):
            file.execute(f"UPDATE {table} SET {wrong}")
            file.commit()
            async with postgresql.new_database() as other:
                with pytest.raises(StorageError, match=f"^A row of {table} cannot be copied: "):
                    await copy(url, other)
                file.execute(f"UPDATE {table} SET {right}")
                file.commit()
                await copy(url, other)
