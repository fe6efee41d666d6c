"""Every database that was ever made comes up to date, once and for all, with its data in it."""

import asyncio
import json
import logging
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from bot.core.errors import StorageError
from bot.storage.database import file_of, open_database
from bot.storage.key_value import set_value
from bot.storage.migrations import FOLDER, backup, upgrade, version
from bot.storage.tables import METADATA


def config() -> Config:
    made = Config()
    made.set_main_option("script_location", str(FOLDER))
    return made


SCRIPTS = ScriptDirectory.from_config(config())
REVISIONS = [script.revision for script in SCRIPTS.walk_revisions()][::-1]
NEWEST = REVISIONS[-1]


def path_of(url: str) -> Path:
    path = file_of(url)
    assert path is not None
    return Path(path)


def connected(url: str) -> sa.Engine:
    """A plain synchronous engine on the same file."""
    return sa.create_engine(f"sqlite:///{path_of(url)}")


def upgrade_to(url: str, revision: str) -> None:
    with connected(url).begin() as connection:
        using = config()
        using.attributes["connection"] = connection
        command.upgrade(using, revision)


def fill(connection: sa.Connection) -> dict[str, list[Any]]:
    """A row in every table, with foreign keys that hold; the rows by table."""
    tables = sa.MetaData()
    tables.reflect(connection)
    rows = {}
    for table in tables.sorted_tables:
        if table.name != "alembic_version":
            connection.execute(table.insert().values({column.name: value_for(column) for column in table.columns}))
            rows[table.name] = list(connection.execute(table.select()))
    return rows


def value_for(column: sa.Column[Any]) -> Any:
    """One for every number and text, so that each foreign key finds its row; nothing where a table names itself."""
    if any(key.column.table is column.table for key in column.foreign_keys) and column.nullable:
        return None
    return "1" if isinstance(column.type, sa.String) else 1


# Tables that have another name by now.
RENAMED = {"marks": "key_values"}


def settings_of(connection: sa.Connection) -> dict[int, dict[str, Any]]:
    """The settings of every server, as they are stored today."""
    rows = connection.exec_driver_sql("SELECT guild_id, settings FROM guild_settings").fetchall()
    return {guild_id: json.loads(settings) for guild_id, settings in rows}


def expected_settings(row: Any) -> dict[str, Any]:
    """The settings of a server whose columns `fill` has filled."""
    values = {name: getattr(row, name) for name in row._fields if name != "guild_id"}
    values |= {name: json.loads(values[name]) for name in ("adventure_channels", "private")}
    return {name: value for name, value in values.items() if (name, value) != ("menus", True)}


def test_versions_follow_each_other_in_the_order_of_their_files() -> None:
    assert sorted(REVISIONS) == REVISIONS
    assert SCRIPTS.get_heads() == [NEWEST]
    files = sorted(path.name.partition("_")[0] for path in (FOLDER / "versions").glob("[0-9]*.py"))
    assert files == REVISIONS


def test_every_version_says_why_it_is_there() -> None:
    for script in SCRIPTS.walk_revisions():
        assert script.doc
        assert script.longdoc.strip().count("\n") >= 1


async def test_a_blank_folder_gets_the_newest_version_and_a_second_upgrade_changes_nothing(url: str) -> None:
    assert await version(url) == (None, NEWEST)
    assert await upgrade(url) == NEWEST
    before = path_of(url).read_bytes()
    assert await upgrade(url) == NEWEST
    assert path_of(url).read_bytes() == before
    assert await version(url) == (NEWEST, NEWEST)


@pytest.mark.parametrize("revision", REVISIONS)
async def test_every_earlier_version_comes_up_to_date_with_its_data(url: str, revision: str) -> None:
    upgrade_to(url, revision)
    with connected(url).begin() as connection:
        before = fill(connection)
    assert before
    assert await upgrade(url) == NEWEST
    with connected(url).connect() as connection:
        for table, rows in before.items():
            if table == "guilds":
                assert settings_of(connection) == {row.guild_id: expected_settings(row) for row in rows}
                continue
            kept = connection.exec_driver_sql(f"SELECT * FROM {RENAMED.get(table, table)}").fetchall()
            assert [row[: len(rows[0])] for row in kept] == [tuple(row) for row in rows]
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall() == []


async def test_the_tables_are_those_that_the_migrations_make(url: str) -> None:
    await upgrade(url)
    with connected(url).connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), METADATA) == []


async def test_a_newer_schema_is_refused_and_left_alone(url: str) -> None:
    await upgrade(url)
    with closing(sqlite3.connect(path_of(url))) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(StorageError, match="9999, which is newer than this program"):
        await upgrade(url)
    assert (await version(url))[0] == "9999"


async def test_a_migration_that_fails_leaves_nothing_behind(url: str) -> None:
    await upgrade(url)
    with closing(sqlite3.connect(path_of(url))) as connection:
        connection.execute("DELETE FROM alembic_version")
        connection.commit()
        before = connection.execute("SELECT sql FROM sqlite_master").fetchall()
    with pytest.raises(StorageError, match="already exists"):
        await upgrade(url)
    with closing(sqlite3.connect(path_of(url))) as connection:
        assert connection.execute("SELECT sql FROM sqlite_master").fetchall() == before


async def test_upgrades_at_the_same_time_run_one_after_another(url: str) -> None:
    assert await asyncio.gather(*(upgrade(url) for _ in range(4))) == [NEWEST] * 4


async def test_an_upgrade_leaves_the_logs_as_they_are(url: str) -> None:
    logger = logging.getLogger("bot.test_migrating")
    await upgrade(url)
    assert not logger.disabled


async def test_what_is_no_database_is_one_sentence(url: str) -> None:
    path_of(url).write_bytes(b"This is a letter, and no database at all." * 100)
    for use in (upgrade, version):
        with pytest.raises(StorageError, match="cannot be used"):
            await use(url)


async def test_a_folder_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StorageError, match="folder"):
        await upgrade(f"sqlite+aiosqlite:///{tmp_path / 'file' / 'fewshot.sqlite3'}")


@pytest.mark.parametrize(
    "bad",
    [
        "nonsense with a pass:word",
        "sqlite:///x.sqlite3",
        "postgresql+asyncpg://user:password@127.0.0.1:1/x",
        "oracle+nothing://user:password@host/x",
        "sqlite+aiosqlite://user:password@host:port/x",
    ],
)
async def test_an_address_of_no_database_is_one_sentence_without_its_password(bad: str) -> None:
    async def opened(url: str) -> None:
        async with open_database(url) as database:
            await database.check()

    for use in (upgrade, version, opened):
        with pytest.raises(StorageError) as caught:
            await use(bad)
        assert "word" not in str(caught.value)
        assert "DATABASE_URL" in str(caught.value)
        assert "\n" not in str(caught.value)


async def test_the_settings_of_a_server_become_one_json_object_without_those_that_were_never_set(url: str) -> None:
    upgrade_to(url, "0005")
    with connected(url).begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO guilds VALUES (7, 'de', '[3, 5]', NULL, 900, NULL, '{\"facts\": true}', 0, 1)"
        )
        connection.exec_driver_sql("INSERT INTO guilds VALUES (8, NULL, '[]', NULL, NULL, NULL, '{}', 1, 0)")
    await upgrade(url)
    with connected(url).connect() as connection:
        assert settings_of(connection) == {
            7: {
                "language": "de",
                "adventure_channels": [3, 5],
                "user_tokens": 900,
                "private": {"facts": True},
                "menus": False,
                "adult": True,
            },
            8: {},
        }


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
async def test_a_database_and_its_copies_are_for_their_owner_alone(tmp_path: Path) -> None:
    """Also one that an earlier version made for everybody to read."""
    folder = tmp_path / "data"
    url = f"sqlite+aiosqlite:///{folder / 'fewshot.sqlite3'}"
    for _ in range(2):
        await upgrade(url)
        async with open_database(url) as database:
            await set_value(database, "a", "b")
            modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
            assert {mode for name, mode in modes.items() if name.startswith("fewshot.sqlite3")} <= {0o600, 0o644}
            assert all(modes[f"fewshot.sqlite3{end}"] == 0o600 for end in ("", "-wal", "-shm"))
            assert folder.stat().st_mode & 0o777 == 0o700
        folder.chmod(0o755)
        (folder / "fewshot.sqlite3").chmod(0o644)
    await backup(url, tmp_path / "copy.sqlite3")
    assert (tmp_path / "copy.sqlite3").stat().st_mode & 0o777 == 0o600


async def test_a_damaged_database_names_the_copy_that_takes_its_place(url: str) -> None:
    await upgrade(url)
    path = path_of(url)
    data = bytearray(path.read_bytes())
    data[100:8_192] = b"\xff" * 8_092
    path.write_bytes(bytes(data))
    for use in (upgrade, version):
        with pytest.raises(StorageError, match=r"file is damaged.*fewshot db backup FILE"):
            await use(url)
