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

from tests.bot.town import SLOWLY, WORDS, Town, a_sentence, final, open_town
from tests.wire.exchange import Exchange, Message

KILLS = 10
SEED = int(os.environ.get("DRILL_SEED", time.time()))
BARE = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", "CHAT_MODEL": ""}


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with open_town() as made:
        yield made


async def some_work(town: Town, number: int) -> list[Exchange]:
    """Answers of every kind, under way at the same time."""
    town.model.says(WORDS, **SLOWLY)
    return [
        await town.does("translate", text=f"public {number}", to="Greek", private=False),
        await town.does("translate", text=f"private {number}", to="Greek", user="friend"),
        await town.does("facts", about=f"subject {number}", user="admin"),
        await town.does("sentiment", file=town.wire.file("r.txt", b"Fine.\n" * 30), user="operator"),
    ]


async def kept(town: Town) -> set[str]:
    """The prompts that the database holds for good."""
    return {str(row[0]) for row in town.rows("SELECT id FROM prompts")}


async def test_a_bot_that_is_killed_keeps_what_it_kept_and_settles_what_it_owes(town: Town) -> None:
    chance = random.Random(SEED)
    print(f"\nDRILL_SEED={SEED}")
    public: list[Message] = []
    held: set[str] = set()
    for number in range(KILLS):
        async with town.bot() as process:
            assert town.rows("PRAGMA integrity_check") == [("ok",)]
            assert town.rows("SELECT count(*) FROM calls WHERE NOT settled") == [(0,)]
            assert held <= await kept(town)
            for message in public[-2:]:
                assert "Prompt · " in (await town.presses(message, "Prompt")).text
            town.model.says("At once.")
            public.append(await town.answer("translate", text=f"round {number}", to="Greek", private=False))
            # What nobody waits for is written within half a second; a kill in between may cost the prompt.
            assert await town.number("SELECT count(*) FROM prompts WHERE message_id = ?", public[-1].id) == 1
            await some_work(town, number)
            await asyncio.sleep(chance.uniform(0, 3))
            # What a reader of the database sees is durable.
            held |= await kept(town)
            process.kill()
            await process.wait()
            assert "Traceback" not in process.output
        settled, reserved = town.rows("SELECT sum(settled), count(*) FROM calls")[0]
        print(f"killed with {reserved - settled} calls open; {len(held)} prompts kept")
        # No call was made that had not been written down before it; a repair turn goes with the first.
        first = [body for body in town.model.requests if "Answer once more" not in body["messages"][-1]["content"]]
        assert reserved >= len(first)


async def test_a_bot_that_is_killed_takes_its_engine_along(town: Town) -> None:
    async with town.bot(**BARE) as process:
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        process.kill()
        await process.wait()
        _, alive = await asyncio.to_thread(psutil.wait_procs, children, 10)
        assert not alive
    async with town.bot(**BARE):
        assert (await town.answer("translate", a_sentence, text="x", to="Greek")).text


async def test_a_fault_of_discord_that_outlasts_all_retries_of_the_library_does_not_cost_the_final_text(
    town: Town,
) -> None:
    """discord.py gives a request up after five tries and 25 seconds; the seventh gets through."""
    async with town.bot():
        town.model.says(WORDS)
        exchange = await town.does("translate", text="x", to="Greek")
        await town.fault_on(exchange, status=502, times=6)
        assert (await exchange.answer(final, timeout=120)).content.startswith(WORDS)
        assert len(town.model.calls) == 1


async def test_a_stop_waits_ten_seconds_for_answers_under_way(town: Town) -> None:
    async with town.bot() as process:
        town.model.says(WORDS, pieces=14, delay=0.5)
        exchange = await town.does("translate", text="x", to="Greek")
        await exchange.answer(a_sentence)
        process.terminate()
        assert (await exchange.answer(final)).content.startswith(WORDS)
        assert await process.wait() == 0
