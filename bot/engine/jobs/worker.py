"""`python -m bot.engine.jobs.worker FOLDER`: trains the job in a folder, or goes on with it.

It has the lowest priority and one thread, and holds the folder's lock, so that an orphan and its successor
never write one checkpoint. It stops after the step at hand, with a checkpoint, when the folder has a file
named `stop` or when its standard input ends, which is when the server is gone. Its exit code says how it
ended; for `FAILED` the reason is the last line on standard error.
"""

import json
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
from bot.engine.jobs.layout import (
    BUSY,
    CONFIG,
    DONE,
    FAILED,
    KEPT_MODELS,
    LOCK,
    METRICS,
    OUTCOME,
    ROWS,
    RUN,
    STOP,
    STOPPED,
    VALIDATION,
)
from bot.engine.pocket.config import Config, Metrics

# An orphan ends with the step at hand and a checkpoint: a second at the most on a slow machine.
LOCK_TIMEOUT = 30.0
# How much training a kill can cost.
CHECKPOINT_SECONDS = 2.0


def main() -> int:
    """Trains the job in the folder named on the command line and returns the exit code."""
    folder = Path(sys.argv[1])
    if hasattr(os, "nice"):
        os.nice(19)
    server_gone = threading.Event()
    threading.Thread(target=_watch_server, args=(server_gone,), daemon=True).start()
    try:
        with FileLock(folder / LOCK, timeout=LOCK_TIMEOUT):
            return _train(folder, server_gone)
    except Timeout:
        return BUSY
    except (FewshotError, OSError) as error:
        sys.stderr.write(f"{_sentence(error)}\n")
        return FAILED


def _train(folder: Path, server_gone: threading.Event) -> int:
    # Imported here, because numpy must not be imported by whoever only wants this module's names.
    from bot.engine.pocket.train import train

    # Paths inside the folder are relative: a data folder that is moved goes on where it was.
    os.chdir(folder)
    if Path(OUTCOME).exists():
        return DONE  # an orphan finished after its server had gone
    settings = disk.read_json(Path(CONFIG))
    base = settings.pop("base")
    config = Config(
        **settings,
        base=Path(base) if base else None,
        checkpoint_seconds=CHECKPOINT_SECONDS,
        keep_models=KEPT_MODELS,
    )
    disk.mend(Path(METRICS))
    with Path(METRICS).open("a", encoding="utf-8") as log:
        result = train(
            disk.read_lines(Path(ROWS)),
            folder=Path(RUN),
            validation=disk.read_lines(Path(VALIDATION)),
            config=config,
            on_metrics=lambda metrics: _log(log, metrics),
            should_stop=lambda: server_gone.is_set() or Path(STOP).exists(),
        )
    if result.model is None:
        return STOPPED
    disk.write_json(Path(OUTCOME), asdict(result) | {"model": None}, durable=True)
    return DONE


def _log(log: IO[str], metrics: Metrics) -> None:
    if not math.isfinite(metrics.train_loss):
        raise InputError("The training diverged; choose a smaller learning_rate_multiplier.")
    line: dict[str, Any] = asdict(metrics) | {"model": metrics.model.name if metrics.model else None}
    log.write(json.dumps(line) + "\n")
    log.flush()


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"A file of the job could not be used: {error.strerror or error}."
    return str(error)


def _watch_server(gone: threading.Event) -> None:
    # os.read and not sys.stdin: a thread inside the latter's lock breaks the interpreter's shutdown.
    while os.read(0, 1024):
        pass
    gone.set()


if __name__ == "__main__":
    sys.exit(main())
