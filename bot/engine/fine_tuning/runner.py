"""The queue of jobs: their files are validated as they come, and one job at a time is trained."""

import asyncio
import contextlib
import csv
import io
import logging
import shutil
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from bot.engine import dataset, disk
from bot.engine.errors import APIError, disk_failed
from bot.engine.files import FileStore, StoredFile
from bot.engine.fine_tuning.jobs import (
    Checkpoint,
    Job,
    JobError,
    JobStore,
    Start,
    metrics_event,
    new_id,
    step_events,
)
from bot.engine.fine_tuning.models import EngineModels
from bot.engine.fine_tuning.trainer import Result, Trainer, Training
from bot.engine.fine_tuning.worker import BASE, CONFIG, KEPT_MODELS, METRICS, ROWS, RUN, VALIDATION
from bot.engine.lora.bases import Base
from bot.engine.pocket.config import Row

# A training that is lost is started again and resumes. One that is lost so often at the same step is at fault itself.
MAX_LOST_AT_ONE_STEP = 20
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

    def __init__(self, jobs: JobStore, files: FileStore, models: EngineModels, trainer: Trainer) -> None:
        self._jobs, self._files, self._models, self._trainer = jobs, files, models, trainer
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
            start = self._models.start_of(job.model)
            notes = await asyncio.to_thread(prepare_folder, job, self._jobs.folder(job), self._files, start)
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
        """Trains, and again after a training was lost, until the job has ended or is paused."""
        folder = self._jobs.folder(job)
        step = await asyncio.to_thread(self._jobs.last_step, job)
        job.status = "running"
        self._jobs.record(job, f"Training goes on after step {step}" if step else "Fine-tuning job started")
        lost = 0
        while job.is_in("running"):
            before = step
            async with self._trainer.start(folder, step) as training:
                step = await self._follow(job, training, step)
                result = await training.result()
            lost = lost + 1 if step == before else 1
            if job.is_in("running"):
                await self._handle_result(job, result, lost)
        if job.is_in("pausing"):
            job.status = "paused"
            self._jobs.record(job, f"The job is paused after step {step}.")
        if job.ended:
            await asyncio.to_thread(remove_training_files, job, folder)

    async def _follow(self, job: Job, training: Training, step: int) -> int:
        """Turns the metrics after `step` into events until the training ends. Returns the last step."""
        began, first_step = time.monotonic(), step
        async for lines in training.follow():
            if lines:
                step = lines[-1]["step"]
                self._jobs.add_events(job, [event for line in lines for event in step_events(line)])
                steps, steps_left = step - first_step, lines[-1]["total_steps"] - step
                if not job.ended:
                    job.estimated_finish = int(time.time() + (time.monotonic() - began) / max(steps, 1) * steps_left)
                new = [_checkpoint(line) for line in lines if line["model"]]
                job.checkpoints = [*job.checkpoints, *new][-KEPT_MODELS:]
                self._jobs.save(job)
            if not job.is_in("running"):  # a request has cancelled or paused it
                training.cancel()
        return step

    async def _handle_result(self, job: Job, result: Result, lost: int) -> None:
        """Ends the job, or records that its training was lost and will be started again."""
        if result.status == "done":
            await self._succeed(job, result)
        elif result.status == "failed":
            self._fail(job, JobError(code="training_failed", message=result.reason))
        elif result.status == "lost" and lost >= MAX_LOST_AT_ONE_STEP:
            message = f"The training process ended {lost} times at the same step, the last time with {result.reason}."
            self._fail(job, JobError(code="training_failed", message=message))
        elif result.status == "lost":
            text = f"The training process ended unexpectedly ({result.reason}); it goes on from its last checkpoint."
            self._jobs.record(job, text, "warn")

    async def _succeed(self, job: Job, result: Result) -> None:
        folder = self._jobs.folder(job)
        job.trained_tokens = result.trained_tokens
        job.hyperparameters |= result.hyperparameters
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


def prepare_folder(job: Job, folder: Path, files: FileStore, start: Start) -> list[str]:
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
    if start.folder is not None:
        shutil.copytree(start.folder, folder / BASE, dirs_exist_ok=True)
    settings: dict[str, Any] = {"seed": job.seed, "base": BASE if start.folder is not None else None}
    if start.weights is not None:
        settings["weights"] = start.weights.settings()
        notes += _about(start.weights)
    disk.write_json(folder / CONFIG, job.hyperparameters | settings)
    return notes


def _about(base: Base) -> list[str]:
    """What the job's events say of a base before it is trained on."""
    license = base.license or "not stated; check that it allows tuned versions"
    notes = [f"The base is {base.source}. Its licence: {license}"]
    if base.is_converted:
        notes.append("Before the first training it is converted for llama.cpp, with 8 bits a weight.")
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
