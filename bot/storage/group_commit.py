"""Group commit: one task writes everything that is queued as one transaction.

A commit waits for the disk. With two commits per command the bot needs 2.2 times the CPU time of a bare bot, with one
commit for a group of commands 1.1 times (measured 2026-11-22, 50 commands at once). A write returns when its
transaction is durable.

Most writes are rows for a SQLite file. They use a synchronous connection in a thread of its own: one thread switch per
transaction instead of one per step. `bot.storage.database._row_engine` has the figures.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from time import monotonic
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncTransaction
from sqlalchemy.sql.base import Executable

from bot.core.errors import StorageError
from bot.storage.errors import (
    REPEATABLE,
    InDoubtError,
    UnreachableError,
    is_full,
    is_locked,
    is_lost,
    is_of_database,
    sentence,
    sqlstate,
    to_user_error,
)

T = TypeVar("T")
_log = logging.getLogger(__name__)
# Seconds that a deferred write (`later`) may wait, so that it shares a transaction.
DEFER_SECONDS = 0.5
# Seconds between two attempts at deferred writes that the database could not take, and the maximum number of them that
# are kept for that.
RETRY_SECONDS, MAX_KEPT = 5.0, 1_000
# The maximum number of jobs in a transaction, so that the first does not wait long for the last.
GROUP_SIZE = 500
CLOSING = "The database is closing; nothing more is written."
# What `work` does first, so that it alone reads and writes: SQLite's write lock, or a lock of PostgreSQL by its number,
# which all processes of the bot use.
WRITE_LOCK = 0x66657773
EXCLUSIVE = {"sqlite": "BEGIN IMMEDIATE", "postgresql": f"SELECT pg_advisory_xact_lock({WRITE_LOCK})"}
# Seconds between two log lines about failing writes.
LOG_PAUSE = 60.0


@dataclass(slots=True, eq=False)
class _Job:
    """Either `statement` with `row`, or `work`, or neither. `done` gets the result; a job without it is deferred."""

    done: "asyncio.Future[Any] | None" = None
    statement: Executable | None = None
    row: Mapping[str, Any] | None = None
    work: Callable[[AsyncConnection], Awaitable[Any]] | None = None


class Writer:
    """Queues jobs and commits them in groups, in order of arrival.

    `rows` is an optional synchronous engine for the same SQLite file, used for groups that contain rows only.
    """

    def __init__(self, engine: AsyncEngine, rows: Engine | None = None) -> None:
        self._engine, self._rows = engine, rows
        self._thread = ThreadPoolExecutor(1, "database rows")
        self._direct: Connection | None = None
        self._jobs: asyncio.Queue[_Job | None] = asyncio.Queue()
        self._deferred: list[_Job] = []
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._logged = -LOG_PAUSE
        # What each transaction on PostgreSQL checks first, because it may come from a process that lost its slot.
        self.fence: Callable[[AsyncConnection], Awaitable[None]] | None = None
        # Whether the newest write failed because of the database or the disk, and not because of its own values.
        self.failing = False
        self.errors = 0

    async def __aenter__(self) -> Self:
        # Connect here, not in the task, so that a failure is raised to the caller. Keep the connection: taking one from
        # the pool would cost each group a rollback and two thread switches.
        connection = self._engine.connect()
        try:
            if self._rows is not None:
                self._direct = await self._threaded(self._rows.connect)
            await connection.start()
        except (DBAPIError, UnreachableError) as error:
            raise StorageError(sentence(error)) from error
        self._task = asyncio.create_task(self._run(connection), name="database writer")
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Write what is still queued, then stop."""
        self._closed = True
        self.hurry()
        self._jobs.put_nowait(None)
        if self._task:
            await self._task
        if self._direct is not None:
            await self._threaded(self._direct.close)
        self._thread.shutdown()

    async def row(self, statement: Executable, row: Mapping[str, Any]) -> None:
        """Run `statement` for `row`."""
        await self._queued(_Job(statement=statement, row=row))

    def later(self, statement: Executable, row: Mapping[str, Any]) -> None:
        """Run `statement` for `row` within `DEFER_SECONDS` seconds, without waiting for it.

        While the database is away, locked or full, it is tried again and again. Another failure is logged.
        """
        job = _Job(statement=statement, row=row)
        if self._closed:
            _fail(job, StorageError(CLOSING))
            return
        self._deferred.append(job)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DEFER_SECONDS, self.hurry)

    def hurry(self) -> None:
        """Queue the deferred writes now, in order."""
        for job in self._take_deferred():
            self._jobs.put_nowait(job)

    async def flush(self) -> None:
        """Write the deferred writes now, and wait for it. Their failures are logged and not raised."""
        self.hurry()
        with suppress(StorageError):
            await self._queued(_Job())

    def _take_deferred(self) -> list[_Job]:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deferred, self._deferred = self._deferred, []
        return deferred

    async def work(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run `work` in a transaction after the deferred writes. Its failure rolls back only itself."""
        self.hurry()
        result: T = await self._queued(_Job(work=work))
        return result

    async def _threaded(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _queued(self, job: _Job) -> Any:
        if self._closed:
            raise StorageError(CLOSING)
        job.done = asyncio.get_running_loop().create_future()
        self._jobs.put_nowait(job)
        return await job.done

    async def _run(self, connection: AsyncConnection) -> None:
        """Write all queued jobs as one transaction and set their results, until closed."""
        try:
            while (first := await self._jobs.get()) is not None:
                group = [first]
                while len(group) < GROUP_SIZE and not self._jobs.empty():
                    if (job := self._jobs.get_nowait()) is None:
                        self._jobs.put_nowait(None)
                        break
                    group.append(job)
                if self._jobs.empty():  # They share this commit; they follow what was queued before them.
                    group += self._take_deferred()
                await self._write(connection, group)
        finally:
            await connection.close()

    async def _write(self, connection: AsyncConnection, group: list[_Job], *, again: bool = False) -> None:
        """Write a group as one transaction; if it fails, each job on its own, so that only the faulty job fails.

        A group whose transaction was undone because the server ended the connection, or preferred another
        transaction, is written once `again`.
        """
        try:
            if self._direct is not None and all(job.work is None for job in group):
                results = await self._threaded(partial(_write_rows, self._direct, group))
            else:
                results = await _transaction(connection, group, self.fence)
        except Exception as error:  # noqa: BLE001 - an exception of a job goes to its caller, and the writer continues
            if is_lost(error) or isinstance(error, InDoubtError):
                await connection.invalidate()
                await connection.rollback()  # Else the connection's failed transaction is in the way of the next.
            if not again and (is_lost(error) or sqlstate(error) in REPEATABLE):
                await self._write(connection, group, again=True)
                return
            self._note(error)
            # If another program has the lock, the disk is full or the server away, each job would only fail again. What
            # may be stored already must not be stored again.
            is_away = isinstance(error, UnreachableError | InDoubtError) or is_lost(error)
            if is_away or is_locked(error) or is_full(error):
                self._fail_now(group, error)
            elif len(group) == 1:
                _fail(group[0], error)
            else:
                for job in group:
                    await self._write(connection, [job])
            return
        if self.failing:
            self.failing = False
            _log.info("the database can be written again")
        for job, result in zip(group, results, strict=True):
            if job.done is not None and not job.done.done():
                job.done.set_result(result)

    def _fail_now(self, group: list[_Job], error: Exception) -> None:
        """The database cannot be written now: fail the jobs that somebody waits for, and defer the others again."""
        deferred = [job for job in group if job.done is None]
        if not self._closed and len(self._deferred) + len(deferred) <= MAX_KEPT:
            self._deferred[:0] = deferred
            if deferred and self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(RETRY_SECONDS, self.hurry)
            group = [job for job in group if job.done is not None]
        for job in group:
            _fail(job, error)

    def _note(self, error: Exception) -> None:
        """Log an error of the database or the disk, once a minute, and remember that writing fails."""
        if not is_of_database(error):
            return
        self.failing = True
        self.errors += 1
        if monotonic() - self._logged >= LOG_PAUSE:
            self._logged = monotonic()
            _log.error("writing to the database fails: %s", getattr(error, "orig", error.__cause__))


def _write_rows(connection: Connection, group: list[_Job]) -> list[Any]:
    """Write a group that contains rows only, as one transaction."""
    with connection.begin():
        for jobs in _by_statement(group):
            if jobs[0].statement is not None:
                connection.execute(*_execution(jobs))
    return [None] * len(group)


async def _transaction(
    connection: AsyncConnection, group: list[_Job], fence: Callable[[AsyncConnection], Awaitable[None]] | None
) -> list[Any]:
    """The group as one transaction; the results of all jobs, in order."""
    results: list[Any] = []
    async with connection.begin() as transaction:
        if fence is not None:
            await fence(connection)
        if any(job.work is not None for job in group):
            # `work` may read before it writes, so it needs the write lock from the start. Rows need none: on SQLite the
            # driver takes it with the first write.
            await connection.exec_driver_sql(EXCLUSIVE[connection.dialect.name])
        for jobs in _by_statement(group):
            if (work := jobs[0].work) is not None:
                results.append(await work(connection))
                continue
            if jobs[0].statement is not None:
                await connection.execute(*_execution(jobs))
            results += [None] * len(jobs)
        await _commit(transaction)
    return results


async def _commit(transaction: AsyncTransaction) -> None:
    """Commit. Raises `InDoubtError` where the server does not say whether it did."""
    try:
        await transaction.commit()
    except DBAPIError as error:
        if is_lost(error):
            raise InDoubtError from error
        raise


def _by_statement(group: list[_Job]) -> Iterator[list[_Job]]:
    """The group in order; adjacent rows of the same statement are together, each `work` is separate."""
    for _, jobs in groupby(group, key=lambda job: id(job if job.statement is None else job.statement)):
        yield list(jobs)


def _execution(jobs: list[_Job]) -> tuple[Executable, list[dict[str, Any]]]:
    """The statement of `jobs`, which share it, and their rows."""
    statement = jobs[0].statement
    assert statement is not None, "rows have a statement"
    return statement, [dict(job.row or {}) for job in jobs]


def _fail(job: _Job, error: Exception) -> None:
    """Pass `error` to the caller of the job; a caller that was cancelled is ignored."""
    failure = to_user_error(error) if isinstance(error, SQLAlchemyError) else error
    if job.done is None:
        # Without its traceback where the database is the reason.
        is_known = is_of_database(failure) or (failure.__cause__ is not None and is_of_database(failure.__cause__))
        _log.error("a deferred write failed: %s", failure, exc_info=None if is_known else failure)
    elif not job.done.done():
        job.done.set_exception(failure)
