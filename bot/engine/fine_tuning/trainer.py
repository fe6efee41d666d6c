"""What the queue needs of a trainer (start, follow, cancel, result), and the trainer that starts a child process.

A job is trained in attempts. Each is a `Training`: it is started on the job's folder, followed to its end, perhaps
cancelled, and has a result. A result that is `lost` or `stopped` is no end of the job: the next attempt goes on from
the last checkpoint.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, Self

from bot.engine import child_processes, disk
from bot.engine.fine_tuning.worker import DONE, FAILED, METRICS, RESULT, STOP, STOPPED

# How often the training process's metrics are read.
POLL_SECONDS = 0.25
# How long the training process may take to write a checkpoint and end, before it is killed.
STOP_TIMEOUT = 3.0
# Four times as fast as with two threads, because the matrices are small.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

NO_REASON = "The training process gave no reason."

Line = dict[str, Any]
"""One line of a job's metrics: those of a step, with the fields of `bot.engine.pocket.config.StepMetrics`."""


@dataclass(frozen=True, slots=True)
class Result:
    """How one attempt to train a job ended.

    `done`: the model is in the job's folder. `stopped`: it was cancelled, and has written a checkpoint. `failed`: the
    job cannot be trained, `reason` is the sentence that says why. `lost`: it ended unexpectedly, `reason` says how.
    """

    status: Literal["done", "stopped", "failed", "lost"]
    reason: str = ""
    trained_tokens: int | None = None
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    """Those that were `auto`, as they were chosen."""

    @classmethod
    def done(cls, facts: dict[str, Any]) -> Self:
        """The result of a complete training, whose file `RESULT` holds `facts`."""
        return cls("done", trained_tokens=facts["trained_tokens"], hyperparameters=facts["resolved"])


class Training(Protocol):
    """One attempt to train a job."""

    def follow(self) -> AsyncIterator[list[Line]]:
        """The new metrics, oldest first and no step twice, several times a second, until the attempt has ended.

        The list is empty where there are none.
        """

    def cancel(self) -> None:
        """Ask for a checkpoint and an end. `follow` goes on until then. A second call changes nothing."""

    async def result(self) -> Result:
        """How it ended; call it once `follow` has."""


class Trainer(Protocol):
    """Trains jobs in one way: in a process of this machine, or on another one. One object serves all jobs."""

    def start(self, folder: Path, step: int) -> AbstractAsyncContextManager[Training]:
        """Train the job in `folder` (see `bot.engine.fine_tuning.worker` for its files), or resume it.

        Metrics up to `step` are known already. If the block ends before the training, the training must not lose more
        than a few seconds of work: `start` is called again for the same folder when the engine is back.
        """


class ChildProcess:
    """Trains in a child process, `bot.engine.fine_tuning.worker`, which checkpoints and ends when the block ends."""

    @asynccontextmanager
    async def start(self, folder: Path, step: int) -> AsyncIterator[Training]:
        """Start the process; see `Trainer.start`."""
        (folder / STOP).unlink(missing_ok=True)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot.engine.fine_tuning.worker", str(folder.resolve())),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=os.environ | ONE_THREAD,
        )
        assert process.stderr is not None, "opened as a pipe"
        errors = asyncio.create_task(process.stderr.read())
        try:
            yield _TrainingProcess(folder, process, errors, MetricsReader(folder / METRICS, step))
        finally:
            await child_processes.end(process, STOP_TIMEOUT)
            await errors


class _TrainingProcess:
    def __init__(self, folder: Path, process: Process, errors: asyncio.Task[bytes], metrics: "MetricsReader") -> None:
        self._folder, self._process, self._errors, self._metrics = folder, process, errors, metrics

    async def follow(self) -> AsyncIterator[list[Line]]:
        code = None
        while code is None:
            code = await child_processes.exit_code(self._process, POLL_SECONDS)
            yield await asyncio.to_thread(self._metrics.read)

    def cancel(self) -> None:
        (self._folder / STOP).touch()

    async def result(self) -> Result:
        code, errors = await self._process.wait(), await self._errors
        if code == DONE:
            return Result.done(disk.read_json(self._folder / RESULT))
        if code == STOPPED:
            return Result("stopped")
        if code == FAILED:
            text = errors.decode("utf-8", errors="replace").strip() or NO_REASON
            return Result("failed", text.splitlines()[-1])
        killed = ", killed: perhaps the memory does not suffice" if code == -signal.SIGKILL else ""
        return Result("lost", f"code {code}{killed}")


class MetricsReader:
    """Reads new whole lines of a metrics log while the training process writes it.

    A process that resumes from a checkpoint writes the steps after it again, with equal values. Steps that were read
    are skipped.
    """

    def __init__(self, path: Path, step: int) -> None:
        """`step` is the last one that was read."""
        self._path = path
        self._offset = 0
        self.step = step

    def read(self) -> list[Line]:
        """The lines since the last call."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        new = []
        for line in map(json.loads, whole.splitlines()):
            if line["step"] > self.step:
                self.step = line["step"]
                new.append(line)
        return new
