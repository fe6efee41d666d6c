"""The queue of jobs: their files are validated as they come, and one job at a time is trained in a child process."""

import asyncio
import contextlib
import csv
import io
import json
import logging
import os
import shutil
import subprocess
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bot.engine import dataset, disk
from bot.engine.errors import APIError, disk_failed
from bot.engine.files import FileStore, StoredFile
from bot.engine.fine_tuning.jobs import Checkpoint, Job, JobError, JobStore, metrics_event, new_id
from bot.engine.fine_tuning.models import EngineModels
from bot.engine.fine_tuning.worker import (
    BASE,
    CONFIG,
    DONE,
    FAILED,
    KEPT_MODELS,
    METRICS,
    RESULT,
    ROWS,
    RUN,
    STOP,
    STOPPED,
    VALIDATION,
)
from bot.engine.pocket.config import Row

# How often the training process's metrics are read.
POLL_SECONDS = 0.25
# How long the training process may take to write a checkpoint and end, before it is killed.
STOP_TIMEOUT = 3.0
# A killed process is started again and resumes. One that ends so often at the same step is at fault itself.
MAX_ENDS_AT_ONE_STEP = 20
# Four times as fast as with two threads, because the matrices are small.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
# The columns of the result file, and their names in the training process's metrics.
RESULT_COLUMNS = {
    "step": "step",
    "train_loss": "train_loss",
    "train_accuracy": "train_accuracy",
    "valid_loss": "valid_loss",
    "valid_mean_token_accuracy": "valid_accuracy",
    "valid_exact_match": "valid_exact",
}
# The metrics of a checkpoint object. The others of an event have no place in OpenAI's type.
CHECKPOINT_METRICS = (
    "step",
    "train_loss",
    "train_mean_token_accuracy",
    "valid_loss",
    "valid_mean_token_accuracy",
    "full_valid_loss",
    "full_valid_mean_token_accuracy",
)

log = logging.getLogger(__name__)


class JobRunner:
    """Validates and trains the jobs of a store in the order in which they came."""

    def __init__(self, jobs: JobStore, files: FileStore, models: EngineModels) -> None:
        self._jobs = jobs
        self._files = files
        self._models = models
        self._training: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Runs until cancelled. A job in training then stops with a checkpoint and keeps the status `running`."""
        for job in self._jobs.all():
            if job.ended:  # the server may have ended before it had removed the files
                await asyncio.to_thread(remove_training_files, job, self._jobs.folder(job))
        try:
            while True:
                await self._jobs.changed.wait()
                self._jobs.changed.clear()
                while (new := self._jobs.oldest("validating_files")) is not None:
                    await self._fail_on_disk_error(new, self._validate(new))
                if self._training is None or self._training.done():
                    self._start_next()
        finally:
            if self._training is not None:
                self._training.cancel()
                await asyncio.gather(self._training, return_exceptions=True)

    async def _fail_on_disk_error(self, job: Job, work: Coroutine[None, None, None]) -> None:
        """Fails a job whose files cannot be used, so that the queue continues."""
        try:
            await work
        except OSError as error:
            log.exception("The job %s fails.", job.id)
            if not job.ended:
                self._fail(job, _job_error(disk_failed(error)))

    async def _validate(self, job: Job) -> None:
        self._jobs.record(job, f"Validating training file: {job.training_file}")
        try:
            base = self._models.base_folder(job.model)
            notes = await asyncio.to_thread(prepare_folder, job, self._jobs.folder(job), self._files, base)
        except APIError as error:
            notes = []
            if not job.ended:
                self._fail(job, _job_error(error))
        if job.ended:
            await asyncio.to_thread(remove_training_files, job, self._jobs.folder(job))
            return
        for note in notes:
            self._jobs.record(job, note)
        if job.is_in("validating_files"):
            job.status = "queued"
            self._jobs.record(job, "Files validated, moving job to queued state")

    def _start_next(self) -> None:
        # A job that is `pausing` or `running` while nothing is trained was interrupted by the server's end.
        while (interrupted := self._jobs.oldest("pausing")) is not None:
            interrupted.status = "paused"
            with contextlib.suppress(OSError):  # on a full disk the queue continues, and the next start repeats this
                self._jobs.record(interrupted, "The job is paused.")
        job = self._jobs.oldest("running") or self._jobs.oldest("queued")
        if job is not None:
            self._training = asyncio.create_task(self._train(job), name=f"training {job.id}")

    async def _train(self, job: Job) -> None:
        try:
            await self._fail_on_disk_error(job, self._train_to_end(job))
        finally:
            self._jobs.changed.set()

    async def _train_to_end(self, job: Job) -> None:
        """Starts the training process, again after a kill, until the job has ended or is paused."""
        folder = self._jobs.folder(job)
        metrics = MetricsReader(folder / METRICS, await asyncio.to_thread(self._jobs.last_step, job))
        job.status = "running"
        text = f"Training goes on after step {metrics.step}" if metrics.step else "Fine-tuning job started"
        self._jobs.record(job, text)
        ends, last_step = 0, metrics.step
        while job.is_in("running"):
            (folder / STOP).unlink(missing_ok=True)
            async with training_process(folder) as (process, errors):
                code = await self._follow(job, process, metrics)
            ends, last_step = (ends + 1 if metrics.step == last_step else 1), metrics.step
            if job.is_in("running") and code != STOPPED:
                await self._handle_exit(job, code, errors.result(), ends)
        if job.is_in("pausing"):
            job.status = "paused"
            self._jobs.record(job, f"The job is paused after step {metrics.step}.")
        if job.ended:
            await asyncio.to_thread(remove_training_files, job, folder)

    async def _follow(self, job: Job, process: Process, metrics: "MetricsReader") -> int:
        """Turns the process's metrics into events until it ends. Returns its exit code."""
        began, first_step = time.monotonic(), metrics.step
        while True:
            code = await wait(process, POLL_SECONDS)
            lines = await asyncio.to_thread(metrics.read)
            if lines:
                self._jobs.add_events(job, [metrics_event(line) for line in lines])
                steps, steps_left = metrics.step - first_step, lines[-1]["total_steps"] - metrics.step
                if not job.ended:
                    job.estimated_finish = int(time.time() + (time.monotonic() - began) / max(steps, 1) * steps_left)
                new = [_checkpoint(line) for line in lines if line["model"]]
                job.checkpoints = [*job.checkpoints, *new][-KEPT_MODELS:]
                self._jobs.save(job)
            if code is not None:
                return code

    async def _handle_exit(self, job: Job, code: int, errors: bytes, ends: int) -> None:
        """Ends the job, or records that the process ended unexpectedly and will be started again."""
        if code == DONE:
            await self._succeed(job)
        elif code == FAILED:
            text = errors.decode("utf-8", errors="replace").strip() or "The training process gave no reason."
            message = text.splitlines()[-1]
            self._fail(job, JobError(code="training_failed", message=message))
        elif ends >= MAX_ENDS_AT_ONE_STEP:
            message = f"The training process ended {ends} times at the same step, the last time with code {code}."
            self._fail(job, JobError(code="training_failed", message=message))
        else:
            text = f"The training process ended unexpectedly (code {code}); it goes on from its last checkpoint."
            self._jobs.record(job, text, "warn")

    async def _succeed(self, job: Job) -> None:
        folder = self._jobs.folder(job)
        result = disk.read_json(folder / RESULT)
        job.trained_tokens = result["trained_tokens"]
        job.hyperparameters = job.hyperparameters | result["resolved"]
        try:
            file = await asyncio.to_thread(add_result_file, job, folder, self._files)
            job.result_files = [file.id]
        except APIError as error:
            self._jobs.record(job, f"The result file was not kept: {error}", "warn")
        if job.ended:  # cancelled while the file was written
            return
        job.fine_tuned_model = job.model_name
        job.end("succeeded")
        self._jobs.record(job, f"New fine-tuned model created: {job.fine_tuned_model}")
        self._jobs.record(job, "The job has successfully completed")

    def _fail(self, job: Job, error: JobError) -> None:
        job.end("failed", error)
        try:
            self._jobs.record(job, f"The job failed: {error.message}", "error")
        except OSError:  # a full disk: what the job does not need any more makes room for the record
            remove_training_files(job, self._jobs.folder(job))
            with contextlib.suppress(OSError):
                self._jobs.save(job)


def _checkpoint(line: dict[str, Any]) -> Checkpoint:
    metrics = metrics_event(line)["data"]
    return Checkpoint(
        id=new_id("ftckpt"),
        created_at=int(time.time()),
        step=metrics["step"],
        folder=str(line["model"]),
        metrics={name: metrics.get(name) for name in CHECKPOINT_METRICS},
    )


def _job_error(error: APIError) -> JobError:
    return JobError(code=error.code or "invalid_file", message=str(error), param=error.param)


def prepare_folder(job: Job, folder: Path, files: FileStore, base: Path | None) -> list[str]:
    """Writes rows, validation rows, base model and settings into a job's folder. Returns notes for its events.

    Rows and base are copies, so that either can be deleted while the job runs. Raises an `APIError` for files that
    cannot be trained, and for validation rows that are also trained: a score on those says nothing.
    """
    rows, notes = _read_rows(files, job.training_file, "training_file")
    if len(rows) < dataset.MIN_EXAMPLES:
        raise APIError(
            f"The training file has {len(rows)} examples; at least {dataset.MIN_EXAMPLES} are needed.",
            code="invalid_n_examples",
            param="training_file",
        )
    validation: list[Row] = []
    if job.validation_file is not None:
        validation, more = _read_rows(files, job.validation_file, "validation_file")
        notes += more
        trained = {repr(row) for row in rows}
        shared = sum(repr(row) in trained for row in validation)
        if shared:
            raise APIError(
                f"{shared} of {len(validation)} validation examples are also in the training file.",
                code="invalid_file",
                param="validation_file",
            )
    for name, part in ((ROWS, rows), (VALIDATION, validation)):
        (folder / name).unlink(missing_ok=True)
        disk.append_lines(folder / name, part)
    if base is not None:
        shutil.copytree(base, folder / BASE, dirs_exist_ok=True)
    settings = job.hyperparameters | {"seed": job.seed, "base": BASE if base is not None else None}
    disk.write_json(folder / CONFIG, settings)
    return notes


def _read_rows(files: FileStore, file_id: str, param: str) -> tuple[list[Row], list[str]]:
    try:
        parsed = dataset.parse_training_file(files.read(file_id))
    except APIError as error:
        raise APIError(str(error), code="invalid_file", param=param) from None
    if not parsed.converted:
        return parsed.rows, []
    return parsed.rows, [f"{len(parsed.rows)} prompt/completion pairs of {param} are trained as chat examples."]


def add_result_file(job: Job, folder: Path, files: FileStore) -> StoredFile:
    """Stores the metrics of every step as CSV."""
    lines = {line["step"]: line for line in disk.read_lines(folder / METRICS)}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(RESULT_COLUMNS)
    for _, line in sorted(lines.items()):
        writer.writerow(["" if line[name] is None else line[name] for name in RESULT_COLUMNS.values()])
    name = f"step_metrics-{job.id}.csv"
    return files.add(text.getvalue().encode(), name, "fine-tune-results", rows=len(lines))


def remove_training_files(job: Job, folder: Path) -> None:
    """Removes what a finished job does not need any more: rows, base, metrics; without a model, the weights too."""
    shutil.rmtree(folder / BASE, ignore_errors=True)
    for name in (ROWS, VALIDATION, METRICS):
        (folder / name).unlink(missing_ok=True)
    if job.status != "succeeded":
        job.checkpoints = []
        shutil.rmtree(folder / RUN, ignore_errors=True)


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

    def read(self) -> list[dict[str, Any]]:
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


@asynccontextmanager
async def training_process(folder: Path) -> AsyncIterator[tuple[Process, asyncio.Task[bytes]]]:
    """Runs the training process of the job in `folder`, and a task that reads its standard error to the end.

    At the end of the block the process writes a checkpoint and ends.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot.engine.fine_tuning.worker", str(folder.resolve())),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=os.environ | ONE_THREAD,
    )
    assert process.stdin is not None, "opened as a pipe"
    assert process.stderr is not None, "opened as a pipe"
    errors = asyncio.create_task(process.stderr.read())
    try:
        yield process, errors
    finally:
        if process.returncode is None:
            process.stdin.close()
            if await wait(process, STOP_TIMEOUT) is None:
                process.kill()
        await asyncio.gather(process.wait(), errors)


async def wait(process: Process, timeout: float) -> int | None:
    """The exit code, or None if the process still runs after `timeout` seconds."""
    with contextlib.suppress(TimeoutError):
        return await asyncio.wait_for(process.wait(), timeout)
    return None
