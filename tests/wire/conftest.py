"""Fixtures for the tests of the loopback Discord itself, which drive the tiny bot."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.wire.driver import Wire
from tests.wire.process import Process

TINY = "tests.wire.tiny_bot:main"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tiny_wire() -> AsyncIterator[Wire]:
    """One server with the tiny bot, shared by all tests of a file.

    The server runs in its own process, as for the benchmarks.
    """
    async with Wire.start(alone=True) as running, running.bot(entry=TINY):
        yield running


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    """A server without a bot."""
    async with Wire.start() as running:
        yield running


@pytest.fixture
async def tiny(wire: Wire) -> AsyncIterator[Process]:
    """The tiny bot, connected to `wire`."""
    async with wire.bot(entry=TINY) as process:
        yield process
