"""From the uploaded files to a folder that can be trained: rows, validation rows, base model, settings."""

import shutil
from pathlib import Path

from bot.engine import dataset, disk
from bot.engine.errors import WireError
from bot.engine.files import FileStore
from bot.engine.jobs.job import Job
from bot.engine.jobs.layout import BASE, CONFIG, ROWS, VALIDATION
from bot.engine.pocket.config import Row


def prepare(job: Job, folder: Path, files: FileStore, base: Path | None) -> list[str]:
    """Fills a job's folder and returns what there is to say of it; a `WireError` tells why it cannot be.

    The rows and the base model are copied, so that deleting either leaves the job as it is. Validation rows
    that are also trained on are refused: a score on them would say nothing.
    """
    rows, notes = _rows(files, job.training_file, "training_file")
    if len(rows) < dataset.MIN_EXAMPLES:
        raise WireError(
            f"The training file has {len(rows)} examples; at least {dataset.MIN_EXAMPLES} are needed.",
            code="invalid_n_examples",
            param="training_file",
        )
    held_out: list[Row] = []
    if job.validation_file is not None:
        held_out, more = _rows(files, job.validation_file, "validation_file")
        notes += more
        _check_overlap(rows, held_out)
    _write_rows(folder / ROWS, rows)
    _write_rows(folder / VALIDATION, held_out)
    if base is not None:
        shutil.copytree(base, folder / BASE, dirs_exist_ok=True)
    settings = job.hyperparameters | {"seed": job.seed, "base": BASE if base is not None else None}
    disk.write_json(folder / CONFIG, settings)
    return notes


def _rows(files: FileStore, file_id: str, param: str) -> tuple[list[Row], list[str]]:
    try:
        checked = dataset.check(files.read(file_id))
    except WireError as error:
        raise WireError(str(error), code="invalid_file", param=param) from None
    if not checked.converted:
        return checked.rows, []
    return checked.rows, [f"{len(checked.rows)} prompt/completion pairs of {param} are trained as chat examples."]


def _check_overlap(rows: list[Row], held_out: list[Row]) -> None:
    trained = {repr(row) for row in rows}
    shared = sum(repr(row) in trained for row in held_out)
    if shared:
        raise WireError(
            f"{shared} of {len(held_out)} validation examples are also in the training file.",
            code="invalid_file",
            param="validation_file",
        )


def _write_rows(path: Path, rows: list[Row]) -> None:
    path.unlink(missing_ok=True)
    disk.append_lines(path, rows)
