"""One Discord, one model and one running bot for all tests of this folder that change nothing for the others."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest_asyncio

from tests.bot.town import Town, free_port, open_town


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def running() -> AsyncIterator[Town]:
    """The bot, at its work."""
    port = free_port()
    async with open_town() as town, town.bot(TEST_PATIENCE="4", HEALTH_PORT=str(port)):
        yield replace(town, port=port)


@pytest_asyncio.fixture(loop_scope="package")
async def town(running: Town) -> Town:
    """The same for one test: a channel of its own, no fault, and a model that has forgotten all it was told."""
    return await running.anew()


@pytest_asyncio.fixture(loop_scope="package")
async def fresh() -> AsyncIterator[Town]:
    """A Discord and a model of the test's own; it starts and ends the bot itself, and begins with nothing."""
    async with open_town(blank=True) as made:
        yield made
