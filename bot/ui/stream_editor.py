"""Edits of the bot's messages: a text that grows, and which messages may still be edited."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import discord

from bot.core.i18n import _
from bot.core.text import MESSAGE_LIMIT, close_markup

# Seconds between two edits: Discord's rate limit allows about one a second (read from its headers, 2026-11).
EDIT_INTERVAL = 1.0
# Seconds after the first text. From the first on, the next text is shown at once; at the second, the newest text is
# shown also if no other comes. An answer that is complete before costs one edit instead of two. The second is longer
# than the pause between two reads (`bot.llm.transport.MAX_PAUSE`), so that the rest of a quick answer comes before it.
FIRST_EDIT_DELAY, FIRST_EDIT_TIMEOUT = 0.2, 0.4
# Seconds that `stop` waits for an edit in progress, so that the final text cannot arrive before it.
STOP_TIMEOUT = 2.0
# Stands at the end of a text that grows.
CURSOR = " ▌"
# Discord's error codes: the message does not exist; a message older than an hour was edited too often.
UNKNOWN_MESSAGE, TOO_OLD = 10008, 30046
# Discord limits edits of messages older than an hour, so messages older than this are not edited: a new message is
# sent.
MAX_EDIT_AGE = timedelta(minutes=50)


def is_fresh(message_id: int) -> bool:
    """Whether a message, by its id, is young enough to be edited any number of times."""
    return discord.utils.utcnow() - discord.utils.snowflake_time(message_id) < MAX_EDIT_AGE


class StreamEditor:
    """Shows a growing text with `send`, which returns False if the message was deleted.

    At most one edit is in progress, and each edit sends the newest text. The owner sends the final text itself
    after `stop`.
    """

    def __init__(self, send: Callable[[str], Coroutine[Any, Any, bool]]) -> None:
        self._send = send
        self._text, self._writing = "", True
        self._changed = asyncio.Event()
        # An answer that is complete before the first edit needs this timer and no task.
        self._timer: asyncio.Handle | None = None
        self._first_time = 0.0
        self._loop_task: asyncio.Task[None] | None = None
        self._edit_task: asyncio.Task[bool] | None = None

    def show(self, text: str, *, writing: bool = True) -> None:
        """Show `text` (everything so far) with the next edit; with a cursor at its end while `writing`."""
        self._text, self._writing = text, writing
        self._changed.set()
        loop = asyncio.get_running_loop()
        if self._loop_task is not None:
            return
        if self._timer is None:
            self._first_time, self._timer = loop.time(), loop.call_later(FIRST_EDIT_TIMEOUT, self._start)
        elif isinstance(self._timer, asyncio.TimerHandle) and loop.time() - self._first_time > FIRST_EDIT_DELAY:
            # Not at once: `stop` comes before it where this was the end of the answer.
            self._timer.cancel()
            self._timer = loop.call_soon(self._start)

    def drop(self) -> None:
        """Do not show what is not shown yet: it is not true any more."""
        self._changed.clear()
        if self._timer is not None and self._loop_task is None:
            self._timer.cancel()
            self._timer = None

    def _start(self) -> None:
        self._loop_task = asyncio.create_task(self._run(), name="stream-edits")

    async def stop(self) -> None:
        """Stop editing. An edit in progress gets `STOP_TIMEOUT` seconds and is then cancelled."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._loop_task is None:
            return
        if self._edit_task is not None and not self._edit_task.done():
            await asyncio.wait({self._edit_task}, timeout=STOP_TIMEOUT)
            self._edit_task.cancel()
        self._loop_task.cancel()
        await asyncio.wait({self._loop_task, *({self._edit_task} if self._edit_task else ())})
        self._loop_task = self._edit_task = None

    async def _run(self) -> None:
        exists = True
        while exists:
            await self._changed.wait()
            self._changed.clear()
            self._edit_task = asyncio.create_task(self._send(_preview(self._text, CURSOR if self._writing else "")))
            exists = await self._edit_task
            await asyncio.sleep(EDIT_INTERVAL)


def _preview(text: str, cursor: str) -> str:
    """The part of a growing text that fits into a message."""
    if len(text) <= MESSAGE_LIMIT - 20:
        whole = close_markup(text)
        return whole + cursor if whole == text else whole
    return close_markup(text[: MESSAGE_LIMIT - 80]) + "\n" + _("-# … {n:,} characters so far", n=len(text))
