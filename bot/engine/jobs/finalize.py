"""What follows a job's end: its result file, its model's name, and a tidy folder."""

import asyncio
import csv
import io
import shutil
from pathlib import Path

from bot.engine import disk
from bot.engine.errors import WireError
from bot.engine.files import FileStore, StoredFile
from bot.engine.jobs.job import Job
from bot.engine.jobs.job_store import Book
from bot.engine.jobs.layout import BASE, METRICS, OUTCOME, ROWS, RUN, VALIDATION

# Column of the result file, and what the training process calls it.
COLUMNS = {
    "step": "step",
    "train_loss": "train_loss",
    "train_accuracy": "train_accuracy",
    "valid_loss": "valid_loss",
    "valid_mean_token_accuracy": "valid_accuracy",
    "valid_exact_match": "valid_exact",
}


async def succeed(job: Job, book: Book, files: FileStore) -> None:
    """Ends a job whose model is whole on disk."""
    folder = book.folder(job)
    result = disk.read_json(folder / OUTCOME)
    job.trained_tokens = result["trained_words"]
    job.hyperparameters = job.hyperparameters | result["resolved"]
    try:
        file = await asyncio.to_thread(_result_file, job, folder, files)
        job.result_files = [file.id]
    except WireError as error:
        book.note(job, f"The result file was not kept: {error}", "warn")
    if job.ended:  # cancelled while the file was written
        return
    job.fine_tuned_model = job.model_name
    job.end("succeeded")
    book.note(job, f"New fine-tuned model created: {job.fine_tuned_model}")
    book.note(job, "The job has successfully completed")


def _result_file(job: Job, folder: Path, files: FileStore) -> StoredFile:
    lines = {line["step"]: line for line in disk.read_lines(folder / METRICS)}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for _, line in sorted(lines.items()):
        writer.writerow(["" if line[name] is None else line[name] for name in COLUMNS.values()])
    name = f"step_metrics-{job.id}.csv"
    return files.add(text.getvalue().encode(), name, "fine-tune-results", rows=len(lines))


def tidy(job: Job, folder: Path) -> None:
    """Removes what a finished job no longer needs; without a model, its weights too."""
    shutil.rmtree(folder / BASE, ignore_errors=True)
    for name in (ROWS, VALIDATION, METRICS):
        (folder / name).unlink(missing_ok=True)
    if job.status != "succeeded":
        job.checkpoints = []
        shutil.rmtree(folder / RUN, ignore_errors=True)
