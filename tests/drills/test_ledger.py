"""The ledger under kill -9: after a restart every reservation is settled or freed, whenever the kill came."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator

import pytest

from tests.bot.harness import BotHarness, open_harness

KILLS = 5
COMMANDS = 20
# One person sends all commands, and none of them may wait for the others.
TOGETHER = {"CALLS_PER_PERSON": str(COMMANDS)}
# Seconds during which calls are reserved, answered and settled concurrently.
LOAD_SECONDS = 2.0
SEED = int(os.environ.get("DRILL_SEED", time.time()))
OPEN = "SELECT count(*), coalesce(sum(reserved), 0) FROM calls WHERE NOT settled"
USED = "SELECT count(*), coalesce(sum(prompt_tokens + completion_tokens), 0) FROM calls"


@pytest.fixture
async def harness() -> AsyncIterator[BotHarness]:
    async with open_harness() as made:
        yield made


async def until_open(harness: BotHarness, count: int) -> None:
    """Wait until `count` calls are reserved and not settled."""
    async with asyncio.timeout(30):
        for _ in range(3_000):
            if harness.rows(OPEN)[0][0] == count:
                return
            await asyncio.sleep(0.01)


async def test_what_is_reserved_when_the_bot_is_killed_is_settled_at_its_estimate(harness: BotHarness) -> None:
    """The model has received every call and answered none."""
    harness.model.holds()
    async with harness.bot(TOGETHER) as bot:
        await asyncio.gather(*(harness.slash("translate", text=f"Good morning {n}") for n in range(COMMANDS)))
        await until_open(harness, COMMANDS)
        bot.kill()
        await bot.wait()
    count, reserved = harness.rows(OPEN)[0]
    assert count == COMMANDS
    harness.model.release()
    async with harness.bot(TOGETHER):
        assert harness.rows(OPEN) == [(0, 0)]
        assert harness.rows(USED) == [(COMMANDS, reserved)]


async def test_after_a_kill_at_any_moment_no_call_stays_open_or_is_lost(harness: BotHarness) -> None:
    """Random kills under load; after each restart the ledger still has every earlier call."""
    moments = random.Random(SEED)
    print(f"DRILL_SEED={SEED}")
    harness.model.says("Guten Morgen, wie geht es", pieces=4, delay=0.1)
    calls = 0
    for kill in range(KILLS):
        async with harness.bot(TOGETHER) as bot:
            assert harness.rows(OPEN) == [(0, 0)]
            assert harness.rows(USED)[0][0] >= calls
            going = asyncio.gather(
                *(harness.slash("translate", text=f"{kill}: good morning {n}") for n in range(COMMANDS)),
                return_exceptions=True,
            )
            await asyncio.sleep(moments.uniform(0.05, LOAD_SECONDS))
            bot.kill()
            await bot.wait()
            await going
        calls, used = harness.rows(USED)[0]
        print(f"killed with {harness.rows(OPEN)[0][0]} open of {calls}, {used} tokens settled")
    async with harness.bot(TOGETHER):
        assert harness.rows(OPEN) == [(0, 0)]
        assert harness.rows(USED)[0][0] == calls
