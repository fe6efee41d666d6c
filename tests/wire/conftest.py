"""A loopback Discord with the tiny bot on it, for the tests of the loopback Discord itself."""

from collections.abc import AsyncIterator

import pytest

from tests.wire.driver import Wire
from tests.wire.process import Process

TINY = "tests.wire.tiny_bot:main"


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
