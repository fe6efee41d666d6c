"""`fewshot worker` as a process beside the bot: it does the long work, and the bot goes on after a kill -9.

Discord, the model that writes the questions and the provider run in the test's process and count all requests.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.tuning.questions import CONCURRENT
from tests.tuning.harness import CORPUS, ENTRY, TuningHarness, open_tuning_harness
from tests.wire.process import Process

TEXTS = 8
KEPT = "SELECT total((state != 'waiting') + (state = 'checked')) FROM chunks"


@asynccontextmanager
async def worker(tuning_harness: TuningHarness) -> AsyncIterator[Process]:
    """A worker on the bot's database, until the block ends or it is killed."""
    wire, env = tuning_harness.harness.wire, tuning_harness.harness.env(**tuning_harness.env)
    process = await Process.start(ENTRY, ["worker"], wire.env() | env, wire.folder)
    try:
        await process.wrote("This worker follows")
        yield process
    finally:
        await process.close()


async def test_a_bot_does_what_a_killed_worker_left_and_repeats_nothing() -> None:
    async with open_tuning_harness(texts=TEXTS, facts=6, delay=0.1) as tuning_harness, tuning_harness.bot() as bot:
        writer = tuning_harness.writer()
        writer.stops = 5
        async with worker(tuning_harness) as first:
            await asyncio.sleep(1.0)  # Until the bot has seen the worker.
            asking = asyncio.create_task(tuning_harness.prepare())
            await tuning_harness.killed(first, lambda: tuning_harness.one(KEPT) == writer.stops)
            assert tuning_harness.harness.rows("SELECT error FROM builds") == [("",)]
        writer.goes_on()
        prepared = await asking
        assert "Review" in prepared.text or "dataset" in prepared.text
        assert set(writer.answered.values()) == {1}
        assert len(writer.answered) == 2 * TEXTS
        tuning_harness.provider.way = ("running",)
        async with worker(tuning_harness) as second:
            await asyncio.sleep(1.0)
            await tuning_harness.start()
            await tuning_harness.card("training")
            await tuning_harness.killed(
                second, lambda: tuning_harness.one("SELECT status FROM tuning_jobs") == "running"
            )
            holder = tuning_harness.one("SELECT holder FROM tuning_jobs")
            assert tuning_harness.harness.rows("SELECT name FROM leases WHERE holder = ?", holder)
        tuning_harness.provider.way = ("running", "succeeded")
        await tuning_harness.done()
        assert tuning_harness.one("SELECT holder FROM tuning_jobs") != holder
        await tuning_harness.nothing_twice()
        # The calls that the first worker was making at its end count as reserved for a day.
        assert tuning_harness.one("SELECT count(*) FROM calls WHERE NOT settled") <= CONCURRENT
        async with worker(tuning_harness) as third:
            third.terminate()
            assert await third.wait() == 0
            assert "Traceback" not in third.output + bot.output
        print(
            f"\n{writer.asked.total()} calls for {2 * TEXTS} answers of {CORPUS}: the others were running at the kill"
        )
