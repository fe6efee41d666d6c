"""The bot under kill -9 at ten random moments, and long faults of Discord. No prompt is lost, no call is paid twice.

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
NO_MODEL = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", "CHAT_MODEL": ""}


@pytest.fixture
async def harness() -> AsyncIterator[BotHarness]:
    async with open_harness() as made:
        yield made


async def some_work(harness: BotHarness, number: int) -> list[Exchange]:
    """Start answers of every kind at once."""
    harness.model.says(LONG_ANSWER, **SLOW_STREAM)
    return [
        await harness.slash("translate", text=f"public {number}", to="Greek", private=False),
        await harness.slash("translate", text=f"private {number}", to="Greek", user="friend"),
        await harness.slash("facts", about=f"subject {number}", user="admin"),
        await harness.slash("sentiment", file=harness.wire.file("r.txt", b"Fine.\n" * 30), user="operator"),
    ]


async def kept(harness: BotHarness) -> set[str]:
    """The ids of the prompts in the database."""
    return {str(row[0]) for row in harness.rows("SELECT id FROM prompts")}


async def test_a_killed_bot_keeps_stored_prompts_and_settles_open_calls(harness: BotHarness) -> None:
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
            # Prompts are written within half a second after the answer; a kill before that may lose the prompt.
            assert await harness.wait_for_count("SELECT count(*) FROM prompts WHERE message_id = ?", public[-1].id) == 1
            await some_work(harness, number)
            await asyncio.sleep(chance.uniform(0, 3))
            # What a reader of the database sees, is durable.
            held |= await kept(harness)
            process.kill()
            await process.wait()
            assert "Traceback" not in process.output
        settled, reserved = harness.rows("SELECT sum(settled), count(*) FROM calls")[0]
        print(f"killed with {reserved - settled} calls open; {len(held)} prompts kept")
        # Every call was recorded before it was made; a repair turn belongs to the first call.
        first = [body for body in harness.model.requests if "Answer once more" not in body["messages"][-1]["content"]]
        assert reserved >= len(first)


async def test_the_engine_ends_with_a_killed_bot(harness: BotHarness) -> None:
    async with harness.bot(NO_MODEL) as process:
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        process.kill()
        await process.wait()
        _, alive = await asyncio.to_thread(psutil.wait_procs, children, 10)
        assert not alive
    async with harness.bot(NO_MODEL):
        assert (await harness.answer("translate", is_sentence, text="x", to="Greek")).text


async def test_the_final_text_survives_faults_longer_than_discord_pys_retries(
    harness: BotHarness,
) -> None:
    """discord.py gives up after five attempts in 25 seconds; the seventh attempt succeeds."""
    async with harness.bot():
        harness.model.says(LONG_ANSWER)
        exchange = await harness.slash("translate", text="x", to="Greek")
        await harness.fault_on(exchange, status=502, times=6)
        assert (await exchange.answer(is_final, timeout=120)).content.startswith(LONG_ANSWER)
        assert len(harness.model.calls) == 1


async def test_a_stop_waits_ten_seconds_for_running_answers(harness: BotHarness) -> None:
    async with harness.bot() as process:
        harness.model.says(LONG_ANSWER, pieces=14, delay=0.5)
        exchange = await harness.slash("translate", text="x", to="Greek")
        await exchange.answer(is_sentence)
        process.terminate()
        assert (await exchange.answer(is_final)).content.startswith(LONG_ANSWER)
        assert await process.wait() == 0
