"""Ends a model call early, when somebody presses Stop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.core.errors import AnswerStoppedError
from bot.core.i18n import N_

STOPPED_EARLY = N_("Stopped before the answer was complete.")


class StopSignal:
    """The way to end one model call. `stop` ends the innermost `scope` that is running, and each later one."""

    def __init__(self) -> None:
        self.stopped = False
        self._scopes: list[asyncio.Timeout] = []

    def stop(self) -> None:
        """End the call. A second `stop` does nothing."""
        if not self.stopped and self._scopes:
            self._scopes[-1].reschedule(asyncio.get_running_loop().time())
        self.stopped = True

    @asynccontextmanager
    async def scope(self) -> AsyncIterator[None]:
        """What `stop` ends. Raises `AnswerStoppedError` where it did, or was called before."""
        if self.stopped:
            raise AnswerStoppedError(STOPPED_EARLY)
        try:
            async with asyncio.timeout(None) as scope:
                self._scopes.append(scope)
                try:
                    yield
                finally:
                    self._scopes.remove(scope)
        except TimeoutError:
            if scope.expired():
                raise AnswerStoppedError(STOPPED_EARLY) from None
            raise
