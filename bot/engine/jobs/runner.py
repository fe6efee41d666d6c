"""The queue: files are checked as they come, and one job at a time is trained in a process of its own."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Coroutine

from bot.engine.errors import WireError
from bot.engine.files import FileStore
from bot.engine.jobs import events
from bot.engine.jobs import finalize as settle
from bot.engine.jobs.job import Checkpoint, Failure, Job, new_id
from bot.engine.jobs.job_store import Book
from bot.engine.jobs.layout import DONE, FAILED, KEPT_MODELS, METRICS, STOP, STOPPED
from bot.engine.jobs.metrics_reader import Tail
from bot.engine.jobs.models import EngineModels
from bot.engine.jobs.training_process import Child, training
from bot.engine.jobs.validate import prepare

# How often the training process's figures are read.
POLL = 0.25
# A process that is killed goes on from its checkpoint, or from the start before the first one. One that ends
# so often without getting any further is at fault itself.
MAX_ENDS_AT_ONE_STEP = 20

log = logging.getLogger(__name__)


class Runner:
    """Works through the book's jobs, in the order in which they came."""

    def __init__(self, book: Book, files: FileStore, models: EngineModels) -> None:
        self._book = book
        self._files = files
        self._models = models
        self._training: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Runs until cancelled; a job that is being trained then stops with a checkpoint and stays `running`."""
        for job in self._book.all():
            if job.ended:  # and the server did, before it had tidied up
                await asyncio.to_thread(settle.tidy, job, self._book.folder(job))
        try:
            while True:
                await self._book.changed.wait()
                self._book.changed.clear()
                while (new := self._book.oldest("validating_files")) is not None:
                    await self._guarded(new, self._validate(new))
                if self._training is None or self._training.done():
                    self._start_next()
        finally:
            if self._training is not None:
                self._training.cancel()
                await asyncio.gather(self._training, return_exceptions=True)

    async def _guarded(self, job: Job, work: Coroutine[None, None, None]) -> None:
        """Fails a job whose files cannot be used, so that the queue goes on."""
        try:
            await work
        except OSError as error:
            log.exception("The job %s cannot go on.", job.id)
            if not job.ended:
                self._fail(job, _failure(error))

    async def _validate(self, job: Job) -> None:
        self._book.note(job, f"Validating training file: {job.training_file}")
        try:
            base = self._models.base_folder(job.model)
            notes = await asyncio.to_thread(prepare, job, self._book.folder(job), self._files, base)
        except WireError as error:
            notes = []
            if not job.ended:
                self._fail(job, _failure(error))
        if job.ended:
            await asyncio.to_thread(settle.tidy, job, self._book.folder(job))
            return
        for note in notes:
            self._book.note(job, note)
        if job.stands("validating_files"):  # and not cancelled or paused meanwhile
            job.status = "queued"
            self._book.note(job, "Files validated, moving job to queued state")

    def _start_next(self) -> None:
        # One that is `running` or `pausing` while nothing runs was cut short with the server itself.
        for cut in iter(lambda: self._book.oldest("pausing"), None):
            cut.status = "paused"
            self._book.note(cut, "The job is paused.")
        job = self._book.oldest("running") or self._book.oldest("queued")
        if job is not None:
            self._training = asyncio.create_task(self._train(job), name=f"training {job.id}")

    async def _train(self, job: Job) -> None:
        try:
            await self._guarded(job, self._attempts(job))
        finally:
            self._book.changed.set()

    async def _attempts(self, job: Job) -> None:
        folder = self._book.folder(job)
        tail = Tail(folder / METRICS, await asyncio.to_thread(events.last_step, folder))
        job.status = "running"
        self._book.note(job, f"Training goes on after step {tail.step}" if tail.step else "Fine-tuning job started")
        ends, at = 0, tail.step
        while job.stands("running"):
            (folder / STOP).unlink(missing_ok=True)
            async with training(folder) as child:
                code = await self._follow(job, child, tail)
            ends, at = (ends + 1, at) if tail.step == at else (1, tail.step)
            if job.stands("running") and code != STOPPED:
                await self._after(job, code, child.said, ends)
        if job.stands("pausing"):
            job.status = "paused"
            self._book.note(job, f"The job is paused after step {tail.step}.")
        if job.ended:
            await asyncio.to_thread(settle.tidy, job, folder)

    async def _follow(self, job: Job, child: Child, tail: Tail) -> int:
        """Turns the process's figures into events until it ends, and returns its exit code."""
        began, first = time.monotonic(), tail.step
        while True:
            code = await child.wait(POLL)
            lines = await asyncio.to_thread(tail.read)
            if lines:
                events.add(self._book.folder(job), [events.metrics(line) for line in lines])
                done, left = tail.step - first, lines[-1]["total_steps"] - tail.step
                spent = time.monotonic() - began
                if not job.ended:
                    job.estimated_finish = int(time.time() + spent / max(done, 1) * left)
                new = [_checkpoint(line) for line in lines if line["model"]]
                job.checkpoints = [*job.checkpoints, *new][-KEPT_MODELS:]
                self._book.save(job)
            if code is not None:
                return code

    async def _after(self, job: Job, code: int, said: str, ends: int) -> None:
        """What follows the end of a process that was not told to end."""
        if code == DONE:
            await settle.succeed(job, self._book, self._files)
        elif code == FAILED:
            self._fail(job, Failure(code="training_failed", message=said))
        elif ends >= MAX_ENDS_AT_ONE_STEP:
            message = f"The training process ended {ends} times at the same step, the last time with code {code}."
            self._fail(job, Failure(code="training_failed", message=message))
        else:
            text = f"The training process ended unexpectedly (code {code}); it goes on from its last checkpoint."
            self._book.note(job, text, "warn")

    def _fail(self, job: Job, failure: Failure) -> None:
        job.end("failed", failure)
        # Where the disk is full, the record of it cannot be written either; memory must do until it can.
        with contextlib.suppress(OSError):
            self._book.note(job, f"The job failed: {failure.message}", "error")


def _checkpoint(line: dict[str, object]) -> Checkpoint:
    figures = events.metrics(line)["data"]
    names = Checkpoint.METRICS
    return Checkpoint(
        id=new_id("ftckpt"),
        created_at=int(time.time()),
        step=figures["step"],
        folder=str(line["model"]),
        metrics={name: figures.get(name) for name in names},
    )


def _failure(error: WireError | OSError) -> Failure:
    if isinstance(error, WireError):
        return Failure(code=error.code or "invalid_file", message=str(error), param=error.param)
    return Failure(code="storage_error", message=f"A file could not be used: {error.strerror or error}.")
