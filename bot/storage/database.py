"""The database: one connection that writes, a few that read, opened and closed together.

With SQLAlchemy's defaults 400 concurrent read-then-write increments on SQLite ended at 51, without an error
(measured 2026-11-22): a transaction that reads first holds an old snapshot. So write transactions begin
immediate, one at a time, and reads run beside them in autocommit.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.sql.base import Executable

from bot.core.errors import StorageError
from bot.storage.group_commit import Writer

T = TypeVar("T")
# Milliseconds that a connection waits for another process's lock: `fewshot db backup`, a command line beside us.
BUSY_MS = 10_000
READERS = 4
# Seconds that closing waits for reads under way.
CLOSE_TIMEOUT = 5.0
BAD_URL = "DATABASE_URL is no address that can be used; for SQLite write sqlite+aiosqlite:///folder/file."
# `secure_delete` overwrites what is deleted: somebody who asked to be forgotten is not to be found in the file.
PRAGMAS = (
    "journal_mode = WAL",
    "foreign_keys = ON",
    f"busy_timeout = {BUSY_MS}",
    "synchronous = FULL",
    "secure_delete = ON",
)


class Database:
    """Reads at once, writes grouped. All records come and go through the files beside this one."""

    def __init__(self, writing: AsyncEngine, reading: AsyncEngine, writer: Writer) -> None:
        self._writing, self._reading, self._writer = writing, reading, writer
        self._open_reads, self._no_reads = 0, asyncio.Event()

    async def write(self, statement: Executable, row: Mapping[str, Any]) -> None:
        """Run `statement` for `row`; returns when it is durable. Equal statements of a group run as one."""
        await self._writer.row(statement, row)

    def write_later(self, statement: Executable, row: Mapping[str, Any]) -> None:
        """The same for a write that nobody waits for: it joins the next group, within half a second."""
        self._writer.later(statement, row)

    def hurry(self) -> None:
        """Write now what would wait for company."""
        self._writer.hurry()

    async def transact(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run `work` alone inside the writer's transaction; all of it is kept, or none."""
        return await self._writer.work(work)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection to read with, beside the writer."""
        self._open_reads += 1
        try:
            async with self._reading.connect() as connection:
                yield connection
        finally:
            self._open_reads -= 1
            if not self._open_reads:
                self._no_reads.set()

    async def wait_for_reads(self) -> None:
        """Return when no read is under way, or after `CLOSE_TIMEOUT` seconds.

        A read that is cancelled gives its connection back a moment later. If the event loop ends before, the driver
        waits for ever for its own thread (aiosqlite 0.22.1, seen 2026-11-28).
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                while self._open_reads:
                    self._no_reads.clear()
                    await self._no_reads.wait()

    async def scrub(self) -> None:
        """Empty SQLite's log of changes into the file, so that what was deleted stands in neither."""
        async with self.read() as connection:
            if connection.dialect.name == "sqlite":
                await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    async def check(self) -> None:
        """Raises `StorageError` when the database does not answer."""
        try:
            async with self.read() as connection:
                await connection.exec_driver_sql("SELECT 1")
        except SQLAlchemyError as error:
            raise StorageError("The database does not answer.") from error


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[Database]:
    """The database at a SQLAlchemy `url`, whose schema must be current (`bot.storage.migrations`).

    Raises `StorageError` where it cannot be opened.
    """
    writing = engine(url, begins="IMMEDIATE", pool_size=1, max_overflow=0)
    rows = _rows_of(url)
    reading = engine(url, isolation_level="AUTOCOMMIT", pool_size=READERS)
    try:
        async with Writer(writing, rows) as writer:
            database = Database(writing, reading, writer)
            try:
                yield database
            finally:
                await database.wait_for_reads()
    finally:
        await reading.dispose()
        await writing.dispose()
        if rows is not None:
            rows.dispose()


def engine(url: str, *, begins: str | None = None, **options: Any) -> AsyncEngine:
    """An engine for `url`. `begins` is how SQLite's driver begins a transaction by itself, before it writes:
    `IMMEDIATE` takes the write lock at once; None leaves it to us.
    """
    try:
        made = create_async_engine(_parsed(url), **options)
    except SQLAlchemyError:
        raise StorageError(BAD_URL) from None
    except ImportError as error:
        raise StorageError(f"DATABASE_URL asks for a driver that is not installed: {error.name}.") from None
    if made.dialect.name == "sqlite":
        _prepare(made.sync_engine, begins)
    return made


def _rows_of(url: str) -> Engine | None:
    """The same as a synchronous engine, for a writer's rows; None where a file of SQLite is not what they go to."""
    if file_of(url) is None:
        return None
    made = create_engine(_parsed(url).set(drivername="sqlite"), pool_size=1, max_overflow=0)
    _prepare(made, "IMMEDIATE")
    return made


def _prepare(made: Engine, begins: str | None) -> None:
    """SQLite's own settings belong to each connection; foreign keys cannot be set inside a transaction."""

    def prepare(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
        connection.isolation_level = begins

    event.listen(made, "connect", prepare)


def file_of(url: str) -> str | None:
    """The path of a SQLite database; None for one in memory or on a server."""
    parsed = _parsed(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        return None
    return parsed.database


def _parsed(url: str) -> URL:
    """`url` in its parts; raises `StorageError` that does not repeat it, as it may hold a password."""
    try:
        parsed = make_url(url)
    except (SQLAlchemyError, ValueError):
        raise StorageError(BAD_URL) from None
    if parsed.drivername == "sqlite":  # the driver that SQLAlchemy would take by itself is not asynchronous
        raise StorageError(BAD_URL)
    return parsed


def sentence(error: Exception) -> str:
    """Why a database could not be used, in a sentence for the operator."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.OperationalError) and "locked" in str(cause):
        return "The database is locked by another program; stop that one first."
    return f"The database cannot be used: {cause}."
