"""Frames of a text that is being written: about one a second, the newest text always, never two on their way.

Who shows a text that grows, in an interaction's answer or in a message of ours, gives a `send`; what must arrive in
the end is sent by its owner after `stop`.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from bot.core.i18n import _
from bot.core.text import LIMIT, closed

# Seconds between two frames: Discord's limits on edits allow about that for long (read from its headers, 2026-11).
FRAME = 1.0
# Seconds before the first frame: an answer that is whole by then costs one edit instead of two.
FIRST_FRAME = 0.15
# Seconds that the final text waits for a frame on its way, so that the two cannot overtake each other.
GRACE = 2.0


class StreamEditor:
    """Sends what is shown with `send`, which gives False once there is nothing left to send to."""

    def __init__(self, send: Callable[[str], Coroutine[Any, Any, bool]]) -> None:
        self._send = send
        self._text, self._writing = "", True
        self._fresh = asyncio.Event()
        # An answer that is whole before its first frame needs no task, only this timer.
        self._timer: asyncio.TimerHandle | None = None
        self._pump: asyncio.Task[None] | None = None
        self._frame: asyncio.Task[bool] | None = None

    def show(self, text: str, *, writing: bool = True) -> None:
        """Show `text`, all there is so far, with the next frame; a cursor at its end while it is being written."""
        self._text, self._writing = text, writing
        self._fresh.set()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FIRST_FRAME, self._begin)

    def _begin(self) -> None:
        self._pump = asyncio.create_task(self._run(), name="frames-of-an-answer")

    async def stop(self) -> None:
        """Send no more frames. One on its way gets a moment; one that is being retried is dropped."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._pump is None:
            return
        if self._frame is not None and not self._frame.done():
            await asyncio.wait({self._frame}, timeout=GRACE)
            self._frame.cancel()
        self._pump.cancel()
        await asyncio.wait({self._pump, *({self._frame} if self._frame else ())})
        self._pump = self._frame = None

    async def _run(self) -> None:
        there = True
        while there:
            await self._fresh.wait()
            self._fresh.clear()
            self._frame = asyncio.create_task(self._send(_frame(self._text, " ▌" if self._writing else "")))
            there = await self._frame
            await asyncio.sleep(FRAME)


def _frame(text: str, cursor: str) -> str:
    """What a frame shows of a text that is still growing."""
    if len(text) <= LIMIT - 20:
        whole = closed(text)
        return whole + cursor if whole == text else whole
    return closed(text[: LIMIT - 80]) + "\n" + _("-# … {n:,} characters so far", n=len(text))
