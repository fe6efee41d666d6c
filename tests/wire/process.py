"""A bot in its own process: start it against the loopback Discord, read its output, stop or kill it."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from tests.forked import ForkedProcess, forked

ROOT = Path(__file__).parents[2]
# The environment variables that a bot process inherits.
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "VIRTUAL_ENV", "TZ")
STOP_SECONDS = 15.0
POLL_SECONDS = 0.02


class Process:
    """A running bot. `output` holds its standard output and error so far."""

    def __init__(self, process: asyncio.subprocess.Process | ForkedProcess) -> None:
        self._process = process
        self.pid = process.pid
        self.output = ""
        self._reader = asyncio.ensure_future(self._read())

    @classmethod
    async def start(
        cls, entry: str, arguments: list[str], env: dict[str, str], cwd: Path, *, fresh: bool = False
    ) -> "Process":
        """Start `tests.wire.launch` with that entry point, in its own process group.

        `fresh`: in a new interpreter, for what is measured or tested about the start.
        """
        pipe, together = asyncio.subprocess.PIPE, asyncio.subprocess.STDOUT
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        env = kept | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | env
        if not fresh:
            launch = ("tests.wire.launch:main", [entry, *arguments])
            return cls(await forked(*launch, env=env, cwd=cwd, stdout=pipe, stderr=together, new_session=True))
        return cls(
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.wire.launch", entry, *arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=pipe,
                stderr=together,
                env=env,
                cwd=cwd,
                start_new_session=True,
            )
        )

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while chunk := await self._process.stdout.read(65_536):
            self.output += chunk.decode(errors="replace")

    @property
    def returncode(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._process.returncode

    async def wrote(self, text: str, timeout: float = STOP_SECONDS) -> None:
        """Waits until the bot has written that text; `AssertionError` when it has not after `timeout` seconds."""
        for _ in range(int(timeout / POLL_SECONDS)):
            if text in self.output:
                return
            await asyncio.sleep(POLL_SECONDS)
        raise AssertionError(f"The bot did not write {text!r}; it wrote:\n{self.output}")

    def terminate(self) -> None:
        """Sends SIGTERM."""
        self._process.terminate()

    def interrupt(self) -> None:
        """Sends SIGINT, as Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """Sends SIGKILL to the bot alone, not to its children."""
        self._process.kill()

    async def wait(self, timeout: float = STOP_SECONDS) -> int:
        """Waits for the end and returns the exit code; `TimeoutError` when it takes longer."""
        code = await asyncio.wait_for(self._process.wait(), timeout)
        # Children may hold the pipe open a little longer than the bot lives.
        await asyncio.wait({self._reader}, timeout=0.5)
        return code

    async def close(self) -> None:
        """Stop it with SIGTERM, then SIGKILL, and kill what is left of its process group."""
        if self.returncode is None:
            self.terminate()
            try:
                await self.wait()
            except TimeoutError:
                self.kill()
                await self._process.wait()
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            # The process group is empty.
            pass
        await asyncio.wait({self._reader}, timeout=2.0)
        self._reader.cancel()
        # pytest shows this for a failed test only.
        print(self.output)
