"""The real local engine, served inside the test's process: the bot finds it in its data folder and starts none.

Starting Python for an engine takes longer than most tests ask it for anything. That the bot starts one of its own
where none runs, and how that one lives and dies, is the law of `tests/engine/test_launch.py` and of all tests that
start the real `fewshot` without a model.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.engine.address import Address
from bot.engine.serve import serve


@asynccontextmanager
async def engine_in(data_dir: Path) -> AsyncIterator[Address]:
    """A whole engine over a data folder, for as long as the block lasts; its jobs have processes of their own."""
    ready: asyncio.Queue[Address] = asyncio.Queue()
    stop = asyncio.Event()
    running = asyncio.create_task(serve("127.0.0.1", 0, data_dir, on_ready=ready.put_nowait, stop=stop))
    try:
        yield await ready.get()
    finally:
        stop.set()
        await running
