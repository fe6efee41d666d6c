"""`python -m bot.engine`: the engine as the child of the process that needs it.

It ends when its standard input does, so that it never outlives its parent, also after a kill -9 and on
every system. Exit code `ALREADY_RUNNING` says that another engine serves the folder; the parent connects to that one.
"""

import argparse
import asyncio
import contextlib
import signal
import sys
import threading
from pathlib import Path

from bot.core.settings import load
from bot.engine.child_processes import wait_for_parent
from bot.engine.launch import ALREADY_RUNNING, EngineError
from bot.engine.server import AlreadyRunningError, serve


def main() -> int:
    """Runs the engine of `--data-dir` on loopback and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bot.engine")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--models-dir", type=Path)
    try:
        arguments = parser.parse_args()
        asyncio.run(_run(arguments.data_dir, arguments.models_dir))
    except AlreadyRunningError:
        return ALREADY_RUNNING
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


async def _run(data_dir: Path, models_dir: Path | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    threading.Thread(target=_watch_parent, args=(loop, stop), daemon=True).start()
    with contextlib.suppress(NotImplementedError):  # Windows: there the parent closes standard input
        loop.add_signal_handler(signal.SIGTERM, stop.set)
    settings = load()
    await serve(
        "127.0.0.1",
        0,
        data_dir,
        models_dir=models_dir,
        model_idle_minutes=settings.model_idle_minutes,
        serving_url=settings.serving_url,
        ray_address=settings.ray_address,
        ray_gpus=settings.ray_gpus,
        on_ready=lambda _: None,
        stop=stop,
    )


def _watch_parent(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    wait_for_parent()
    with contextlib.suppress(RuntimeError):  # the loop has ended by itself
        loop.call_soon_threadsafe(stop.set)


if __name__ == "__main__":
    sys.exit(main())
