"""`python -m bot.engine.fine_tuning.worker FOLDER`: trains the job in a folder, or resumes it.

With `--alone` after the folder it runs on another machine than the server, and does not notice that the server ends.

The process has the lowest priority and one thread. It holds the folder's lock, so that a process whose server was
killed and its successor never write the same checkpoint. It stops after the current step, with a checkpoint, when the
folder has a file named `stop`, or when its standard input ends because the server has ended. The exit code tells how
it ended; for `FAILED` the reason is the last line on standard error.

The server imports the names below from here. This module imports neither numpy nor torch nor the server.
"""

import json
import logging
import math
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from bot.core.errors import FewshotError, InputError
from bot.engine import disk
from bot.engine.child_processes import wait_for_parent
from bot.engine.lora.config import Config
from bot.engine.pocket.config import Row, StepMetrics, TrainConfig

OnMetrics = Callable[[StepMetrics], None]
ShouldStop = Callable[[], bool]
Trained = tuple[int, dict[str, Any]]

# The server writes these files into the job's folder before training begins.
ROWS = "rows.jsonl"
VALIDATION = "validation.jsonl"
CONFIG = "config.json"
BASE = "base"
# The argument of a process that the server did not start itself.
ALONE = "--alone"
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
    if ALONE not in sys.argv:
        threading.Thread(target=_watch_server, args=(server_ended,), daemon=True).start()
    try:
        with FileLock(folder / LOCK, timeout=LOCK_TIMEOUT):
            return _train(folder, server_ended)
    except Timeout:
        return BUSY
    except OSError as error:
        reason = f"A file of the job could not be used: {error.strerror or error}."
    except FewshotError as error:
        reason = str(error)
    sys.stderr.write(f"{reason}\n")
    return FAILED


def _train(folder: Path, server_ended: threading.Event) -> int:
    # Paths inside the folder are relative, so that a job can be resumed after its data folder was moved.
    os.chdir(folder)
    logging.basicConfig(filename=LOG, level=logging.INFO, format="%(asctime)s %(message)s")
    if Path(RESULT).exists():
        return DONE  # the process before finished after its server had ended
    settings = disk.read_json(Path(CONFIG))
    train = _train_adapter if "weights" in settings else _train_pocket
    disk.repair_log(Path(METRICS))
    with Path(METRICS).open("a", encoding="utf-8") as metrics_file:
        result = train(
            settings,
            disk.read_lines(Path(ROWS)),
            disk.read_lines(Path(VALIDATION)),
            lambda metrics: _write_metrics(metrics_file, metrics),
            lambda: server_ended.is_set() or Path(STOP).exists(),
        )
    if result is None:
        return STOPPED
    tokens, resolved = result
    disk.write_json(Path(RESULT), {"trained_tokens": tokens, "resolved": resolved}, durable=True)
    return DONE


# Both return the tokens trained and the resolved hyperparameters; None where they stopped. They import late, because
# the server imports this module for its names and must import neither numpy nor torch.


def _train_pocket(
    settings: dict[str, Any], rows: list[Row], validation: list[Row], on_metrics: OnMetrics, should_stop: ShouldStop
) -> Trained | None:
    from bot.engine.pocket.train import train

    base = settings.pop("base")
    config = TrainConfig(
        **settings,
        base=Path(base) if base else None,
        checkpoint_seconds=CHECKPOINT_SECONDS,
        keep_models=KEPT_MODELS,
    )
    result = train(
        rows, folder=Path(RUN), validation=validation, config=config, on_metrics=on_metrics, should_stop=should_stop
    )
    return None if result.model is None else (result.state.trained_tokens, result.resolved)


def _train_adapter(
    settings: dict[str, Any], rows: list[Row], validation: list[Row], on_metrics: OnMetrics, should_stop: ShouldStop
) -> Trained | None:
    from bot.engine.lora.train import main

    config = Config(adapter=settings.pop("base"), **settings.pop("weights"), **settings)
    return main(config, rows, validation, folder=Path(RUN), on_metrics=on_metrics, should_stop=should_stop)


def _write_metrics(file: IO[str], metrics: StepMetrics) -> None:
    if not math.isfinite(metrics.train_loss):
        raise InputError("The training diverged; choose a smaller learning_rate_multiplier.")
    line: dict[str, Any] = asdict(metrics) | {"model": metrics.model.name if metrics.model else None}
    file.write(json.dumps(line) + "\n")
    file.flush()


def _watch_server(ended: threading.Event) -> None:
    wait_for_parent()
    ended.set()


if __name__ == "__main__":
    sys.exit(main())
