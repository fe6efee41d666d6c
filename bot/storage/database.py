"""Opens the database: one connection that writes, several that read.

With SQLAlchemy's defaults, 400 concurrent read-then-write increments on SQLite ended at 51, without an error (measured
2026-11-22): a transaction that reads first sees an old snapshot. On PostgreSQL, two processes promoted a model twice in
58 of 60 tries (measured 2026-11-27). So a write transaction that may read first takes a lock when it begins, and reads
use other connections in autocommit mode.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import URL, Engine, create_engine, delete, event, func, make_url, select
from sqlalchemy.exc import DisconnectionError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.base import Executable

from bot.core.errors import StorageError
from bot.core.i18n import N_
from bot.storage.errors import AWAY, POOLED, UnreachableError, is_of_database, sentence
from bot.storage.group_commit import Writer
from bot.storage.tables import KEY_VALUES, SLOTS

if TYPE_CHECKING:
    import aiosqlite

T = TypeVar("T")
P = ParamSpec("P")
# Milliseconds that a connection waits for another process's lock, e.g. of a second `fewshot` command.
BUSY_MS = 10_000
READERS = 4
# Seconds that closing waits for reads under way.
CLOSE_TIMEOUT = 5.0
# The row that shows whether writing works again: more than one page of the file.
PROBE, PROBE_SIZE = "write:probe", 10_000
LOST_SLOT = N_("Another process of mine has taken over here. Try again in a moment.")
# What holds the address of the database, and the error about one that cannot be used.
URL_SETTING = "DATABASE_URL"
BAD_URL = (
    "{name} is no address that can be used; for SQLite write sqlite+aiosqlite:///folder/file, for PostgreSQL "
    "postgresql+asyncpg://user:key@host/database."
)
# `secure_delete` overwrites deleted rows, so that an erased person is in no byte of the file.
PRAGMAS = (
    "journal_mode = WAL",
    "foreign_keys = ON",
    f"busy_timeout = {BUSY_MS}",
    "synchronous = FULL",
    "secure_delete = ON",
)
# PostgreSQL's number of a session.
SESSION = select(func.pg_backend_pid())
# Noted at a connection that was used before.
USED = "used"
ENDED_AT_ONCE = "it ends connections at once"
# Seconds until a PostgreSQL server that does not answer is given up.
CONNECT_TIMEOUT = 10
# Settings of each connection to PostgreSQL. A process that stops in the middle of a transaction must not keep the lock
# of all others for ever. Compiling a query to machine code takes longer than any of the bot's queries.
SERVER_SETTINGS = {
    "application_name": "fewshot",
    "idle_in_transaction_session_timeout": "60s",
    "lock_timeout": f"{BUSY_MS}ms",
    "jit": "off",
}


class Database:
    """Reads at once, writes in groups. Only the modules of this package use it for SQL."""

    def __init__(self, writing: AsyncEngine, reading: AsyncEngine, writer: Writer) -> None:
        self._writing, self._reading, self._writer = writing, reading, writer
        self._open_reads, self._no_reads = 0, asyncio.Event()

    @property
    def errors(self) -> int:
        """How often writing failed because of the database or its disk, since the start."""
        return self._writer.errors

    async def write(self, statement: Executable, row: Mapping[str, Any]) -> None:
        """Run `statement` with `row`; durable on return. Rows of one statement in a group run together."""
        await self._writer.row(statement, row)

    def write_later(self, statement: Executable, row: Mapping[str, Any]) -> None:
        """Run `statement` with `row` in the next group, within half a second, or later if the database is away.

        Another failure is only logged.
        """
        self._writer.later(statement, row)

    def hurry(self) -> None:
        """Write now what `write_later` was given."""
        self._writer.hurry()

    async def flush(self) -> None:
        """Write now what `write_later` was given, and wait for it. Failures are only logged."""
        await self._writer.flush()

    def fence(self, slot: int, epoch: int) -> None:
        """From now on, write only while `epoch` is that of the `slot`: a process that lost its slot writes nothing."""
        # The row stays as it is until the transaction ends.
        query = select(SLOTS.c.epoch).where(SLOTS.c.number == slot).with_for_update(read=True)

        async def check(connection: AsyncConnection) -> None:
            if await connection.scalar(query) != epoch:
                raise StorageError(LOST_SLOT)

        self._writer.fence = check

    async def transact(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run `work` inside the writer's transaction. An exception undoes all of it."""
        return await self._writer.work(work)

    async def execute(self, statement: Executable) -> int:
        """Run `statement` in a transaction of its own; returns the number of rows that it changed."""
        result = await self.transact(lambda connection: connection.execute(statement))
        return int(result.rowcount)

    async def fetch_all(self, query: Executable) -> Sequence[Any]:
        """Read all rows of `query`."""
        async with self.read() as connection:
            return (await connection.execute(query)).all()

    async def fetch_rows(self, query: Executable, row: Callable[..., T]) -> list[T]:
        """Read all rows of `query`, each as the arguments of `row`."""
        return [row(*values) for values in await self.fetch_all(query)]

    async def fetch_row(self, query: Executable, row: Callable[..., T]) -> T | None:
        """Read the first row of `query`; None where there is none."""
        return next(iter(await self.fetch_rows(query, row)), None)

    async def fetch_values(self, query: Executable) -> list[Any]:
        """Read the first column of `query`."""
        return [row[0] for row in await self.fetch_all(query)]

    async def fetch_value(self, query: Executable) -> Any:
        """Read the first column of the first row of `query`; None where there is none."""
        return next(iter(await self.fetch_values(query)), None)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading. Raises `StorageError` where the database does not answer."""
        self._open_reads += 1
        try:
            async with self._reading.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            if is_of_database(error):
                raise StorageError(AWAY) from error
            raise
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
        """Move SQLite's write-ahead log into the database file, so that deleted rows are in neither."""
        async with self.read() as connection:
            if connection.dialect.name == "sqlite":
                await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    async def check(self) -> None:
        """Raises `StorageError` when the database does not answer, or when it cannot be written."""
        async with self.read() as connection:
            await connection.exec_driver_sql("SELECT 1")
        if self._writer.failing:
            await self.transact(_write_probe)


def in_transaction(
    work: Callable[Concatenate[AsyncConnection, P], Awaitable[T]],
) -> Callable[Concatenate[Database, P], Coroutine[Any, Any, T]]:
    """Make of `work`, which takes a connection, a function that takes the database and runs `work` in a transaction."""

    @wraps(work)
    async def run(database: Database, /, *args: P.args, **values: P.kwargs) -> T:
        return await database.transact(lambda connection: work(connection, *args, **values))

    return run


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[Database]:
    """The database at a SQLAlchemy `url`; its schema must be current (`bot.storage.migrations`).

    Raises `StorageError` where it cannot be opened.
    """
    writing = engine(url, begins="IMMEDIATE", pool_size=1, max_overflow=0)
    rows = _row_engine(url)
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


async def check_sessions(url: str) -> None:
    """Raises `StorageError` where a connection to the server at `url` is not a session of its own.

    A pooler may give each transaction of a connection another session, as PgBouncer does with `pool_mode=transaction`.
    Then the locks of slots, notices and prepared statements end up in the wrong session.
    """
    using = engine(url, poolclass=NullPool)
    try:
        async with using.connect() as idle, using.connect() as busy:
            await idle.execution_options(isolation_level="AUTOCOMMIT")
            sessions = [await one.scalar(SESSION) for one in (idle, busy, idle)]
    except (SQLAlchemyError, UnreachableError) as error:
        raise StorageError(sentence(error)) from error
    finally:
        await using.dispose()
    if sessions[0] == sessions[1] or sessions[0] != sessions[2]:
        raise StorageError(f"The database cannot be used: {POOLED}.")


async def _write_probe(connection: AsyncConnection) -> None:
    """Write a row and delete it again."""
    await connection.execute(KEY_VALUES.insert().values(name=PROBE, value="x" * PROBE_SIZE))
    await connection.execute(delete(KEY_VALUES).where(KEY_VALUES.c.name == PROBE))


def engine(url: str, *, begins: str | None = None, **options: Any) -> AsyncEngine:
    """An engine for `url`.

    `begins` is the mode in which SQLite's driver begins a transaction before it writes: `IMMEDIATE` takes the write
    lock at once. With None the driver begins none.
    """
    try:
        made = create_async_engine(_parsed(url), **options)
    except SQLAlchemyError:
        raise StorageError(BAD_URL.format(name=URL_SETTING)) from None
    except ImportError as error:
        raise StorageError(f"DATABASE_URL asks for a driver that is not installed: {error.name}.") from None
    if made.dialect.name == "sqlite":
        event.listen(made.sync_engine, "do_connect", _connect_to_file)
        _prepare(made.sync_engine, begins)
    elif made.dialect.name == "postgresql":
        _prepare_server(made.sync_engine)
    else:
        raise StorageError(BAD_URL.format(name=URL_SETTING))
    return made


def _connect_to_file(dialect: Any, _record: object, arguments: list[Any], options: dict[str, Any]) -> Any:
    """Let SQLAlchemy's driver open a SQLite file with `_open_file`."""
    return dialect.connect(*arguments, async_creator_fn=_open_file, **options)


async def _open_file(*arguments: Any, **options: Any) -> "aiosqlite.Connection":
    """Open a SQLite file. A call that fails or is cancelled ends after the connection's thread.

    aiosqlite does not wait for the thread, which raises an exception if the event loop is closed first (0.22.1).
    """
    import aiosqlite  # not needed on PostgreSQL

    connection = aiosqlite.connect(*arguments, **options)
    connection._thread.daemon = True  # as SQLAlchemy does
    try:
        return await connection
    except BaseException:
        if connection._thread.is_alive():
            connection._thread.join()  # It only opens the file and closes it.
        raise


def _row_engine(url: str) -> Engine | None:
    """A synchronous engine for the writer's rows; None where the database is not a SQLite file.

    At 50 commands at once, aiosqlite alone takes 0.82, 0.94 and 1.12 times the bare bot's CPU time per command, above
    the target of 0.8. With this engine it is 0.73, 0.99 and 1.06 times (three runs of `tests.bench` on 2026-11-28, on a
    machine under other load).
    """
    if file_of(url) is None:
        return None
    made = create_engine(_parsed(url).set(drivername="sqlite"), pool_size=1, max_overflow=0)
    _prepare(made, "IMMEDIATE")
    return made


def _prepare(made: Engine, begins: str | None) -> None:
    """Set SQLite's options on each new connection, outside of a transaction, where foreign keys can be set."""

    def prepare(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
        connection.isolation_level = begins

    event.listen(made, "connect", prepare)


def _prepare_server(made: Engine) -> None:
    """Raise `UnreachableError` where the server gives no connection, and use none that the server has ended."""

    def connect(dialect: Any, _record: object, arguments: list[Any], options: dict[str, Any]) -> Any:
        try:
            return dialect.connect(*arguments, timeout=CONNECT_TIMEOUT, server_settings=SERVER_SETTINGS, **options)
        except (OSError, dialect.loaded_dbapi.Error) as error:
            raise UnreachableError from error

    def checkout(connection: Any, record: Any, _proxy: object) -> None:
        if not connection.driver_connection.is_closed():
            record.info[USED] = True
        elif USED in record.info:
            raise DisconnectionError  # The pool makes a new one.
        else:
            raise UnreachableError from ConnectionError(ENDED_AT_ONCE)

    # SQLAlchemy's hooks for columns of JSON, which no table has. Their errors would be the driver's own.
    hooks: Any = made.dialect
    hooks.setup_asyncpg_json_codec = hooks.setup_asyncpg_jsonb_codec = _set_up_nothing
    event.listen(made, "do_connect", connect)
    event.listen(made, "checkout", checkout)


async def _set_up_nothing(_connection: object) -> None:
    return


def file_of(url: str) -> str | None:
    """The path of a SQLite database; None for one in memory or on a server."""
    parsed = _parsed(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        return None
    return parsed.database


def check_address(url: str, name: str) -> None:
    """Raise a `StorageError` about `name`, which holds `url`, if that is no address of a database."""
    if _parsed(url, name).get_backend_name() not in ("sqlite", "postgresql"):
        raise StorageError(BAD_URL.format(name=name))


def _parsed(url: str, name: str = URL_SETTING) -> URL:
    """The parts of `url`. Raises a `StorageError` with `name` and without the URL, which may contain a password."""
    try:
        parsed = make_url(url)
    except (SQLAlchemyError, ValueError):
        raise StorageError(BAD_URL.format(name=name)) from None
    if parsed.drivername == "sqlite":  # SQLAlchemy's default driver for it is not asynchronous.
        raise StorageError(BAD_URL.format(name=name))
    return parsed
