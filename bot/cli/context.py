"""What the commands of tuning work with: the bot's database and services, without Discord."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

from bot.app import TEMPLATES, open_ledger_of, open_model
from bot.cli.running import load_settings
from bot.core.caller import SERVER
from bot.core.metrics import Metrics, open_metrics
from bot.core.settings import Settings
from bot.llm.template_registry import open_template_registry
from bot.server.health import open_health
from bot.server.model_gateway import ModelGateway
from bot.server.prompts import Prompts
from bot.storage.database import open_database
from bot.storage.migrations import upgrade
from bot.tuning.service import Tuning, open_tuning

# The user id of the command line: the operator is no person of Discord, and no person's limit counts the calls.
OPERATOR = SERVER


def open_for_operator() -> AbstractAsyncContextManager[Tuning]:
    """Tuning on the configured database, on which a bot may be running too. Raises `FewshotError`."""
    return _open_tuning(load_settings(log_level="ERROR"), Metrics())


def open_for_worker() -> AbstractAsyncContextManager[Tuning]:
    """Tuning of a process that does the long work of bots, with its health and metrics. Raises `FewshotError`."""
    settings = load_settings()
    return _open_tuning(settings, open_metrics(enabled=settings.health_port is not None), is_worker=True)


@asynccontextmanager
async def _open_tuning(settings: Settings, metrics: Metrics, *, is_worker: bool = False) -> AsyncIterator[Tuning]:
    async with AsyncExitStack() as stack:
        await upgrade(settings.database)
        database = await stack.enter_async_context(open_database(settings.database))
        client = await stack.enter_async_context(open_model(settings))
        ledger = await stack.enter_async_context(open_ledger_of(settings, database, metrics))
        templates = open_template_registry(TEMPLATES).templates
        gateway = ModelGateway(client, ledger, Prompts(database, 0), metrics=metrics)
        if is_worker:
            opened = open_health(database, client.models, metrics, settings.health_port, settings.health_host)
            health = await stack.enter_async_context(opened)
            health.gateway = lambda: True  # A worker is not connected to Discord.
            metrics.on_scrape("fewshot_database_errors_total", lambda: database.errors)
        async with open_tuning(settings, database, gateway, ledger, templates, is_worker=is_worker) as tuning:
            yield tuning


def bar_updater(bar: Any) -> Callable[[int, int], None]:
    """A function that moves a click progress bar of length 100; it takes what is done and the total."""
    at = 0

    def show(done: int, total: int) -> None:
        nonlocal at
        now = 100 * done // max(total, 1)
        bar.update(max(now - at, 0))
        at = max(at, now)

    return show
