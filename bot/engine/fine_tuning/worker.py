"""`python -m bot.engine.fine_tuning.worker FOLDER`: trains the job in a folder, or resumes it.

The process has the lowest priority and one thread. It holds the folder's lock, so that a process whose server was
killed and its successor never write the same checkpoint. It stops after the current step, with a checkpoint, when the
folder has a file named `stop`, or when its standard input ends because the server has ended. The exit code tells how
it ended; for `FAILED` the reason is the last line on standard error.

The server imports the names below from here. This module imports neither numpy nor the server.
"""

import json
import logging
import math
import os
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from bot.core.errors import FewshotError, InputError
from bot.engine import disk
from bot.engine.pocket.config import StepMetrics, TrainConfig

# The server writes these files into the job's folder before training begins.
ROWS = "rows.jsonl"
VALIDATION = "validation.jsonl"
CONFIG = "config.json"
BASE = "base"
# The server makes this file to ask for a checkpoint and an end.
STOP = "stop"
# The training process writes these.
METRICS = "metrics.jsonl"
RESULT = "result.json"
LOG = "train.log"
RUN = "run"
LOCK = "lock"

# How many usable models from the middle of a job are kept.
KEPT_MODELS = 3
# Exit codes: with a model; after being asked to stop; another process has the job; with a sentence on standard error.
DONE, STOPPED, BUSY, FAILED = 0, 3, 4, 5

# A process whose server was killed ends after the current step and a checkpoint: a second on a slow machine.
LOCK_TIMEOUT = 30.0
# A kill costs at most this much training.
CHECKPOINT_SECONDS = 2.0


def main() -> int:
    """Trains the job in the folder named on the command line and returns the exit code."""
    folder = Path(sys.argv[1])
    os.umask(0o077)
    if hasattr(os, "nice"):
        os.nice(19)
    server_ended = threading.Event()
    threading.Thread(target=_watch_server, args=(server_ended,), daemon=True).start()
    try:
        with FileLock(folder / LOCK, timeout=LOCK_TIMEOUT):
            return _train(folder, server_ended)
    except Timeout:
        return BUSY
    except (FewshotError, OSError) as error:
        sys.stderr.write(f"{_sentence(error)}\n")
        return FAILED


def _train(folder: Path, server_ended: threading.Event) -> int:
    # Imported here, because the server imports this module for its names and must not import numpy.
    from bot.engine.pocket.train import train

    # Paths inside the folder are relative, so that a job can be resumed after its data folder was moved.
    os.chdir(folder)
    logging.basicConfig(filename=LOG, level=logging.INFO, format="%(asctime)s %(message)s")
    if Path(RESULT).exists():
        return DONE  # the process before finished after its server had ended
    settings = disk.read_json(Path(CONFIG))
    base = settings.pop("base")
    config = TrainConfig(
        **settings,
        base=Path(base) if base else None,
        checkpoint_seconds=CHECKPOINT_SECONDS,
        keep_models=KEPT_MODELS,
    )
    disk.repair_log(Path(METRICS))
    with Path(METRICS).open("a", encoding="utf-8") as metrics_file:
        result = train(
            disk.read_lines(Path(ROWS)),
            folder=Path(RUN),
            validation=disk.read_lines(Path(VALIDATION)),
            config=config,
            on_metrics=lambda metrics: _write_metrics(metrics_file, metrics),
            should_stop=lambda: server_ended.is_set() or Path(STOP).exists(),
        )
    if result.model is None:
        return STOPPED
    facts = {"trained_tokens": result.state.trained_tokens, "resolved": result.resolved}
    disk.write_json(Path(RESULT), facts, durable=True)
    return DONE


def _write_metrics(file: IO[str], metrics: StepMetrics) -> None:
    if not math.isfinite(metrics.train_loss):
        raise InputError("The training diverged; choose a smaller learning_rate_multiplier.")
    line: dict[str, Any] = asdict(metrics) | {"model": metrics.model.name if metrics.model else None}
    file.write(json.dumps(line) + "\n")
    file.flush()


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"A file of the job could not be used: {error.strerror or error}."
    return str(error)


def _watch_server(ended: threading.Event) -> None:
    # os.read and not sys.stdin: a thread that holds the lock of sys.stdin breaks the interpreter's shutdown.
    while os.read(0, 1024):
        pass
    ended.set()


if __name__ == "__main__":
    sys.exit(main())
