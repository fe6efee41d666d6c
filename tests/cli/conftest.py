"""`fewshot` in an empty folder, with an environment that holds nothing of ours.

Starting Python and importing the libraries takes a second, so most tests run a command inside this process, in a
thread of its own; those of signals, of exit codes and of a whole start have a process.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest
from click.testing import CliRunner

from bot.cli import cli
from bot.core.settings import Settings
from tests.fake_model import FakeModel
from tests.forked import ForkedProcess, forked

KEY = "sk-test-0123456789abcdefghij"
OURS = frozenset(Settings.model_fields)


@dataclass(frozen=True)
class Done:
    """What a command left: its exit code and what it wrote."""

    code: int
    out: str
    err: str


Run = Callable[..., Awaitable[Done]]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The settings of the commands; a test may add to them."""
    return {"DATA_DIR": str(tmp_path / "data"), "NO_COLOR": "1"}


@pytest.fixture(autouse=True)
def _logs_put_back() -> Iterator[None]:
    """A command sets up the logs of its process, which here is ours."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def fewshot(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command to its end, in this process; an error that would show a traceback is raised here."""
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str) -> Done:
        unset: dict[str, str | None] = dict.fromkeys(name for name in os.environ if name.lower() in OURS)
        result = CliRunner().invoke(cli, arguments, prog_name="fewshot", env=unset | environment)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Done(result.exit_code, result.stdout, result.stderr)

    async def run(*arguments: str) -> Done:
        return await asyncio.to_thread(invoke, *arguments)

    return run


async def started(
    environment: dict[str, str],
    folder: Path,
    *arguments: str | bytes,
    stdout: IO[bytes] | int = asyncio.subprocess.PIPE,
) -> ForkedProcess:
    """Start the command as a process."""
    kept = {name: value for name, value in os.environ.items() if name.lower() not in OURS}
    return await forked("bot.__main__:main", arguments, env=kept | environment, cwd=folder, stdout=stdout)


async def ended(process: ForkedProcess) -> Done:
    """Wait for the process, which must not show a traceback."""
    code, out, err = await ended_bytes(process)
    return Done(code, out.decode(), err.decode())


async def ended_bytes(process: ForkedProcess) -> tuple[int, bytes, bytes]:
    """Wait for the process; exit code, output and errors as bytes."""
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert b"Traceback" not in err
    assert process.returncode is not None
    return process.returncode, out, err


@pytest.fixture
async def fake(environment: dict[str, str]) -> AsyncIterator[FakeModel]:
    """A model server that the commands are set up to use."""
    async with FakeModel(token=KEY) as server:
        environment |= {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": KEY}
        yield server
