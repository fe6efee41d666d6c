"""What the commands of tuning work with: the bot's database and services, without Discord."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from bot.app import TEMPLATES, open_model
from bot.cli.running import load_settings
from bot.core.caller import SERVER
from bot.llm.prices import open_prices
from bot.llm.template_registry import open_template_registry
from bot.server.ledger import Limits, open_ledger
from bot.server.model_gateway import ModelGateway
from bot.server.prompts import Prompts
from bot.storage.database import open_database
from bot.storage.migrations import upgrade
from bot.tuning.service import Tuning, open_tuning

# The user id of the command line: the operator is no person of Discord, and no person's limit counts the calls.
OPERATOR = SERVER


@asynccontextmanager
async def open_for_operator() -> AsyncIterator[Tuning]:
    """Tuning on the configured database, on which a bot may be running too. Raises `FewshotError`."""
    settings = load_settings(log_level="ERROR")
    limits = Limits(
        settings.daily_tokens_per_user,
        settings.daily_tokens_per_guild,
        settings.daily_tokens,
        settings.monthly_usd,
        settings.unknown_price,
    )
    await upgrade(settings.database)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings.database))
        client = await stack.enter_async_context(open_model(settings))
        ledger = await open_ledger(database, limits, prices=open_prices(settings.prices_file))
        prompts = Prompts(database, 0)
        templates = open_template_registry(TEMPLATES).templates
        gateway = ModelGateway(client, ledger, prompts)
        yield await stack.enter_async_context(open_tuning(settings, database, gateway, ledger, templates))


def bar_updater(bar: Any) -> Callable[[int, int], None]:
    """A function that moves a click progress bar of length 100; it takes what is done and the total."""
    at = 0

    def show(done: int, total: int) -> None:
        nonlocal at
        now = 100 * done // max(total, 1)
        bar.update(max(now - at, 0))
        at = max(at, now)

    return show
