"""One engine for a data folder, started by the first process that needs it.

    async with connected(data_dir) as engine:
        client = AsyncOpenAI(base_url=engine.url, api_key=engine.token)

The engine is a process of its own and holds the folder's lock for its whole life, so that of two engines started at
the same instant one remains. It ends with the process that started it. Other connected processes notice that within
seconds and start the next engine, which takes over port and token. Both are in `engine.json` in the data folder.
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
from dataclasses import asdict, dataclass, field
from pathlib import Path

import aiohttp

from bot.core.errors import FewshotError
from bot.engine import child_processes, disk

ADDRESS_FILE = "engine.json"
LOCK = "engine.lock"
# The exit code of an engine that finds another one serving its folder.
ALREADY_RUNNING = 3

# An engine answers a ping in milliseconds; a machine under load may take a second.
PING_TIMEOUT = 2.0
PING_BYTES = 4096
# Starting takes under a second on a laptop, and several times that while everything else starts too.
START_TIMEOUT = 20.0
POLL_SECONDS = 0.05
# How often a connected process checks that the engine still answers.
WATCH_SECONDS = 2.0
STOP_TIMEOUT = 5.0
# Environment variables with these endings are not passed to the engine, which needs no keys but that of the model hub.
SECRETS, HUB_KEY = ("_TOKEN", "_KEY"), "HF_TOKEN"

log = logging.getLogger(__name__)


class EngineError(FewshotError):
    """The local engine could not be started or reached; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Address:
    """An engine's base URL (with its /v1), its token (None if it runs without one) and its process id."""

    url: str
    token: str | None = field(repr=False)
    pid: int


def write_address(folder: Path, address: Address) -> None:
    """Writes `engine.json` whole or not at all, readable by its owner only (mode 0600)."""
    disk.write_json(folder / ADDRESS_FILE, asdict(address), durable=True)


def read_address(folder: Path) -> Address | None:
    """The address in `engine.json`, or None if there is none. The engine may have ended since."""
    found = disk.read_json(folder / ADDRESS_FILE)
    try:
        token = found["token"]
        return Address(str(found["url"]), token if token is None else str(token), int(found["pid"]))
    except (ValueError, KeyError, TypeError):
        return None


class Engine:
    """The engine of one data folder, as one process sees it."""

    def __init__(self, data_dir: Path, models_dir: Path | None) -> None:
        self._data_dir, self._models_dir = data_dir, models_dir
        self._address: Address | None = None
        self._process: Process | None = None

    @property
    def url(self) -> str:
        """The base URL with its /v1. A restarted engine has the same one if the port is free."""
        return self._current.url

    @property
    def token(self) -> str:
        """The token. It is a placeholder if the engine runs without one, because clients require a key."""
        return self._current.token or "none"

    @property
    def _current(self) -> Address:
        if self._address is None:
            raise EngineError("The local engine is not running.")
        return self._address

    async def ensure(self) -> None:
        """Finds the folder's engine or starts it. Raises `EngineError` if it does not answer in time."""
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            found = read_address(self._data_dir)
            if found is not None and await _answers(found):
                self._address = found
                return
            await self._start_if_needed()
            await asyncio.sleep(POLL_SECONDS)
        raise EngineError("The local engine did not start in time; is the machine very busy?")

    async def _start_if_needed(self) -> None:
        if self._process is None or self._process.returncode == ALREADY_RUNNING:
            self._process = await _spawn(self._data_dir, self._models_dir)
        elif self._process.returncode is not None:
            code, self._process = self._process.returncode, None
            if code > 0:
                raise EngineError(f"The local engine ended as it started (code {code}); what it wrote says why.")

    async def watch(self) -> None:
        """Restarts the engine whenever it does not answer, until cancelled."""
        while True:
            await self._wait()
            if await _answers(self._current):
                continue
            log.warning("The local engine does not answer; it is started again.")
            try:
                await self.ensure()
            except EngineError as error:
                log.error("%s", error)

    async def _wait(self) -> None:
        """Waits for the next check, or until the engine that this process started has ended."""
        if self._process is None or self._process.returncode is not None:
            await asyncio.sleep(WATCH_SECONDS)
        else:
            await child_processes.exit_code(self._process, WATCH_SECONDS)

    async def close(self) -> None:
        """Ends the engine if this process started it."""
        process, self._process, self._address = self._process, None, None
        if process is not None:
            await child_processes.end(process, STOP_TIMEOUT)


@contextlib.asynccontextmanager
async def connected(data_dir: Path, models_dir: Path | None = None) -> AsyncIterator[Engine]:
    """The folder's engine, kept running while the block runs. Raises `EngineError`.

    `models_dir` is where it finds local models, if this process starts it; default: `models` in `data_dir`.
    """
    engine = Engine(data_dir, models_dir)
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


async def _spawn(data_dir: Path, models_dir: Path | None) -> Process:
    models = ("--models-dir", str(models_dir)) if models_dir else ()
    # In a session of its own, so that Ctrl-C in a terminal reaches only the parent, which lets answers finish.
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot.engine", "--data-dir", str(data_dir), *models),
        stdin=subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if name == HUB_KEY or not name.endswith(SECRETS)},
        start_new_session=True,
    )


async def _answers(address: Address) -> bool:
    headers = {"Authorization": f"Bearer {address.token}"} if address.token else {}
    timeout = aiohttp.ClientTimeout(total=PING_TIMEOUT)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{address.url}/models", headers=headers, allow_redirects=False) as response,
        ):
            # Another program may have the port by now. Only the engine lists the stand-in, as its first model.
            return response.status == 200 and b'"stand-in"' in await response.content.read(PING_BYTES)
    except (aiohttp.ClientError, TimeoutError):
        return False
