"""The training process, as the server sees it: started, followed, ended."""

import asyncio
import os
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

# How long the process may take to write a checkpoint and end, before it is killed.
END_TIMEOUT = 3.0
# Four times as fast as with two threads: the matrices are too small to be shared.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Child:
    """One training process. `said` is the end of what it wrote to standard error."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._reading = asyncio.create_task(self._read())
        self.said = ""

    async def _read(self) -> None:
        while line := await self._errors().readline():
            self.said = line.decode("utf-8", errors="replace").strip() or self.said

    def _errors(self) -> asyncio.StreamReader:
        assert self._process.stderr is not None, "opened as a pipe"
        return self._process.stderr

    async def wait(self, timeout: float | None = None) -> int | None:
        """The exit code; None when the process still runs after `timeout` seconds."""
        try:
            code = await asyncio.wait_for(self._process.wait(), timeout)
        except TimeoutError:
            return None
        await self._reading
        return code

    async def end(self) -> None:
        """Lets the process write a checkpoint and end; kills it when it does not."""
        if self._process.returncode is None and self._process.stdin is not None:
            self._process.stdin.close()
            if await self.wait(END_TIMEOUT) is None:
                self._process.kill()
        await self.wait()


@asynccontextmanager
async def training(folder: Path) -> AsyncIterator[Child]:
    """The training process of the job in `folder`; it does not outlive the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot.engine.jobs.worker", str(folder.resolve())),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=os.environ | ONE_THREAD,
    )
    child = Child(process)
    try:
        yield child
    finally:
        await child.end()
