"""The schema version of the database: upgrade it, read it, and copy a database in use.

Alembic is imported only when there is something to upgrade, because importing it takes a quarter of the start-up time.
"""

import asyncio
import os
import sqlite3
import stat
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from filelock import AsyncFileLock, Timeout
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from bot.core.errors import StorageError
from bot.storage.database import check_sessions, engine, file_of
from bot.storage.errors import UnreachableError, sentence

FOLDER = Path(__file__).resolve().parents[2] / "migrations"
# Seconds to wait for another process that is upgrading the same database.
LOCK_TIMEOUT = 60
# The number of PostgreSQL's lock for it. Without the lock, three of four upgrades at once fail (measured 2026-11-27).
UPGRADE_LOCK = 0x66657774
# The mode of the database and its copies: for the owner alone.
PRIVATE = 0o600


async def upgrade(url: str) -> str:
    """Upgrade the database at `url` to the newest version, or create it; returns the version.

    Raises `StorageError` when it is newer than this program, locked, or unusable, such as one behind PgBouncer.
    """
    path = file_of(url)
    if path is None:
        await check_sessions(url)
        return str(await _with_connection(url, _upgrade, exclusive=True))
    try:
        _make_private(Path(path))
        async with AsyncFileLock(f"{path}.upgrade.lock", timeout=LOCK_TIMEOUT):
            return str(await _with_connection(url, _upgrade, exclusive=True))
    except Timeout:
        raise StorageError("Another process is upgrading this database and does not finish.") from None
    except OSError as error:
        raise StorageError(f"The database's folder cannot be used: {error.strerror}.") from None


async def version(url: str) -> tuple[str | None, str]:
    """The database's version (None where there is no schema yet), and the newest that this program knows."""
    path = file_of(url)
    if path is not None and not Path(path).exists():
        return None, _newest()
    return await _with_connection(url, _current), _newest()


async def backup(url: str, target: Path) -> int:
    """Copy a SQLite database to `target`, also while a bot writes to it; returns the size in bytes.

    Raises `StorageError` where there is nothing to copy, or where `target` exists.
    """
    path = file_of(url)
    if path is None:
        raise StorageError(
            "Only an SQLite database can be copied to a file; for PostgreSQL, use its own tool: pg_dump."
        )
    if not Path(path).exists():
        raise StorageError("There is no database yet; there is nothing to copy.")
    if target.exists():
        raise StorageError(f"{target} exists already; name another file.")
    try:
        await asyncio.to_thread(_copy, path, target)
    except (OSError, sqlite3.Error) as error:
        raise StorageError(f"The copy failed: {error}.") from None
    return target.stat().st_size


def _make_private(path: Path) -> None:
    """Create the folder and the file of a database, readable only by their owner, or make them so.

    SQLite gives its other files the mode of the database file. A folder that others use too keeps its mode: one of
    another owner, one with a sticky bit such as `/tmp`, the home folder, and the current one.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE))
    if os.name == "nt":
        return
    for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        with suppress(FileNotFoundError, PermissionError):
            file.chmod(PRIVATE)
    folder = path.parent.resolve()
    found = folder.stat()
    is_shared = found.st_uid != os.getuid() or found.st_mode & stat.S_ISVTX or folder in (Path.home(), Path.cwd())
    if not is_shared:
        folder.chmod(0o700)


def _copy(path: str, target: Path) -> None:
    """Copy a database. What a killed process has copied has another name, so it is not taken for a copy."""
    handle, name = tempfile.mkstemp(".part", f"{target.name}.", target.parent)  # readable only by its owner
    os.close(handle)
    part = Path(name)
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(part)) as copy:
            source.backup(copy)
        part.rename(target)
    finally:
        for left in (part, Path(f"{part}-journal")):
            left.unlink(missing_ok=True)


async def _with_connection(url: str, work: Any, *, exclusive: bool = False) -> str | None:
    """Run `work` with a synchronous connection in a transaction, where `exclusive` one process at a time."""
    using = engine(url)
    try:
        async with using.begin() as connection:
            if connection.dialect.name == "sqlite":
                await connection.exec_driver_sql("BEGIN IMMEDIATE" if exclusive else "BEGIN")
            elif exclusive:
                await connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}s'")
                await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({UPGRADE_LOCK})")
            result: str | None = await connection.run_sync(work)
            return result
    except (SQLAlchemyError, UnreachableError) as error:
        raise StorageError(sentence(error)) from error
    finally:
        await using.dispose()


def _upgrade(connection: Connection) -> str | None:
    current, newest = _current(connection), _newest()
    if current == newest:
        return current
    if current is not None and current not in _versions():
        raise StorageError(
            f"This database has version {current}, which is newer than this program: update the program."
        )
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return newest


def _current(connection: Connection) -> str | None:
    """The version in Alembic's table; None where there is none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return found


def _newest() -> str:
    return max(_versions(), key=int)


def _versions() -> list[str]:
    """The revisions: the numbers at the start of the files' names. A test compares them with Alembic's."""
    return [path.name.partition("_")[0] for path in (FOLDER / "versions").glob("[0-9]*.py")]
