"""How a command runs its work."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Coroutine
from typing import Any

import click

# Seconds until work that Ctrl-C was meant to end is told again: a library may swallow one cancellation.
AGAIN = 1.0


def run_work(work: Coroutine[Any, Any, Any]) -> Any:
    """Run `work` to its end; Ctrl-C where nothing catches it ends quietly."""
    try:
        return asyncio.run(_interruptible(work))
    except KeyboardInterrupt:
        click.echo("", err=True)
        sys.exit(130)


async def _interruptible(work: Coroutine[Any, Any, Any]) -> Any:
    """`work`, cancelled by Ctrl-C as often as it takes. Work that serves sets a handler of its own in its place."""
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
    pressed = False

    def press() -> None:
        nonlocal pressed
        pressed = True
        if not task.done():
            task.cancel()
            loop.call_later(AGAIN, press)

    # Windows leaves Ctrl-C to asyncio's own handler; off the main thread no signal arrives at all.
    with contextlib.suppress(NotImplementedError, RuntimeError):
        loop.add_signal_handler(signal.SIGINT, press)
    try:
        return await task
    except asyncio.CancelledError:
        if pressed:
            raise KeyboardInterrupt from None
        raise
