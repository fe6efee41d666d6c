"""`kill -9` of the bot at ten random moments, and Discord's long faults: nothing kept is lost, nothing is paid twice.

Run with `make drills`. `DRILL_SEED` repeats a run.
"""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator

import psutil
import pytest

from tests.bot.harness import LONG_ANSWER, SLOW_STREAM, BotHarness, is_final, is_sentence, open_harness
from tests.wire.exchange import Exchange, Message

KILLS = 10
SEED = int(os.environ.get("DRILL_SEED", time.time()))
BARE = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", "CHAT_MODEL": ""}


@pytest.fixture
async def harness() -> AsyncIterator[BotHarness]:
    async with open_harness() as made:
        yield made


async def some_work(harness: BotHarness, number: int) -> list[Exchange]:
    """Answers of every kind, under way at the same time."""
    harness.model.says(LONG_ANSWER, **SLOW_STREAM)
    return [
        await harness.slash("translate", text=f"public {number}", to="Greek", private=False),
        await harness.slash("translate", text=f"private {number}", to="Greek", user="friend"),
        await harness.slash("facts", about=f"subject {number}", user="admin"),
        await harness.slash("sentiment", file=harness.wire.file("r.txt", b"Fine.\n" * 30), user="operator"),
    ]


async def kept(harness: BotHarness) -> set[str]:
    """The prompts that the database holds for good."""
    return {str(row[0]) for row in harness.rows("SELECT id FROM prompts")}


async def test_a_bot_that_is_killed_keeps_what_it_kept_and_settles_what_it_owes(harness: BotHarness) -> None:
    chance = random.Random(SEED)
    print(f"\nDRILL_SEED={SEED}")
    public: list[Message] = []
    held: set[str] = set()
    for number in range(KILLS):
        async with harness.bot() as process:
            assert harness.rows("PRAGMA integrity_check") == [("ok",)]
            assert harness.rows("SELECT count(*) FROM calls WHERE NOT settled") == [(0,)]
            assert held <= await kept(harness)
            for message in public[-2:]:
                assert "Prompt · " in (await harness.press(message, "Prompt")).text
            harness.model.says("At once.")
            public.append(await harness.answer("translate", text=f"round {number}", to="Greek", private=False))
            # What nobody waits for is written within half a second; a kill in between may cost the prompt.
            assert await harness.wait_for_count("SELECT count(*) FROM prompts WHERE message_id = ?", public[-1].id) == 1
            await some_work(harness, number)
            await asyncio.sleep(chance.uniform(0, 3))
            # What a reader of the database sees is durable.
            held |= await kept(harness)
            process.kill()
            await process.wait()
            assert "Traceback" not in process.output
        settled, reserved = harness.rows("SELECT sum(settled), count(*) FROM calls")[0]
        print(f"killed with {reserved - settled} calls open; {len(held)} prompts kept")
        # No call was made that had not been written down before it; a repair turn goes with the first.
        first = [body for body in harness.model.requests if "Answer once more" not in body["messages"][-1]["content"]]
        assert reserved >= len(first)


async def test_a_bot_that_is_killed_takes_its_engine_along(harness: BotHarness) -> None:
    async with harness.bot(**BARE) as process:
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        process.kill()
        await process.wait()
        _, alive = await asyncio.to_thread(psutil.wait_procs, children, 10)
        assert not alive
    async with harness.bot(**BARE):
        assert (await harness.answer("translate", is_sentence, text="x", to="Greek")).text


async def test_a_fault_of_discord_that_outlasts_all_retries_of_the_library_does_not_cost_the_final_text(
    harness: BotHarness,
) -> None:
    """discord.py gives a request up after five tries and 25 seconds; the seventh gets through."""
    async with harness.bot():
        harness.model.says(LONG_ANSWER)
        exchange = await harness.slash("translate", text="x", to="Greek")
        await harness.fault_on(exchange, status=502, times=6)
        assert (await exchange.answer(is_final, timeout=120)).content.startswith(LONG_ANSWER)
        assert len(harness.model.calls) == 1


async def test_a_stop_waits_ten_seconds_for_answers_under_way(harness: BotHarness) -> None:
    async with harness.bot() as process:
        harness.model.says(LONG_ANSWER, pieces=14, delay=0.5)
        exchange = await harness.slash("translate", text="x", to="Greek")
        await exchange.answer(is_sentence)
        process.terminate()
        assert (await exchange.answer(is_final)).content.startswith(LONG_ANSWER)
        assert await process.wait() == 0
