"""One Discord, one model and one running bot for all tests of this folder that change nothing for the others."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest_asyncio

from tests.bot.town import Town, open_town


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def running() -> AsyncIterator[Town]:
    """The bot, at its work."""
    async with open_town() as town, town.bot(TEST_PATIENCE="4"):
        yield town


@pytest_asyncio.fixture(loop_scope="package")
async def town(running: Town) -> Town:
    """The same for one test: a channel of its own, no fault, and a model that has forgotten all it was told."""
    await running.wire.clear_faults()
    running.model.release()
    # What a test that failed has left unsaid would be said in the next one.
    running.model._next.clear()
    running.model.says("All is well.")
    running.model.calls.clear()
    place = await running.wire.create_channel("a-test")
    return replace(running, place=place["id"])


@pytest_asyncio.fixture(loop_scope="package")
async def fresh() -> AsyncIterator[Town]:
    """A Discord and a model of the test's own; it starts and ends the bot itself, and begins with nothing."""
    async with open_town(blank=True) as made:
        yield made
