"""What a job cost is among the month's dollars: once, whatever crashes, and whoever follows it."""

import asyncio

import pytest
from sqlalchemy import text

from bot.core.errors import LimitError
from bot.storage.tuning import JobRow, change_job, get_job
from bot.tuning.job_runner import poll
from bot.tuning.service import Tuning
from tests.tuning.conftest import Opened
from tests.tuning.fake_provider import FakeProvider
from tests.tuning.harness import open_tuning_harness
from tests.tuning.test_jobs import ended, run, until

# A million tokens are counted, at three dollars; the month has room for the job, and for nothing after it.
PRICED = {"tuning_provider": "openai", "tuning_model": "gpt-4o-mini-2024-07-18", "monthly_usd": 3}
PRICE = 3_000_000_000
FAILING = (
    "CREATE TRIGGER broken BEFORE INSERT ON calls WHEN NEW.purpose = 'training' BEGIN SELECT RAISE(ABORT, 'full'); END"
)


async def paid(tuning: Tuning) -> list[tuple[str, int, int, str]]:
    """What the ledger has of jobs: whose, for how many billionths of a dollar, with how many tokens, and the model."""
    async with tuning.jobs.tools.database.read() as connection:
        query = "SELECT id, nanodollars, reserved, model FROM calls WHERE purpose = 'training' AND settled"
        return [tuple(row) for row in await connection.execute(text(query))]


async def run_sql(tuning: Tuning, sql: str) -> None:
    await tuning.jobs.tools.database.transact(lambda connection: connection.execute(text(sql)))


async def waiting(tuning: Tuning, provider: FakeProvider) -> JobRow:
    """A job that its provider has not finished."""
    provider.way = ("running",)
    job = await tuning.jobs.start((await tuning.datasets.newest("bakers")).id, 7)
    await until(tuning, job.id, lambda job: job.state == "running")
    return job


@pytest.mark.both_databases
async def test_a_job_is_paid_when_it_ends_and_the_month_is_full_after_it(opened: Opened) -> None:
    async with opened(**PRICED) as tuning:
        job = await run(tuning)
        assert await paid(tuning) == [(job.id, PRICE, 0, job.base)]
        # The base models are asked last, and found no dollars left.
        assert "budget for this month" in job.note
    async with opened(**PRICED) as anew:
        with pytest.raises(LimitError, match="budget for this month"):
            await anew.models.score(job.model, 7)


async def test_a_day_without_tokens_left_pays_all_the_same(opened: Opened) -> None:
    async with opened(daily=0, **PRICED) as tuning:
        job = await run(tuning)
        assert "today's tokens" in job.note
        assert await paid(tuning) == [(job.id, PRICE, 0, job.base)]


async def test_a_job_whose_price_cannot_be_written_goes_on_when_it_can(opened: Opened, provider: FakeProvider) -> None:
    async with opened(**PRICED) as tuning:
        job = await waiting(tuning, provider)
        await run_sql(tuning, FAILING)
        provider.way = ("succeeded",)
        polls = provider.calls["GET job"]
        while provider.calls["GET job"] < polls + 6:  # noqa: ASYNC110 - the provider counts
            await asyncio.sleep(0.01)
        now = await get_job(tuning.jobs.tools.database, job.id)
        assert now is not None
        assert (now.state, now.trained_tokens) == ("running", None)
        await run_sql(tuning, "DROP TRIGGER broken")
        assert (await ended(tuning, job.id)).state == "done"
        assert await paid(tuning) == [(job.id, PRICE, 0, job.base)]


@pytest.mark.both_databases
async def test_two_followers_that_take_the_same_step_pay_once(opened: Opened, provider: FakeProvider) -> None:
    async with opened(**PRICED) as first, opened(**PRICED) as second:
        job = await waiting(first, provider)
        await first.jobs.runner.close()
        stands = await get_job(first.jobs.tools.database, job.id)
        assert stands is not None
        provider.way = ("succeeded",)
        await asyncio.gather(poll(first.jobs.tools, stands), poll(second.jobs.tools, stands))
        assert await paid(first) == [(job.id, PRICE, 0, job.base)]


async def test_a_job_that_was_cancelled_here_as_it_succeeded_is_paid(opened: Opened, provider: FakeProvider) -> None:
    async with opened(**PRICED) as tuning:
        job = await waiting(tuning, provider)
        await tuning.jobs.runner.close()
        stands = await get_job(tuning.jobs.tools.database, job.id)
        assert stands is not None
        await change_job(tuning.jobs.tools.database, job.id, state="cancelled")
        provider.way = ("succeeded",)
        await poll(tuning.jobs.tools, stands)
        assert (await tuning.jobs.get(job.id)).state == "cancelled"
        assert await paid(tuning) == [(job.id, PRICE, 0, job.base)]


async def test_a_bot_that_is_killed_as_its_job_ends_pays_once() -> None:
    env = {"TUNING_PROVIDER": "openai", "TUNING_MODEL": PRICED["tuning_model"], "MONTHLY_USD": "100"}
    async with open_tuning_harness(delay=0.05, way=("running",)) as tuning_harness:
        tuning_harness.env.update({name: str(value) for name, value in env.items()})
        tuning_harness.writer()
        async with tuning_harness.bot() as process:
            await tuning_harness.prepare()
            confirmation = await tuning_harness.estimate()
            (start,) = [button for button in confirmation.buttons if "Start: about $" in str(button)]
            await tuning_harness.harness.wire.press(confirmation, start, user="operator")
            await tuning_harness.card("steps")
            tuning_harness.provider.way = ("succeeded",)
            await tuning_harness.killed(
                process, lambda: tuning_harness.one("SELECT state FROM tuning_jobs") != "running"
            )
        async with tuning_harness.bot():
            await tuning_harness.done()
            query = "SELECT nanodollars, settled FROM calls WHERE purpose = 'training'"
            assert tuning_harness.harness.rows(query) == [(PRICE, 1)]
