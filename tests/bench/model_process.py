"""The scripted model (`tests.fake_model`) in a process of its own, for benchmarks."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp


class ModelProcess:
    """A model server with one fixed answer."""

    def __init__(self, url: str, token: str, session: aiohttp.ClientSession) -> None:
        self.url, self.token, self._session = url, token, session

    @classmethod
    @asynccontextmanager
    async def start(cls, *arguments: str) -> AsyncIterator["ModelProcess"]:
        """Run it while the block runs; `arguments` are those of `python -m tests.fake_model`."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.fake_model", *arguments), stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        try:
            about = json.loads(await process.stdout.readline())
            async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {about['token']}"}) as session:
                yield cls(about["url"], about["token"], session)
        finally:
            process.terminate()
            await process.wait()

    async def calls(self) -> list[dict[str, Any]]:
        """Every answered request, with the monotonic times of its arrival and its last byte."""
        async with self._session.get(self.url.removesuffix("/v1") + "/calls") as response:
            found: list[dict[str, Any]] = await response.json()
            return found

    async def set_delay(self, seconds: float) -> None:
        """Wait so long before each piece of an answer."""
        async with self._session.post(self.url.removesuffix("/v1") + "/delay", json=seconds):
            pass
