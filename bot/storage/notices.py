"""Notices: what one process tells all others, through PostgreSQL's LISTEN and NOTIFY.

A notice has a subject and a text. It is sent when its transaction commits, and lost to a process that is not connected
then. Only rare changes are announced: a commit with a notice takes a lock of the whole server.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.errors import StorageError
from bot.storage.errors import UnreachableError

_log = logging.getLogger(__name__)
CHANNEL = "fewshot"
# Bytes of a notice; PostgreSQL allows 8,000.
MAX_BYTES = 7_900
Handler = Callable[[str], Awaitable[None]]


async def announce(connection: AsyncConnection, subject: str, about: str) -> None:
    """Tell all processes, this one too, when the caller's transaction commits. On SQLite there is only this one."""
    if connection.dialect.name == "postgresql":
        notice = {"channel": CHANNEL, "notice": f"{subject}:{about}"}
        await connection.execute(text("SELECT pg_notify(:channel, :notice)"), notice)


class Notices:
    """The notices that this process receives. One handler for each subject; they run one after the other."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}
        self._received: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self._handling: asyncio.Task[None] | None = None

    def on(self, subject: str, handler: Handler) -> None:
        """Call `handler` with the text of each notice, and with an empty text where some may have been missed."""
        self._handlers[subject] = handler

    async def listen(self, connection: Any) -> None:
        """Receive what arrives at `connection`, which is asyncpg's. Raises `UnreachableError` where it has ended."""
        from asyncpg import InterfaceError, InternalClientError, PostgresError

        try:
            await connection.add_listener(CHANNEL, self._receive)
        except (InterfaceError, InternalClientError, PostgresError, OSError) as error:
            raise UnreachableError from error
        if self._handling is None:
            self._handling = asyncio.create_task(self._handle())

    def missed(self) -> None:
        """The connection was away, so notices may have been lost."""
        for subject in self._handlers:
            self._received.put_nowait((subject, ""))

    async def close(self) -> None:
        """Handle nothing more."""
        if self._handling is not None:
            self._handling.cancel()
            await asyncio.wait([self._handling])

    def _receive(self, _connection: object, _pid: int, _channel: str, notice: str) -> None:
        subject, _, about = notice.partition(":")
        self._received.put_nowait((subject, about))

    async def _handle(self) -> None:
        while True:
            subject, about = await self._received.get()
            if (handler := self._handlers.get(subject)) is None:
                continue  # A newer version of the bot announces it.
            try:
                await handler(about)
            except StorageError as error:
                _log.error("a notice about %s could not be handled: %s", subject, error)
