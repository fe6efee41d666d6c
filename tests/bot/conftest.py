"""One Discord, one model and one running bot, shared by the tests of this folder that do not change global state."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest_asyncio

from tests.bot.harness import BotHarness, free_port, open_harness


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def running() -> AsyncIterator[BotHarness]:
    """The shared bot."""
    port = free_port()
    async with (
        open_harness() as harness,
        harness.bot(fresh=True, MODEL_TIMEOUT="4", HEALTH_PORT=str(port), DISCORD_API=harness.wire.address),
    ):
        yield replace(harness, port=port)


@pytest_asyncio.fixture(loop_scope="package")
async def harness(running: BotHarness) -> BotHarness:
    """The shared bot for one test: a new channel, no faults, and no replies queued at the model."""
    return await running.for_test()


@pytest_asyncio.fixture(loop_scope="package")
async def fresh() -> AsyncIterator[BotHarness]:
    """A Discord and a model for one test, which starts and stops the bot itself, with no database."""
    async with open_harness(blank=True) as made:
        yield made
