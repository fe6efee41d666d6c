"""The answers that are being written. When a process is killed, the next one ends those that it left.

A row is stored with the reservation of the answer's first model call, and deleted after the final text.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from time import time

from bot.storage import unfinished as rows
from bot.storage.database import Database
from bot.storage.unfinished import UnfinishedAnswer

__all__ = ["UnfinishedAnswer", "UnfinishedAnswers", "open_unfinished"]
# Seconds for which the token of an interaction is valid.
TOKEN_SECONDS = 900


class UnfinishedAnswers:
    """The answers that this process is writing, and those that the one before it `left`. One for the process."""

    def __init__(self, database: Database, slot: int, left: list[UnfinishedAnswer]) -> None:
        self._database, self._slot, self.left = database, slot, left

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
        rows.remove(self._database, answer_id)


async def open_unfinished(database: Database, slot: int, slots: int) -> UnfinishedAnswers:
    """The unfinished answers of the process with one of the `slots`."""
    left = await rows.left_behind(database, slot, slots, time() - TOKEN_SECONDS)
    return UnfinishedAnswers(database, slot, left)
