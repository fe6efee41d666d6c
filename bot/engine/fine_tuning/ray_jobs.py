"""The trainer that runs jobs on a Ray cluster, through the REST interface of Ray Jobs (Ray 2.60, read 2026-11-28).

Four requests are all that is needed; Ray's own client would install 287 MB and block the event loop. The cluster's
machines have this package installed, and see the engine's folder at the same path, e.g. on a network file system: rows,
metrics, checkpoints and the model are files there. A training goes on while the engine is away or Ray does not answer,
and is found again by its submission id: the job's id, and from the second attempt on a number.
"""

import asyncio
import logging
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from bot.engine import disk
from bot.engine.fine_tuning.trainer import NO_REASON, Line, MetricsReader, Result, Training
from bot.engine.fine_tuning.worker import ALONE, FAILED, METRICS, RESULT, STOP, STOPPED

# Seconds between two looks at a job, and seconds that Ray has for an answer.
POLL_SECONDS, TIMEOUT = 1.0, 30.0
JOBS = "/api/jobs/"
# Characters of what Ray says about a job that was lost.
MAX_REASON = 200
# Ray's statuses of a job that has ended.
ENDED = frozenset({"STOPPED", "SUCCEEDED", "FAILED"})
# The file in a job's folder with the number of its attempt, which is written before that is submitted. Ray takes no
# second job with an id, also not after the first was deleted: the name of its supervisor stays taken for a while.
ATTEMPT = "ray-attempt"
# Our status of a job that a restarted cluster does not know any more.
FORGOTTEN = "FORGOTTEN"

log = logging.getLogger(__name__)


class RayJobs:
    """Trains on the Ray cluster whose dashboard is at `address`; each job reserves a CPU and `gpus` GPUs."""

    def __init__(self, address: str, gpus: float) -> None:
        self._address, self._gpus = address, gpus

    @asynccontextmanager
    async def start(self, folder: Path, step: int) -> AsyncIterator[Training]:
        """Submit the job, or find it again; see `Trainer.start`. It goes on when the block ends."""
        (folder / STOP).unlink(missing_ok=True)
        timeout = aiohttp.ClientTimeout(total=TIMEOUT)
        async with aiohttp.ClientSession(self._address, timeout=timeout) as session:
            yield _RayTraining(session, folder, self._gpus, MetricsReader(folder / METRICS, step))


class _RayTraining:
    def __init__(self, session: aiohttp.ClientSession, folder: Path, gpus: float, metrics: MetricsReader) -> None:
        self._session, self._folder, self._gpus, self._metrics = session, folder, gpus, metrics
        self._attempt = int(disk.read_json(folder / ATTEMPT) or 1)
        # What Ray says about this attempt, once it was submitted or found.
        self._job: dict[str, Any] | None = None

    async def follow(self) -> AsyncIterator[list[Line]]:
        away = False
        while True:
            try:
                ended = await self._look() in (*ENDED, FORGOTTEN)
                away = False
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                if not away:
                    log.warning("Ray does not answer about the job %s, which may go on: %s", self._folder.name, error)
                ended, away = False, True
            yield await asyncio.to_thread(self._metrics.read)
            if ended:
                return
            await asyncio.sleep(POLL_SECONDS)

    @property
    def _id(self) -> str:
        return self._folder.name if self._attempt == 1 else f"{self._folder.name}-{self._attempt}"

    def cancel(self) -> None:
        (self._folder / STOP).touch()

    async def result(self) -> Result:
        if facts := disk.read_json(self._folder / RESULT):
            return Result.done(facts)
        assert self._job is not None, "it was followed to its end"
        status, code = str(self._job["status"]), self._job.get("driver_exit_code")
        if status == "STOPPED" or code == STOPPED:
            return Result("stopped")
        if code == FAILED:
            return Result("failed", await self._last_line())
        return Result("lost", str(self._job.get("message") or status)[:MAX_REASON])

    async def _look(self) -> str:
        """The job's status. It is submitted where Ray does not know it, or knows only an attempt that has ended."""
        async with self._session.get(f"{JOBS}{self._id}") as response:
            if response.status == 404:
                if self._job is None:
                    return await self._submit()
                self._job = {"status": FORGOTTEN}
                return FORGOTTEN
            response.raise_for_status()
            job: dict[str, Any] = await response.json()
        if self._job is None and job["status"] in ENDED and not (self._folder / RESULT).exists():
            self._attempt += 1
            await asyncio.to_thread(disk.write_json, self._folder / ATTEMPT, self._attempt)
            return await self._submit()
        self._job = job
        if job["status"] == "PENDING" and (self._folder / STOP).exists():
            async with self._session.post(f"{JOBS}{self._id}/stop") as response:
                response.raise_for_status()
        return str(job["status"])

    async def _submit(self) -> str:
        """Submit the job. Ray refuses a second one with the same id."""
        command = shlex.join(["python", "-m", "bot.engine.fine_tuning.worker", str(self._folder.resolve()), ALONE])
        wanted = {"entrypoint": command, "submission_id": self._id, "entrypoint_num_cpus": 1}
        async with self._session.post(JOBS, json=wanted | {"entrypoint_num_gpus": self._gpus}) as response:
            response.raise_for_status()
        self._job = {"status": "PENDING"}
        return "PENDING"

    async def _last_line(self) -> str:
        """What the process wrote last: the sentence that says why the job cannot be trained."""
        try:
            async with self._session.get(f"{JOBS}{self._id}/logs") as response:
                response.raise_for_status()
                lines = str((await response.json())["logs"]).split("\n")
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError):
            lines = []
        return next((line.strip() for line in reversed(lines) if line.strip()), NO_REASON)
