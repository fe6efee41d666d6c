"""Who takes the long work: the processes of `fewshot worker` while one is alive, else the bot itself."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from bot.core.errors import StorageError
from bot.storage import leases
from bot.storage.database import Database

_log = logging.getLogger(__name__)
# The lease of every living worker begins with this.
WORKER = "worker:"
# Seconds that a worker counts as alive after it was killed.
LEASE = 9.0


class Workers:
    """The workers on a database, as one process sees them; one for the process. `is_worker`: it is one itself."""

    def __init__(self, database: Database, *, is_worker: bool) -> None:
        self._database, self.is_worker = database, is_worker
        # The name of this process in leases.
        self.holder = secrets.token_hex(8)

    async def are_others_alive(self) -> bool:
        """Whether this process is no worker and another one is: then the long work is not for this process."""
        return not self.is_worker and await leases.is_any_held(self._database, WORKER)

    async def serve(self, *loops: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Be a worker, whose work is `loops`, until cancelled."""
        await leases.delete_expired(self._database)

        async def work() -> None:
            async with asyncio.TaskGroup() as group:
                for loop in loops:
                    group.create_task(loop())

        await self.run(f"{WORKER}{self.holder}", work, LEASE)

    async def run(self, name: str, work: Callable[[], Coroutine[Any, Any, None]], seconds: float) -> bool:
        """Run `work` while this process has the lease `name`, which runs out `seconds` after a crash.

        Returns whether the work was done: False where another process has the lease, or has taken it meanwhile.
        """
        if not await leases.acquire(self._database, name, self.holder, seconds):
            return False
        return await hold(
            work(),
            name,
            seconds,
            lambda: leases.acquire(self._database, name, self.holder, seconds),
            lambda: leases.release(self._database, name, self.holder),
        )


async def hold(
    work: Coroutine[Any, Any, None],
    name: str,
    seconds: float,
    renew: Callable[[], Awaitable[bool]],
    release: Callable[[], Awaitable[None]],
) -> bool:
    """Run `work` with its lease, which was acquired for `seconds`; `renew` it meanwhile, and `release` it at the end.

    Returns whether the work was done. False where another process has the lease by now, as it may after this one was
    paused; the work is cancelled then.
    """
    running = asyncio.create_task(work, name=name)
    try:
        while not (await asyncio.wait({running}, timeout=seconds / 3))[0]:
            try:
                if not await renew():
                    _log.warning("another process has taken the lease %s", name)
                    return False
            except StorageError as error:
                _log.warning("the lease %s is not renewed: %s", name, error)
        await running
        return True
    finally:
        running.cancel()
        await asyncio.wait({running})
        with suppress(StorageError):
            await release()
