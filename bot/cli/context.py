"""What the commands of tuning work with: the same database and services as the bot, without Discord."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from bot.app import TEMPLATES, open_model
from bot.cli.running import load_settings
from bot.core.caller import SERVER
from bot.llm.template_registry import open_template_registry
from bot.server.ledger import Limits, open_ledger
from bot.server.model_gateway import ModelGateway
from bot.server.prompts import Prompts
from bot.storage.database import open_database
from bot.storage.migrations import upgrade
from bot.tuning.providers import Workshop, open_workshop

# Nobody of Discord: the command line is the operator's, and no person's limit counts it.
OPERATOR = SERVER


@asynccontextmanager
async def open_bench() -> AsyncIterator[Workshop]:
    """The workshop on the configured database, beside a bot that may be running on it. Raises `FewshotError`."""
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
        ledger = await open_ledger(database, limits)
        prompts = Prompts(database, 0)
        templates = open_template_registry(TEMPLATES).templates
        gateway = ModelGateway(client, ledger, prompts)
        yield await stack.enter_async_context(open_workshop(settings, database, gateway, ledger, prompts, templates))


def moved(bar: Any) -> Callable[[int, int], None]:
    """A way to move a click progress bar of length 100 to where the work is."""
    at = 0

    def show(done: int, total: int) -> None:
        nonlocal at
        now = 100 * done // max(total, 1)
        bar.update(max(now - at, 0))
        at = max(at, now)

    return show
