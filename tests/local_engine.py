"""The local engine inside the test's process. The bot finds it in its data folder and starts none.

This saves the start of a Python process per test. `tests/engine/test_launch.py`, and all tests that start the real
`fewshot` without a model, check that the bot starts an engine of its own.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.engine.launch import Address
from bot.engine.server import serve


@asynccontextmanager
async def engine_in(
    data_dir: Path, *, with_token: bool = True, serving_url: str | None = None, ray_address: str | None = None
) -> AsyncIterator[Address]:
    """Serve a data folder while the block runs; training jobs run in child processes as usual."""
    ready: asyncio.Queue[Address] = asyncio.Queue()
    stop = asyncio.Event()
    serving = serve(
        "127.0.0.1",
        0,
        data_dir,
        with_token=with_token,
        serving_url=serving_url,
        ray_address=ray_address,
        on_ready=ready.put_nowait,
        stop=stop,
    )
    running = asyncio.create_task(serving)
    try:
        yield await ready.get()
    finally:
        stop.set()
        await running
