"""The test sets of tricks, their runs, and the cells of a run: one answer to one test.

Everything belongs to a trick and is deleted with it.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, Update, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import Database, in_transaction
from bot.storage.rows import columns_of, values_of
from bot.storage.tables import TRICK_CELLS, TRICK_RUNS, TRICK_TESTS, TRICKS

# `score`: what the examples are worth together. `examples`: what each one is worth. `watch`: what a model is worth.
RunKind = Literal["score", "examples", "watch"]
# `stopped` may go on, `done` not.
RunState = Literal["running", "stopped", "done"]


@dataclass(frozen=True, slots=True)
class TestRow:
    """An input with its expected answer, and who added it."""

    id: str
    user_id: int
    at: float
    input: str
    expected: str


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run of tests on one `version` of a trick. `tests` is the JSON of those that it asks, as they were at its start.

    `problem` says why a run stopped. `message_id` is the message with its card, once there is one.
    """

    id: str
    user_id: int
    at: float
    kind: RunKind
    version: int
    judge: str
    repeat: int
    tests: str
    channel_id: int
    model: str
    message_id: int | None = None
    state: RunState = "running"
    problem: str = ""


@dataclass(frozen=True, slots=True)
class TrickRun:
    """A run, and the server and name of its trick."""

    guild_id: int
    name: str
    row: RunRow


@dataclass(frozen=True, slots=True)
class CellRow:
    """The answer to one test with the prompt called `arm`, in the repetition `round` from 1.

    `score` is from 0 to 1, or None where nobody could judge it; `problem` says why. `nanodollars` is None where the
    price is not known.
    """

    test_id: str
    arm: str
    round: int
    answer: str
    score: float | None
    problem: str
    tokens: int
    nanodollars: int | None


# Gets the tests of a trick, and returns those to add.
Choose = Callable[[Sequence[TestRow]], Sequence[TestRow]]
_TEST = columns_of(TRICK_TESTS, TestRow)
_RUN = columns_of(TRICK_RUNS, RunRow)
_CELL = columns_of(TRICK_CELLS, CellRow)
_IN_ORDER = (TRICK_TESTS.c.at, TRICK_TESTS.c.id)


async def tests_of(database: Database, guild_id: int, name: str) -> list[TestRow]:
    """The tests of a trick, oldest first."""
    query = select(*_TEST).join(TRICKS, TRICK_TESTS.c.trick_id == TRICKS.c.id)
    query = query.where(TRICKS.c.guild_id == guild_id, TRICKS.c.name == name).order_by(*_IN_ORDER)
    return await database.fetch_rows(query, TestRow)


@in_transaction
async def add_tests(connection: AsyncConnection, guild_id: int, name: str, choose: Choose) -> bool:
    """Store the tests that `choose` returns, which gets those that are there; False where there is no such trick."""
    trick = await _trick_id(connection, guild_id, name)
    if trick is None:
        return False
    there = select(*_TEST).where(TRICK_TESTS.c.trick_id == trick).order_by(*_IN_ORDER)
    new = choose([TestRow(*row) for row in await connection.execute(there)])
    if new:
        await connection.execute(TRICK_TESTS.insert(), [{**values_of(row), "trick_id": trick} for row in new])
    return True


async def remove_test(database: Database, guild_id: int, test_id: str) -> bool:
    """Delete a test of a server's trick; returns whether it was there."""
    tricks = select(TRICKS.c.id).where(TRICKS.c.guild_id == guild_id)
    gone = delete(TRICK_TESTS).where(TRICK_TESTS.c.id == test_id, TRICK_TESTS.c.trick_id.in_(tricks))
    return await database.execute(gone) > 0


@in_transaction
async def add_run(
    connection: AsyncConnection, guild_id: int, name: str, run: RunRow
) -> Literal["added", "gone", "busy"]:
    """Store a run. `busy`: another one of the trick is running. `gone`: there is no such trick."""
    trick = await _trick_id(connection, guild_id, name)
    if trick is None:
        return "gone"
    if await _is_busy(connection, trick):
        return "busy"
    await connection.execute(TRICK_RUNS.insert(), {**values_of(run), "trick_id": trick})
    return "added"


@in_transaction
async def resume_run(connection: AsyncConnection, run_id: str) -> bool:
    """Let a stopped run go on; False where it is not stopped, or another one of its trick is running."""
    query = select(TRICK_RUNS.c.trick_id).where(TRICK_RUNS.c.id == run_id, TRICK_RUNS.c.state == "stopped")
    trick = await connection.scalar(query)
    if trick is None or await _is_busy(connection, trick):
        return False
    await connection.execute(_change(run_id, state="running", problem=""))
    return True


async def find_run(database: Database, run_id: str) -> TrickRun | None:
    """The run with this id."""
    return next(iter(await _runs(database, TRICK_RUNS.c.id == run_id)), None)


async def watch_runs(database: Database, guild_id: int) -> list[TrickRun]:
    """The runs of the model watch of a server."""
    return await _runs(database, (TRICKS.c.guild_id == guild_id) & (TRICK_RUNS.c.kind == "watch"))


async def running(database: Database) -> list[TrickRun]:
    """The runs that are not over, of all servers."""
    return await _runs(database, TRICK_RUNS.c.state == "running")


async def earlier_runs(
    database: Database, guild_id: int, name: str, version: int, models: Collection[str], before: float
) -> list[TrickRun]:
    """The finished runs on a version of a trick, with one of `models`, that began before a time; oldest first."""
    where = (TRICKS.c.guild_id == guild_id) & (TRICKS.c.name == name) & (TRICK_RUNS.c.at < before)
    where &= (TRICK_RUNS.c.state == "done") & TRICK_RUNS.c.kind.in_(["score", "watch"])
    where &= (TRICK_RUNS.c.version == version) & TRICK_RUNS.c.model.in_(models)
    return await _runs(database, where)


async def end_run(database: Database, run_id: str, state: RunState, problem: str = "") -> None:
    """Store how a run ended; one that has ended stays as it is."""
    await database.execute(_change(run_id, state=state, problem=problem).where(TRICK_RUNS.c.state == "running"))


async def set_run_message(database: Database, run_id: str, message_id: int) -> None:
    """Store which message shows a run."""
    await database.execute(_change(run_id, message_id=message_id))


@in_transaction
async def add_cell(connection: AsyncConnection, run_id: str, cell: CellRow) -> None:
    """Store an answer of a run that exists; a run that was deleted meanwhile gets none."""
    there = select(TRICK_RUNS.c.id).where(TRICK_RUNS.c.id == run_id)
    if await connection.scalar(there) is not None:
        await connection.execute(TRICK_CELLS.insert(), {**values_of(cell), "run_id": run_id})


async def cells_of(database: Database, run_id: str) -> list[CellRow]:
    """The answers of a run so far."""
    query = select(*_CELL).where(TRICK_CELLS.c.run_id == run_id)
    return await database.fetch_rows(query, CellRow)


async def _trick_id(connection: AsyncConnection, guild_id: int, name: str) -> str | None:
    return await connection.scalar(select(TRICKS.c.id).where(TRICKS.c.guild_id == guild_id, TRICKS.c.name == name))


async def _is_busy(connection: AsyncConnection, trick_id: str) -> bool:
    active = (TRICK_RUNS.c.trick_id == trick_id) & (TRICK_RUNS.c.state == "running")
    return await connection.scalar(select(TRICK_RUNS.c.id).where(active).limit(1)) is not None


async def _runs(database: Database, where: ColumnElement[bool]) -> list[TrickRun]:
    query = select(TRICKS.c.guild_id, TRICKS.c.name, *_RUN).join(TRICKS, TRICK_RUNS.c.trick_id == TRICKS.c.id)
    rows = await database.fetch_all(query.where(where).order_by(TRICK_RUNS.c.at))
    return [TrickRun(guild_id, name, RunRow(*row)) for guild_id, name, *row in rows]


def _change(run_id: str, **values: object) -> Update:
    return update(TRICK_RUNS).where(TRICK_RUNS.c.id == run_id).values(**values)
