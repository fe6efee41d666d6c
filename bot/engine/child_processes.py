"""Child processes that end when their parent does: then their standard input ends, also after a kill -9."""

import asyncio
import contextlib
import os
from asyncio.subprocess import Process


def wait_for_parent() -> None:
    """Return once the parent has ended or has closed this process's standard input. Blocks: pipes cannot be awaited
    on every system.
    """
    # os.read and not sys.stdin: a thread that holds the lock of sys.stdin breaks the interpreter's shutdown.
    while os.read(0, 1024):
        pass


async def exit_code(process: Process, timeout: float) -> int | None:
    """The exit code, or None if the process still runs after `timeout` seconds."""
    with contextlib.suppress(TimeoutError):
        return await asyncio.wait_for(process.wait(), timeout)
    return None


async def end(process: Process, timeout: float) -> None:
    """Close a child's standard input; kill it if it has not ended after `timeout` seconds."""
    if process.returncode is not None:
        return
    assert process.stdin is not None, "opened as a pipe"
    process.stdin.close()
    try:
        await exit_code(process, timeout)
    finally:  # also when the caller is cancelled, so that no process keeps running
        if process.returncode is None:
            process.kill()
            await process.wait()
