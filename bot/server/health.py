"""Health checks and metrics over HTTP.

`/livez` answers 200 while the event loop runs. `/readyz` answers 200 when Discord's gateway, the database and the
model can be reached, otherwise 503. The JSON body has the state of each. `/metrics` has the values of
`bot.core.metrics` in Prometheus's text format.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import TYPE_CHECKING

from bot.core.errors import ConfigError, FewshotError
from bot.core.metrics import TEXT_FORMAT, Metrics
from bot.storage.database import Database
from bot.storage.tuning import count_jobs_by_state

if TYPE_CHECKING:
    from aiohttp import web

LOOPBACK = "127.0.0.1"
# Seconds until a check fails, and seconds that the result of the model's check is reused: probes come often.
CHECK_TIMEOUT, REUSED_FOR = 5.0, 30.0
# Seconds between two measurements of how late the event loop is.
LAG_INTERVAL = 0.5


class Health:
    """Checks gateway, database and model. The process has one instance; the Discord client sets `gateway`."""

    def __init__(
        self, database: Database, models: Callable[[], Awaitable[object]], now: Callable[[], float] = monotonic
    ) -> None:
        self._database, self._models, self._now = database, models, now
        self.gateway: Callable[[], bool] = lambda: False
        self.jobs: dict[str, int] = {}
        self._model, self._until = False, 0.0
        self._asking = asyncio.Lock()

    async def ready(self) -> dict[str, bool]:
        """Which parts can be reached: `gateway`, `database`, `model`."""
        database, model = await asyncio.gather(_answers(self._database.check), self._model_answers())
        return {"gateway": self.gateway(), "database": database, "model": model}

    async def count_jobs(self) -> None:
        """Read the number of jobs for the metrics; without an answer of the database the number is not known."""
        self.jobs = {}

        async def count() -> None:
            self.jobs = await count_jobs_by_state(self._database)

        await _answers(count)

    async def _model_answers(self) -> bool:
        """Whether the model's server lists its models. One request at a time; reused for `REUSED_FOR` s."""
        async with self._asking:
            if self._now() >= self._until:
                self._model = await _answers(self._models)
                self._until = self._now() + REUSED_FOR
            return self._model


async def _answers(ask: Callable[[], Awaitable[object]]) -> bool:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            await ask()
    except (FewshotError, TimeoutError):
        return False
    return True


@asynccontextmanager
async def open_health(
    database: Database,
    models: Callable[[], Awaitable[object]],
    metrics: Metrics,
    port: int | None,
    host: str = LOOPBACK,
) -> AsyncIterator[Health]:
    """The health of these parts and the `metrics`, served on `host` at `port`, or nowhere.

    Raises `ConfigError` for a port in use.
    """
    health = Health(database, models)
    metrics.on_scrape("fewshot_jobs", lambda: health.jobs)
    if port is None:
        yield health
        return
    from aiohttp import web

    runner = web.AppRunner(_application(health, metrics), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        reason = error.strerror or str(error)
        raise ConfigError("HEALTH_PORT {port} cannot be used: {reason}.", port=port, reason=reason) from None
    measuring = asyncio.create_task(_measure_lag(metrics))
    try:
        yield health
    finally:
        measuring.cancel()
        await runner.cleanup()


async def _measure_lag(metrics: Metrics) -> None:
    """Measure how much later than asked the event loop wakes this task, until cancelled."""
    while True:
        began = monotonic()
        await asyncio.sleep(LAG_INTERVAL)
        metrics.lag(monotonic() - began - LAG_INTERVAL)


def _application(health: Health, metrics: Metrics) -> "web.Application":
    """The routes. aiohttp's server is imported only here, because most bots serve no health checks."""
    from aiohttp import web

    async def livez(_: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def readyz(_: web.Request) -> web.Response:
        parts = await health.ready()
        return web.json_response(parts, status=200 if all(parts.values()) else 503)

    async def exposition(_: web.Request) -> web.Response:
        await health.count_jobs()
        return web.Response(body=metrics.exposition(), headers={"Content-Type": TEXT_FORMAT})

    app = web.Application()
    app.add_routes([web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", exposition)])
    return app
