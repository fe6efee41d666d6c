"""The answers that are being written. When a process is killed, the next one ends those that it left.

A row is stored with the reservation of the answer's first model call, and deleted some time after the final text. A row
that is left by then does no harm: the next process sees that its answer is complete.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from time import time

from bot.storage import unfinished as rows
from bot.storage.database import Database
from bot.storage.unfinished import UnfinishedAnswer

__all__ = ["UnfinishedAnswer", "UnfinishedAnswers", "open_unfinished"]
# Seconds in which complete answers are collected, to be deleted together.
REMOVE_PAUSE = 2.0
# Seconds for which the token of an interaction is valid.
TOKEN_SECONDS = 900


class UnfinishedAnswers:
    """The answers that this process is writing, and those that the one before it `left`. One for the process."""

    def __init__(self, database: Database, slot: int, left: list[UnfinishedAnswer]) -> None:
        self._database, self._slot, self.left = database, slot, left
        self._ended: list[int] = []
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def writing(self, answer_id: int, token: str, channel_id: int | None, locale: str) -> Iterator[None]:
        """Note that an answer is being written in the block. See `UnfinishedAnswer` for the values."""
        rows.add(self._database, UnfinishedAnswer(answer_id, time(), self._slot, token, channel_id, locale))
        try:
            yield
        finally:
            self.ended(answer_id)

    def ended(self, answer_id: int) -> None:
        """Note that an answer is complete, or has been ended with a notice."""
        self._ended.append(answer_id)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(REMOVE_PAUSE, self.flush)

    def flush(self) -> None:
        """Delete the rows of complete answers with the next group of writes."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for answer_id in self._ended:
            rows.remove(self._database, answer_id)
        self._ended.clear()


async def open_unfinished(database: Database, slot: int, slots: int) -> UnfinishedAnswers:
    """The unfinished answers of the process with one of the `slots`."""
    left = await rows.left_behind(database, slot, slots, time() - TOKEN_SECONDS)
    return UnfinishedAnswers(database, slot, left)
