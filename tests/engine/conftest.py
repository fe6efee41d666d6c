"""An engine per test, and the stock client connected to it."""

from collections.abc import AsyncIterator
from pathlib import Path

import openai
import pytest

from bot.engine.launch import Address
from tests.local_engine import engine_in


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Address]:
    """A whole engine, in this process, over an empty folder."""
    async with engine_in(tmp_path) as found:
        yield found


@pytest.fixture
async def local(engine: Address) -> AsyncIterator[openai.AsyncOpenAI]:
    """The stock client, connected to `engine`."""
    async with openai.AsyncOpenAI(base_url=engine.url, api_key=engine.token, max_retries=0) as client:
        yield client
