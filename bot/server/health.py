"""Health: two addresses on loopback that say whether the process lives, and whether it can serve.

`/livez` answers 200 while the event loop turns. `/readyz` answers 200 when Discord's gateway, the database and the
model can be reached, else 503, with each of the three in JSON either way.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import TYPE_CHECKING

from bot.core.errors import ConfigError, FewshotError
from bot.storage.database import Database

if TYPE_CHECKING:
    from aiohttp import web

LOOPBACK = "127.0.0.1"
# Seconds that a part may take to answer, and for which the model's answer holds: probes come every few seconds.
PATIENCE, FRESH = 5.0, 30.0


class Health:
    """Knows how the parts are; one for the process. `gateway` is set by whoever is connected to Discord."""

    def __init__(
        self, database: Database, models: Callable[[], Awaitable[object]], now: Callable[[], float] = monotonic
    ) -> None:
        self._database, self._models, self._now = database, models, now
        self.gateway: Callable[[], bool] = lambda: False
        self._model, self._until = False, 0.0
        self._asking = asyncio.Lock()

    async def ready(self) -> dict[str, bool]:
        """Which parts can be reached: `gateway`, `database`, `model`."""
        database, model = await asyncio.gather(_answers(self._database.check), self._model_answers())
        return {"gateway": self.gateway(), "database": database, "model": model}

    async def _model_answers(self) -> bool:
        """Whether the model's server lists its models; asked by one probe at a time, and not at every one."""
        async with self._asking:
            if self._now() >= self._until:
                self._model = await _answers(self._models)
                self._until = self._now() + FRESH
            return self._model


async def _answers(ask: Callable[[], Awaitable[object]]) -> bool:
    try:
        async with asyncio.timeout(PATIENCE):
            await ask()
    except (FewshotError, TimeoutError):
        return False
    return True


@asynccontextmanager
async def open_health(
    database: Database, models: Callable[[], Awaitable[object]], port: int | None, host: str = LOOPBACK
) -> AsyncIterator[Health]:
    """The health of these parts, served on loopback at `port`, or nowhere. Raises `ConfigError` for a port in use."""
    health = Health(database, models)
    if port is None:
        yield health
        return
    from aiohttp import web

    runner = web.AppRunner(_application(health), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        reason = error.strerror or str(error)
        raise ConfigError("HEALTH_PORT {port} cannot be used: {reason}.", port=port, reason=reason) from None
    try:
        yield health
    finally:
        await runner.cleanup()


def _application(health: Health) -> "web.Application":
    """The two addresses. A server's half of aiohttp is imported only here: most bots serve none."""
    from aiohttp import web

    async def livez(_: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def readyz(_: web.Request) -> web.Response:
        parts = await health.ready()
        return web.json_response(parts, status=200 if all(parts.values()) else 503)

    app = web.Application()
    app.add_routes([web.get("/livez", livez), web.get("/readyz", readyz)])
    return app
