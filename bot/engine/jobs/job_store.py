"""Every job of the engine, by id, in memory and on disk."""

import asyncio
import shutil
from pathlib import Path

from bot.engine import disk
from bot.engine.errors import WireError
from bot.engine.jobs import events
from bot.engine.jobs.job import Job
from bot.engine.jobs.layout import RUN, STOP

# One job is trained at a time; more than these in line help nobody, and a loop gone wrong fills the disk.
MAX_UNFINISHED = 20
# Jobs that left no model are forgotten beyond this number, the oldest first.
MAX_KEPT = 200
MAX_MODELS = 100


class Book:
    """The jobs, and the one bell that tells the runner of a change."""

    def __init__(self, folder: Path) -> None:
        """Reads every job that is on disk and mends the logs that a kill may have cut."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        found = [disk.read_json(path) for path in folder.glob("*/job.json")]
        jobs = sorted((Job.model_validate(job) for job in found if job), key=lambda job: job.arrived)
        self._jobs = {job.id: job for job in jobs}
        for job in jobs:
            disk.mend(self.folder(job) / events.FILE)
        self.changed = asyncio.Event()
        self.changed.set()

    def folder(self, job: Job) -> Path:
        """Where all of a job's files are."""
        return self._folder / job.id

    def model_folder(self, job: Job) -> Path:
        """Where a job's finished model is."""
        return self.folder(job) / RUN / "model"

    def all(self) -> list[Job]:
        """Every job, the newest first."""
        return list(reversed(self._jobs.values()))

    def oldest(self, *statuses: str) -> Job | None:
        """The job that has waited longest in one of these statuses."""
        return next((job for job in self._jobs.values() if job.status in statuses), None)

    def get(self, job_id: str) -> Job:
        """One job, or a `WireError` 404."""
        try:
            return self._jobs[job_id]
        except KeyError:
            raise WireError(
                f"There is no fine-tuning job {job_id[:100]!r}.",
                status=404,
                code="fine_tune_not_found",
                param="fine_tuning_job_id",
            ) from None

    def add(self, job: Job) -> None:
        """Keeps a new job, or raises a `WireError` 429 that clients do not repeat: the queue or the shelf is full."""
        if sum(not other.ended for other in self._jobs.values()) >= MAX_UNFINISHED:
            raise _full(f"{MAX_UNFINISHED} jobs are unfinished already; wait for one, or cancel one.")
        if sum(self.has_model(other) for other in self._jobs.values()) >= MAX_MODELS:
            raise _full(f"{MAX_MODELS} tuned models are kept already; delete one first.")
        self.folder(job).mkdir()
        self._jobs[job.id] = job
        self.note(job, f"Created fine-tuning job: {job.id}")
        self._forget()

    @staticmethod
    def has_model(job: Job) -> bool:
        """Whether the job ended with a model that was not deleted since."""
        return job.status == "succeeded" and not job.model_deleted

    def note(self, job: Job, text: str, level: events.Level = "info") -> None:
        """Keeps a change of a job, with the sentence that tells of it."""
        events.add(self.folder(job), [events.message(text, level)])
        self.save(job)

    def save(self, job: Job) -> None:
        """Keeps a change of a job and rings the bell."""
        disk.write_json(self.folder(job) / "job.json", job.model_dump())
        self.changed.set()

    def ask_to_stop(self, job: Job) -> None:
        """Tells the job's training process to write a checkpoint and end."""
        (self.folder(job) / STOP).touch()

    def _forget(self) -> None:
        spare = [job for job in self._jobs.values() if job.ended and not self.has_model(job)]
        for job in spare[: max(0, len(spare) - MAX_KEPT)]:
            del self._jobs[job.id]
            shutil.rmtree(self.folder(job), ignore_errors=True)


def _full(why: str) -> WireError:
    return WireError(
        why,
        status=429,
        kind="rate_limit_error",
        code="rate_limit_exceeded",
        headers={"x-should-retry": "false"},
    )
