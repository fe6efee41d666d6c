"""The ledger under kill -9: whatever moment it comes, every reservation is settled or freed after the restart."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator

import pytest

from tests.bot.town import Town, open_town

KILLS = 5
COMMANDS = 20
# Seconds in which calls are reserved, answered and settled all at the same time.
BUSY = 2.0
SEED = int(os.environ.get("DRILL_SEED", time.time()))
OPEN = "SELECT count(*), coalesce(sum(reserved), 0) FROM calls WHERE NOT settled"
USED = "SELECT count(*), coalesce(sum(prompt_tokens + completion_tokens), 0) FROM calls"


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with open_town() as made:
        yield made


async def until_open(town: Town, count: int) -> None:
    """Wait until so many calls are reserved and not settled."""
    async with asyncio.timeout(30):
        for _ in range(3_000):
            if town.rows(OPEN)[0][0] == count:
                return
            await asyncio.sleep(0.01)


async def test_what_is_reserved_when_the_bot_is_killed_is_settled_at_its_estimate(town: Town) -> None:
    """All of it between reserve and settle: the model has every call, and has answered none."""
    town.model.holds()
    async with town.bot() as bot:
        await asyncio.gather(*(town.does("translate", text=f"Good morning {n}") for n in range(COMMANDS)))
        await until_open(town, COMMANDS)
        bot.kill()
        await bot.wait()
    count, reserved = town.rows(OPEN)[0]
    assert count == COMMANDS
    town.model.release()
    async with town.bot():
        assert town.rows(OPEN) == [(0, 0)]
        assert town.rows(USED) == [(COMMANDS, reserved)]


async def test_at_any_moment_nothing_stays_open_and_nothing_is_lost(town: Town) -> None:
    """Killed at random while calls come and go; after each restart the ledger still knows every call of before."""
    moments = random.Random(SEED)
    print(f"DRILL_SEED={SEED}")
    town.model.says("Guten Morgen, wie geht es", pieces=4, delay=0.1)
    known = 0
    for kill in range(KILLS):
        async with town.bot() as bot:
            assert town.rows(OPEN) == [(0, 0)]
            assert town.rows(USED)[0][0] >= known
            going = asyncio.gather(
                *(town.does("translate", text=f"{kill}: good morning {n}") for n in range(COMMANDS)),
                return_exceptions=True,
            )
            await asyncio.sleep(moments.uniform(0.05, BUSY))
            bot.kill()
            await bot.wait()
            await going
        known, used = town.rows(USED)[0]
        print(f"killed with {town.rows(OPEN)[0][0]} open of {known}, {used} tokens settled")
    async with town.bot():
        assert town.rows(OPEN) == [(0, 0)]
        assert town.rows(USED)[0][0] == known
