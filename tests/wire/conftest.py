"""A loopback Discord with the tiny bot on it, for the tests of the loopback Discord itself."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.wire.driver import Wire
from tests.wire.process import Process

TINY = "tests.wire.tiny_bot:main"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def busy() -> AsyncIterator[Wire]:
    """One server with the tiny bot for a whole file of tests; each of them goes to a channel of its own.

    It is a process of its own, as the benchmarks need it.
    """
    async with Wire.start(alone=True) as running, running.bot(entry=TINY):
        yield running


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    """The server, without a bot."""
    async with Wire.start() as running:
        yield running


@pytest.fixture
async def tiny(wire: Wire) -> AsyncIterator[Process]:
    """The tiny bot, connected to the server."""
    async with wire.bot(entry=TINY) as process:
        yield process
