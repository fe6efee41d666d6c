"""Several processes on one database pass no limit together, and each settles only what it left open itself."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import func, select

from bot.core.caller import Caller
from bot.core.errors import LimitError, StorageError
from bot.llm.usage import Usage
from bot.server.ledger import Ledger, Limits
from bot.storage import usage_sums
from bot.storage.calls import Bill, pay
from bot.storage.database import Database, open_database
from bot.storage.erasure import erase_person
from bot.storage.tables import CALLS, USAGE_SUMS
from tests.server.conftest import Clock

pytestmark = pytest.mark.both_databases
PLENTY = Limits(10**9, 10**9, 10**9, 1000.0)
ANN, BOB = Caller(1, 10), Caller(2, 10)


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[Database]:
    """The database as another process has it."""
    async with open_database(database_url) as opened:
        yield opened


def ledgers(limits: Limits, clock: Clock, *databases: Database) -> list[Ledger]:
    return [Ledger(one, limits, now=clock, slot=slot, shared=True) for slot, one in enumerate(databases)]


async def reserve(ledger: Ledger, caller: Caller = ANN, tokens: int = 100) -> str:
    return await ledger.reserve(caller, "translate", "m", tokens)


async def stored(database: Database) -> tuple[int, dict[tuple[str, int, int], int]]:
    """The number of open calls, and all sums."""
    async with database.read() as connection:
        unsettled = await connection.scalar(select(func.count()).where(CALLS.c.settled.is_(False)))
        rows = await connection.execute(select(USAGE_SUMS).where(USAGE_SUMS.c.period.like("%-%-%")))
        return unsettled or 0, {(row.period, row.user_id, row.guild_id): row.amount for row in rows}


@pytest.mark.parametrize("limits", [Limits(10_000, 10**9, 10**9, 9.0), Limits(10**9, 10**9, 10_000, 9.0)])
async def test_four_processes_with_200_each_at_once_let_exactly_as_many_pass_as_the_limit_allows(
    database: Database, other: Database, clock: Clock, limits: Limits
) -> None:
    four = ledgers(limits, clock, database, other, database, other)
    tries = [reserve(ledger) for _ in range(200) for ledger in four]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(result, LimitError) for result in results) == 700
    day = clock.at.date().isoformat()
    assert await stored(database) == (
        100,
        dict.fromkeys([(day, 0, 0), (day, 1, 0), (day, 0, 10), (day, 1, 10)], 10_000),
    )
    for call in [result for result in results if isinstance(result, str)]:
        for ledger in four:
            ledger.settle(call, "m", Usage(30, 0, 20))
    for ledger in four:
        await ledger.close()
    for ledger in four:
        await ledger.refresh(BOB)
        assert ledger.today(BOB)["bot"] == (5_000, limits.everyone)
        assert ledger.today(BOB)["user"] == (0, limits.user)
    assert (await stored(database))[0] == 0


async def test_a_start_settles_what_its_own_slot_left_open_and_the_sums_stay_right(
    database: Database, other: Database, clock: Clock
) -> None:
    first, second = ledgers(PLENTY, clock, database, other)
    for ledger in (first, first, second):
        await reserve(ledger)
    again = Ledger(database, PLENTY, now=clock, slot=0, shared=True)
    assert await again.load() == 2
    assert (await stored(database))[0] == 1
    await again.refresh(ANN)
    assert again.today(ANN)["user"] == (300, 10**9)
    clock.move(days=1, seconds=1)
    assert await again.load() == 1


async def test_a_clock_that_is_ten_minutes_fast_changes_no_limit_and_settles_nothing_of_others(
    database: Database, other: Database, clock: Clock
) -> None:
    fast = Clock()
    fast.move(minutes=10)
    limits = Limits(10**9, 10**9, 1_000, 9.0)
    right = Ledger(database, limits, now=clock, slot=0, shared=True)
    ahead = Ledger(other, limits, now=fast, slot=1, shared=True)
    results = await asyncio.gather(*(reserve(one) for _ in range(10) for one in (right, ahead)), return_exceptions=True)
    assert sum(isinstance(result, str) for result in results) == 10
    assert await Ledger(other, limits, now=fast, slot=2, shared=True).load() == 0
    # Between their midnights, each counts in its own day.
    for one in (clock, fast):
        one.move(hours=11, minutes=55)
    await reserve(ahead)
    with pytest.raises(LimitError):
        await reserve(right)


async def test_sums_that_one_process_did_not_keep_are_counted_from_its_calls(database: Database, clock: Clock) -> None:
    alone = Ledger(database, Limits(1_000, 10**9, 10**9, 9.0), now=clock)
    alone.settle(await reserve(alone, tokens=900), "m", Usage(600, 0, 200))
    await reserve(alone, BOB, 50)
    (shared,) = ledgers(Limits(1_000, 10**9, 10**9, 9.0), clock, database)
    with pytest.raises(LimitError, match="200 are left"):
        await reserve(shared, tokens=201)
    await reserve(shared, tokens=200)
    day = clock.at.date().isoformat()
    assert (await stored(database))[1][day, 0, 0] == 1_050
    await usage_sums.forget(database, day)
    await reserve(shared, BOB, 1)
    assert (await stored(database))[1][day, 0, 0] == 1_051


async def test_a_call_that_ends_after_an_erasure_leaves_no_row_of_the_person(database: Database, clock: Clock) -> None:
    (ledger,) = ledgers(PLENTY, clock, database)
    call = await reserve(ledger)
    await erase_person(database, ANN.user_id, str)
    ledger.settle(call, "m", Usage(30, 0, 20))
    await ledger.close()
    day = clock.at.date().isoformat()
    assert (await stored(database))[1] == {(day, 0, 0): 50, (day, 0, 10): 50}


async def test_a_bill_is_in_the_sum_of_its_month_once(database: Database, clock: Clock) -> None:
    (ledger,) = ledgers(Limits(10**9, 10**9, 10**9, 1.0), clock, database)
    await reserve(ledger, tokens=1)
    bill = Bill("job", clock(), 1, "m", 999_999_000)
    for _ in range(2):
        await database.transact(lambda connection: pay(connection, bill))
    with pytest.raises(LimitError, match="budget"):
        await reserve(ledger, tokens=1)


async def test_cancelled_and_failed_reservations_are_counted_nowhere(
    database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ledger,) = ledgers(Limits(150, 10**9, 10**9, 9.0), clock, database)
    await ledger.load()
    going = [asyncio.create_task(reserve(ledger)) for _ in range(3)]
    await asyncio.sleep(0)
    for task in going:
        task.cancel()
    await asyncio.wait(going)
    await ledger.close()

    async def fails(_: object) -> None:
        raise StorageError("The database is away.")

    with monkeypatch.context() as patched:
        patched.setattr(database, "transact", fails)
        with pytest.raises(StorageError, match="away"):
            await reserve(ledger)
    await ledger.close()
    assert set((await stored(database))[1].values()) == {0}
    await reserve(ledger, tokens=150)


async def test_a_reservation_that_is_cancelled_before_it_is_counted_makes_no_room_for_another(
    database: Database, clock: Clock
) -> None:
    (ledger,) = ledgers(Limits(100, 10**9, 10**9, 9.0), clock, database)
    await ledger.load()
    first = asyncio.create_task(reserve(ledger))
    for _ in range(5):  # Until its transaction has begun.
        await asyncio.sleep(0)
    second, third = (asyncio.create_task(reserve(ledger)) for _ in range(2))
    await asyncio.sleep(0)
    third.cancel()
    results = await asyncio.gather(first, second, third, return_exceptions=True)
    assert [type(result) for result in results] == [str, LimitError, asyncio.CancelledError]
