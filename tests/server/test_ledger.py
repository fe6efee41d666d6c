"""Nobody passes a limit, nothing is counted twice, and what a crash left open is counted once."""

import asyncio
import re
from decimal import Decimal

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.caller import Caller
from bot.core.errors import LimitError
from bot.llm.prices import Price, Prices
from bot.llm.usage import Usage
from bot.server.ledger import Ledger, Limits
from bot.storage.database import Database
from bot.storage.tables import CALLS
from tests.server.conftest import Clock

pytestmark = pytest.mark.both_databases

PLENTY = Limits(10**9, 10**9, 10**9, 1000.0)
ANN, BOB = Caller(1, 10), Caller(2, 10)


async def totals(database: Database) -> tuple[int, int, int]:
    """Calls, tokens that count, and calls that are open, as the database has them."""

    async def work(connection: AsyncConnection) -> tuple[int, int, int]:
        tokens = func.coalesce(func.sum(CALLS.c.prompt_tokens + CALLS.c.completion_tokens), 0)
        row = (await connection.execute(select(func.count(), tokens))).one()
        unsettled = select(func.count()).where(CALLS.c.settled.is_(False))
        return row[0], row[1], (await connection.execute(unsettled)).scalar_one()

    return await database.transact(work)


async def reserve(ledger: Ledger, caller: Caller = ANN, tokens: int = 100) -> str:
    return await ledger.reserve(caller, "translate", "gpt-6-luna", tokens)


def priced(usd: str) -> Prices:
    """Prices with a model that is called as one of its tokens costs, in US dollars."""
    return Prices({usd: Price(*[Decimal(usd) * 1_000_000] * 3)})


@pytest.mark.parametrize(
    ("limits", "who"),
    [
        (Limits(5_000, 10**9, 10**9, 9.0), "You have"),
        (Limits(10**9, 5_000, 10**9, 9.0), "This server has"),
        (Limits(10**9, 10**9, 5_000, 9.0), "The bot has"),
    ],
)
async def test_of_200_at_once_exactly_as_many_pass_as_the_limit_allows(
    database: Database, limits: Limits, who: str
) -> None:
    ledger = Ledger(database, limits)
    results = await asyncio.gather(*(reserve(ledger) for _ in range(200)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, LimitError)]
    assert len(refused) == 150
    assert all(str(error).startswith(f"{who} used up") for error in refused)
    assert await totals(database) == (50, 0, 50)


async def test_a_refusal_says_when_the_limit_frees_up(database: Database, clock: Clock) -> None:
    ledger = Ledger(database, Limits(50, 50, 50, 1.0), now=clock)
    with pytest.raises(LimitError, match=r"about 100, and 50 are left") as caught:
        await reserve(ledger)
    at = re.search(r"<t:(\d+):R>", str(caught.value))
    assert at is not None
    assert int(at[1]) == int(clock()) + 12 * 3600


async def test_the_limit_of_one_person_does_not_stop_another(database: Database) -> None:
    ledger = Ledger(database, Limits(100, 1000, 1000, 1.0))
    await reserve(ledger, ANN)
    with pytest.raises(LimitError):
        await reserve(ledger, ANN)
    await reserve(ledger, BOB)


async def test_in_direct_messages_no_servers_limit_holds(database: Database) -> None:
    ledger = Ledger(database, Limits(1000, 50, 1000, 1.0))
    await reserve(ledger, Caller(1, None))
    with pytest.raises(LimitError, match="server"):
        await reserve(ledger, ANN)


async def test_settling_gives_back_what_was_not_used(database: Database) -> None:
    ledger = Ledger(database, Limits(100, 10**9, 10**9, 1.0))
    ledger.settle(await reserve(ledger, tokens=100), "m", Usage(20, 5, 10))
    ledger.settle(await reserve(ledger, tokens=70), "m", Usage())
    await reserve(ledger, tokens=70)
    with pytest.raises(LimitError):
        await reserve(ledger, tokens=1)


async def test_the_ledger_is_the_sum_of_all_usage(database: Database) -> None:
    ledger = Ledger(database, PLENTY)
    ids = await asyncio.gather(*(reserve(ledger, caller) for caller in (ANN, BOB) * 100))
    for number, call in enumerate(ids):
        ledger.settle(call, "gpt-6-luna", Usage(number, 0, 1))
        ledger.settle(call, "gpt-6-luna", Usage(number, 0, 1))
    assert await totals(database) == (200, sum(range(200)) + 200, 0)
    again = Ledger(database, PLENTY)
    assert await again.load() == 0
    assert await totals(database) == (200, sum(range(200)) + 200, 0)


async def test_a_restart_knows_what_was_used_today(database: Database) -> None:
    limits = Limits(100, 10**9, 10**9, 1.0)
    before = Ledger(database, limits)
    before.settle(await reserve(before, tokens=90), "m", Usage(60, 0, 0))
    after = Ledger(database, limits)
    await after.load()
    with pytest.raises(LimitError, match="40 are left"):
        await reserve(after, tokens=41)
    await reserve(after, tokens=40)


async def test_what_a_crash_left_open_is_settled_at_its_estimate_at_the_next_start(database: Database) -> None:
    limits = Limits(100, 10**9, 10**9, 1.0)
    await reserve(Ledger(database, limits), tokens=80)
    after = Ledger(database, limits)
    assert await after.load() == 1
    assert await totals(database) == (1, 80, 0)
    with pytest.raises(LimitError, match="20 are left"):
        await reserve(after, tokens=21)
    assert await Ledger(database, limits).load() == 0


async def test_a_reservation_that_was_cancelled_costs_nothing_also_after_a_restart(database: Database) -> None:
    ledger = Ledger(database, Limits(100, 10**9, 10**9, 1.0))
    going = asyncio.create_task(reserve(ledger, tokens=100))
    await asyncio.sleep(0)
    going.cancel()
    await asyncio.wait({going})
    assert going.cancelled()
    await reserve(ledger, tokens=100)
    calls, tokens, unsettled = await totals(database)
    assert (tokens, unsettled) == (0, 1)
    assert calls in (1, 2)


async def test_a_new_day_frees_all_daily_limits(database: Database, clock: Clock) -> None:
    ledger = Ledger(database, Limits(100, 100, 100, 1.0), now=clock)
    late = await reserve(ledger)
    clock.move(hours=11, minutes=59)
    with pytest.raises(LimitError):
        await reserve(ledger)
    clock.move(minutes=2)
    await reserve(ledger)
    ledger.settle(late, "m", Usage(100, 0, 0))
    with pytest.raises(LimitError, match="0 are left"):
        await reserve(ledger, tokens=1)


async def test_yesterdays_use_does_not_count_after_a_restart(database: Database, clock: Clock) -> None:
    ledger = Ledger(database, Limits(100, 100, 100, 1.0), now=clock)
    ledger.settle(await reserve(ledger), "m", Usage(100, 0, 0))
    clock.move(days=1)
    again = Ledger(database, Limits(100, 100, 100, 1.0), now=clock)
    await again.load()
    await reserve(again)


async def test_a_months_budget_holds_over_days_and_restarts_and_frees_up_with_the_next(
    database: Database, clock: Clock
) -> None:
    clock.move(days=-1)
    limits = Limits(10**9, 10**9, 10**9, 0.5)
    ledger = Ledger(database, limits, now=clock, prices=priced("0.5"))
    ledger.settle(await reserve(ledger), "0.5", Usage(1, 0, 0))
    clock.move(days=1)
    again = Ledger(database, limits, now=clock)
    await again.load()
    for each in (ledger, again):
        with pytest.raises(LimitError, match="budget for this month") as caught:
            await reserve(each)
        assert f"<t:{int(clock()) + 12 * 3600}:R>" in str(caught.value)
    clock.move(days=1)
    await reserve(ledger)
    await reserve(again)


async def test_many_tiny_prices_add_up_exactly(database: Database) -> None:
    ledger = Ledger(database, Limits(10**9, 10**9, 10**9, 0.001), prices=priced("0.0001"))
    for _ in range(10):
        ledger.settle(await reserve(ledger), "0.0001", Usage(1, 0, 0))
    with pytest.raises(LimitError, match="budget"):
        await reserve(ledger)


async def test_a_clock_that_jumps_and_comes_back_forgets_no_limit(database: Database, clock: Clock) -> None:
    ledger = Ledger(database, Limits(100, 100, 100, 1.0), now=clock)
    await ledger.load()
    await reserve(ledger)
    for days in (1, 400, -3, -400):
        clock.move(days=days)
        await reserve(ledger)
        clock.move(days=-days)
        with pytest.raises(LimitError, match="0 are left"):
            await reserve(ledger, tokens=1)


async def test_a_clock_that_was_wrong_at_the_start_knows_the_calls_of_the_day_that_it_jumps_to(
    database: Database, clock: Clock
) -> None:
    before = Ledger(database, Limits(100, 100, 100, 1.0), now=clock, prices=priced("0.009"))
    before.settle(await reserve(before), "0.009", Usage(100, 0, 0))
    clock.move(days=-20_000)
    after = Ledger(database, Limits(100, 100, 100, 1.0), now=clock)
    await after.load()
    clock.move(days=20_000)
    with pytest.raises(LimitError, match="0 are left"):
        await reserve(after, tokens=1)
    assert after.month()[0] == pytest.approx(0.9)


async def test_calls_of_a_day_in_the_future_count_for_no_other_month(database: Database, clock: Clock) -> None:
    ledger = Ledger(database, Limits(10**9, 10**9, 10**9, 1.0), now=clock, prices=priced("0.9"))
    clock.move(days=400)
    ledger.settle(await reserve(ledger), "0.9", Usage(1, 0, 0))
    clock.move(days=-400)
    again = Ledger(database, Limits(10**9, 10**9, 10**9, 1.0), now=clock)
    await again.load()
    assert again.month()[0] == 0


@pytest.mark.parametrize(("model", "most"), [("gpt-6-luna", 19), ("a-model-of-unknown-price", 9)])
async def test_of_200_at_once_no_more_pass_than_the_rest_of_the_budget_covers(
    database: Database, model: str, most: int
) -> None:
    """One cent is left. A call takes 100 + 1,000 tokens: $0.00051, and $0.0011 where the price is not known."""
    ledger = Ledger(database, Limits(10**9, 10**9, 10**9, 0.51), prices=priced("0.50"))
    ledger.settle(await reserve(ledger), "0.50", Usage(1, 0, 0))
    calls = (ledger.reserve(ANN, "translate", model, 100, 1_000) for _ in range(200))
    results = await asyncio.gather(*calls, return_exceptions=True)
    refused = [result for result in results if isinstance(result, LimitError)]
    assert 200 - len(refused) == most
    assert all("budget for this month" in str(error) for error in refused)
    for call in results:
        if isinstance(call, str):
            ledger.settle(call, model, Usage(10, 0, 10))
    await ledger.reserve(ANN, "translate", model, 100, 1_000)


async def test_a_crash_leaves_the_reserved_price_counted(database: Database) -> None:
    limits = Limits(10**9, 10**9, 10**9, 0.0015)
    await Ledger(database, limits).reserve(ANN, "translate", "a-model-of-unknown-price", 0, 1_000)
    after = Ledger(database, limits)
    await after.load()
    with pytest.raises(LimitError, match="budget"):
        await after.reserve(ANN, "translate", "a-model-of-unknown-price", 0, 1_000)


async def test_a_model_without_a_known_price_counts_by_the_setting(database: Database) -> None:
    ledger = Ledger(database, Limits(10**9, 10**9, 10**9, 9.0, unknown_price=2.0))
    for model in ("a-model-of-unknown-price", "gpt-6-luna", "stand-in"):
        ledger.settle(await reserve(ledger), model, Usage(400_000, 0, 100_000))
    assert ledger.month()[0] == pytest.approx(1.0 + 0.09)
    await ledger.days(1)
    assert ledger.at_unknown_price(await ledger.by_model(1)) == 1
    assert ledger.at_unknown_price(await ledger.by_model(1, user_id=4711)) == 0


async def test_five_thousand_people_leave_nothing_open_and_their_sums_go_with_the_day(
    database: Database, clock: Clock
) -> None:
    ledger = Ledger(database, PLENTY, now=clock)
    calls = await asyncio.gather(*(reserve(ledger, Caller(user, user % 50)) for user in range(1, 5_001)))
    for call in calls:
        ledger.settle(call, "gpt-6-luna", Usage(10, 0, 10))
    assert not ledger._open
    for _ in range(10):
        clock.move(days=1)
        await reserve(ledger)
    people = [sum(user != 0 for _, user, _ in sums) for sums in ledger._sums._sums.values() if len(sums) > 1]
    assert people == [2, 2, 2]
