"""One engine for a data folder, started by whoever needs it first.

    async with connected(data_dir) as engine:
        client = AsyncOpenAI(base_url=engine.url, api_key=engine.token)

The engine runs as a process of its own and holds the folder's lock for its whole life, so that of two
that start at the same instant one stays. It ends with the process that started it; whoever else was
connected notices within seconds and starts the next, which takes over the port and the token.
"""

import asyncio
import contextlib
import logging
import os
import subprocess
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from bot.engine import address
from bot.engine.address import ALREADY_RUNNING, Address, EngineError

# An engine answers a ping in milliseconds; a machine under load may take a second.
PING_TIMEOUT = 2.0
# Starting takes under a second on a laptop, several times that while everything else starts too.
START_TIMEOUT = 20.0
POLL = 0.05
# How often a connected process looks whether the engine still lives.
WATCH_EVERY = 2.0
STOP_TIMEOUT = 5.0
# The engine has no use for keys, so it gets none: settings with these endings stay with the parent.
SECRETS = ("_TOKEN", "_KEY")

log = logging.getLogger(__name__)


class Engine:
    """The engine of one data folder, as one process sees it."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._address: Address | None = None
        self._child: Process | None = None

    @property
    def url(self) -> str:
        """The base URL with its /v1. It stays the same when the engine is started anew, if the port is free."""
        return self._current.url

    @property
    def token(self) -> str:
        """The token; a placeholder where the engine runs without one, since clients insist on a key."""
        return self._current.token or "none"

    @property
    def _current(self) -> Address:
        if self._address is None:
            raise EngineError("The local engine is not running.")
        return self._address

    async def ensure(self) -> None:
        """Finds the folder's engine, or starts it. Raises `EngineError` when it does not come up in time."""
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            found = address.read(self._data_dir)
            if found is not None and await _answers(found):
                self._address = found
                return
            await self._start_if_needed()
            await asyncio.sleep(POLL)
        raise EngineError("The local engine did not start in time; is the machine very busy?")

    async def _start_if_needed(self) -> None:
        if self._child is None or self._child.returncode == ALREADY_RUNNING:
            self._child = await _spawn(self._data_dir)
        elif self._child.returncode is not None:
            code, self._child = self._child.returncode, None
            if code > 0:
                raise EngineError(f"The local engine ended as it started (code {code}); what it wrote says why.")

    async def watch(self) -> None:
        """Keeps an engine running until cancelled."""
        while True:
            await self._pause()
            if await _answers(self._current):
                continue
            log.warning("The local engine does not answer; starting it anew.")
            try:
                await self.ensure()
            except EngineError as error:
                log.error("%s", error)

    async def _pause(self) -> None:
        """Until the next look: at once when the engine that this process started has ended."""
        if self._child is None or self._child.returncode is not None:
            await asyncio.sleep(WATCH_EVERY)
        else:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._child.wait(), WATCH_EVERY)

    async def close(self) -> None:
        """Ends the engine, where this process started it."""
        child, self._child, self._address = self._child, None, None
        if child is None or child.returncode is not None:
            return
        if child.stdin is not None:
            child.stdin.close()
        try:
            await asyncio.wait_for(child.wait(), STOP_TIMEOUT)
        except TimeoutError:
            child.kill()
            await child.wait()


@contextlib.asynccontextmanager
async def connected(data_dir: Path) -> AsyncIterator[Engine]:
    """The folder's engine, running for as long as the block does. Raises `EngineError`."""
    engine = Engine(data_dir)
    watcher = None
    try:
        await engine.ensure()
        watcher = asyncio.create_task(engine.watch(), name="engine watcher")
        yield engine
    finally:
        if watcher is not None:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)
        await engine.close()


async def _spawn(data_dir: Path) -> Process:
    # A session of its own: Ctrl-C in a terminal is for the parent, which gives running answers their time.
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot.engine", "--data-dir", str(data_dir)),
        stdin=subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if not name.endswith(SECRETS)},
        start_new_session=True,
    )


async def _answers(found: Address) -> bool:
    headers = {"Authorization": f"Bearer {found.token}"} if found.token else {}
    timeout = aiohttp.ClientTimeout(total=PING_TIMEOUT)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{found.url}/models", headers=headers) as response,
        ):
            # Another program may have the port by now; only the engine has the stand-in.
            return response.status == 200 and b'"stand-in"' in await response.read()
    except (aiohttp.ClientError, TimeoutError):
        return False
