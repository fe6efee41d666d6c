"""Waits for what another task or process does."""

import asyncio
from collections.abc import Callable

# Seconds between two checks, and seconds after which waiting fails.
POLL_INTERVAL, TIMEOUT = 0.01, 20.0


async def until(done: Callable[[], bool]) -> None:
    """Return when `done` is true; `TimeoutError` after `TIMEOUT` seconds."""
    async with asyncio.timeout(TIMEOUT):
        while not done():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(POLL_INTERVAL)
