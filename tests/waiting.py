"""Waits for what another task or process does."""

import asyncio
from collections.abc import Callable

# Seconds between two looks, and in which it must happen.
LOOK, PATIENCE = 0.01, 20.0


async def until(done: Callable[[], bool]) -> None:
    """Return when `done` is true; `TimeoutError` after `PATIENCE` seconds."""
    async with asyncio.timeout(PATIENCE):
        while not done():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(LOOK)
