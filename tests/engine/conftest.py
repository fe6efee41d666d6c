"""An engine of its own for each test that wants one, and the stock client connected to it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import openai
import pytest

from bot.engine.address import Address
from bot.engine.serve import serve


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Address]:
    """A whole engine, in this process, over an empty folder."""
    ready: asyncio.Queue[Address] = asyncio.Queue()
    stop = asyncio.Event()
    running = asyncio.create_task(serve("127.0.0.1", 0, tmp_path, on_ready=ready.put_nowait, stop=stop))
    yield await ready.get()
    stop.set()
    await running


@pytest.fixture
async def local(engine: Address) -> AsyncIterator[openai.AsyncOpenAI]:
    """The stock client, connected to `engine`."""
    async with openai.AsyncOpenAI(base_url=engine.url, api_key=engine.token, max_retries=0) as client:
        yield client
