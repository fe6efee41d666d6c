"""The composition root: opens all services in one `async with` and closes them in reverse order."""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import discord
from filelock import FileLock, Timeout

from bot.answers.service import Answers
from bot.answers.techniques import Techniques
from bot.bot import FewshotBot
from bot.core.errors import ConfigError, ModelError, StorageError
from bot.core.metrics import Metrics, open_metrics
from bot.core.settings import LOCAL_SUFFIX, STAND_IN, ListedModel, Settings
from bot.discord_api import recommended_shards
from bot.engine.launch import connected
from bot.engine.llama.service import LocalModels
from bot.engine.llama.store import ModelStore
from bot.llm.client import ChatClient, client_options
from bot.llm.clients import ChatClients
from bot.llm.prices import open_prices
from bot.llm.template_registry import TemplateRegistry, open_template_registry
from bot.play.adventures import Adventures
from bot.play.history import History
from bot.play.scenarios import Scenarios, open_scenarios
from bot.server.arena import Arenas
from bot.server.chat_models import ChatModel, ChatModels
from bot.server.guilds import GuildSettingsStore, open_guild_settings
from bot.server.health import open_health
from bot.server.ledger import Ledger, Limits
from bot.server.model_gateway import CallQueue, ModelGateway
from bot.server.model_watch import ModelWatch
from bot.server.moderation import Moderation
from bot.server.privacy import Privacy
from bot.server.prompts import Prompts
from bot.server.shipped_tests import ShippedTests
from bot.server.trick_runs import TrickRuns
from bot.server.trick_tests import TrickTests
from bot.server.tricks import Tricks
from bot.server.unfinished import open_unfinished
from bot.services import Services
from bot.storage import usage_sums
from bot.storage.database import Database, open_database
from bot.storage.erasure import ERASED
from bot.storage.guilds import CHANGED
from bot.storage.migrations import upgrade
from bot.storage.slots import Slot, open_slot
from bot.tuning.service import open_tuning
from bot.ui.actions import ActionRegistry
from bot.ui.inflight import InflightTasks
from bot.ui.uploads import AttachmentReader

_log = logging.getLogger(__name__)
TEMPLATES = Path(__file__).resolve().parents[1] / "templates"
# Seconds between two deletions of expired data.
SWEEP_INTERVAL = 3_600
# New objects between two garbage collections, and how many collections of the youngest objects precede one of the older
# ones. With Python's 700, 10 and 10, the objects of running commands are visited again and again, and objects that
# lived a little longer are freed late. At 50 commands at once, collecting takes 15 % of the CPU time with Python's
# numbers, 7 % with 5,000, 1 and 1, and 1 % with these; 1,000 commands leave 20, 10 and 10 MiB (2026-11-28).
GC_THRESHOLDS = 20_000, 1, 1


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """All services of the bot. Raises `ConfigError` or `StorageError`."""
    async with AsyncExitStack() as stack:
        _lock_data_dir(stack, settings.data_dir)
        metrics = open_metrics(enabled=settings.health_port is not None)
        await upgrade(settings.database)
        database = await stack.enter_async_context(open_database(settings.database))
        slot = await _slot(stack, settings, database)
        client = await stack.enter_async_context(open_model(settings))
        guilds = await open_guild_settings(database, settings.daily_tokens_per_user, settings.daily_tokens_per_guild)
        ledger = await stack.enter_async_context(open_ledger_of(settings, database, metrics, guilds, slot.number))
        prompts = Prompts(database, settings.retention_days)
        queue = CallQueue(settings.calls_per_person)
        clients = await stack.enter_async_context(ChatClients(settings, client))
        listed = [ChatModel(one.name, one.label, clients.of(one)) for one in settings.listed_models]
        chat_models = ChatModels(client, guilds, listed)
        moderator = settings.moderation_model
        moderation = Moderation(clients.of(ListedModel(name=moderator)), moderator, guilds) if moderator else None
        gateway = ModelGateway(client, ledger, prompts, moderation, queue, metrics, chat_models)
        privacy = Privacy(database, prompts, guilds, deletes=slot.is_first)
        slot.notices.on(CHANGED, guilds.reload)
        slot.notices.on(ERASED, privacy.erased_elsewhere)
        stack.push_async_callback(privacy.close)
        _start_deleting(stack, privacy)
        templates, scenarios = await asyncio.to_thread(_read_templates, settings)
        adventures = Adventures(database, gateway, prompts, scenarios, settings.story_tokens)
        stack.push_async_callback(adventures.close)
        tuning = await stack.enter_async_context(open_tuning(settings, database, gateway, ledger, templates.templates))
        running = asyncio.create_task(tuning.jobs.runner.run(), name="run tuning jobs")
        stack.push_async_callback(_cancel, running)
        inflight = InflightTasks()
        _report(metrics, inflight, queue, chat_models, database)
        unfinished = await open_unfinished(database, slot.number, slot.count)
        stack.callback(unfinished.flush)
        answers = Answers(gateway, prompts, inflight, unfinished, tuning.models.tuned_template)
        attachments = AttachmentReader()
        tricks = Tricks(database, templates.templates)
        trick_tests = TrickTests(database, tricks)
        trick_runs = TrickRuns(database, tricks, trick_tests, gateway, templates.get("judge"))
        shipped = ShippedTests(database, templates.templates, gateway, templates.get("judge"))
        usd, unknown_price = settings.model_watch_usd, settings.unknown_price
        watch = ModelWatch(database, chat_models, gateway, tricks, trick_runs, shipped, guilds, usd, unknown_price)
        health = await stack.enter_async_context(
            open_health(database, client.models, metrics, settings.health_port, settings.health_host)
        )
        yield Services(
            settings=settings,
            templates=templates,
            gateway=gateway,
            chat_models=chat_models,
            prompts=prompts,
            answers=answers,
            unfinished=unfinished,
            attachments=attachments,
            techniques=Techniques(templates, answers, guilds, attachments),
            inflight=inflight,
            actions=ActionRegistry(inflight, metrics),
            ledger=ledger,
            guilds=guilds,
            arenas=Arenas(database),
            tricks=tricks,
            trick_tests=trick_tests,
            trick_runs=trick_runs,
            model_watch=watch,
            adventures=adventures,
            history=History(database, adventures),
            tuning=tuning,
            privacy=privacy,
            local_models=LocalModels(settings.models, wanted=not settings.has_model),
            health=health,
            metrics=metrics,
            database=database,
            slot=slot,
        )


def open_ledger_of(
    settings: Settings,
    database: Database,
    metrics: Metrics,
    guilds: GuildSettingsStore | None = None,
    slot: int | None = None,
) -> Ledger:
    """The ledger with the limits and prices of the operator; `guilds` and `slot` are those of a bot."""
    addresses = {one.name: str(one.base_url) for one in settings.listed_models}
    prices = open_prices(settings.prices_file, addresses)
    limits, shared = Limits.of(settings), settings.shares_database
    return Ledger(database, limits, guilds, metrics, prices=prices, slot=slot, shared=shared)


def _read_templates(settings: Settings) -> tuple[TemplateRegistry, Scenarios]:
    """All templates. Files that cannot be used are logged."""
    templates = open_template_registry(TEMPLATES, settings.templates_dir)
    scenarios = open_scenarios(TEMPLATES / "adventures")
    for problem in (*templates.problems.values(), *scenarios.problems.values()):
        _log.error("%s", problem)
    return templates, scenarios


def _report(
    metrics: Metrics, inflight: InflightTasks, queue: CallQueue, chat_models: ChatModels, database: Database
) -> None:
    """Let Prometheus read how much is under way, and the database's errors."""
    metrics.on_scrape("fewshot_interactions_running", lambda: len(inflight))
    metrics.on_scrape("fewshot_calls_running", lambda: queue.running)
    metrics.on_scrape(
        "fewshot_calls_waiting",
        lambda: {"person": queue.waiting, "model": sum(each.waiting for each in chat_models.clients)},
    )
    metrics.on_scrape("fewshot_database_errors_total", lambda: database.errors)


async def _slot(stack: AsyncExitStack, settings: Settings, database: Database) -> Slot:
    """The slot of this process. On PostgreSQL, wait until one is free."""

    async def recommended() -> int:
        if settings.slots == 1 or settings.discord_token is None:
            return 0
        return max(await recommended_shards(settings.discord_token), settings.slots)

    if not settings.shares_database:
        return Slot(shards=settings.shards or 0)
    slot = await stack.enter_async_context(open_slot(settings.database, settings.slots, settings.shards, recommended))
    database.fence(slot.number, slot.epoch)
    if slot.alone:  # The sums may be those of an earlier day on which processes without shared sums ran too.
        await usage_sums.forget(database, datetime.now(UTC).date().isoformat())
    return slot


async def _cancel(task: "asyncio.Task[None]") -> None:
    """Cancel a background task and wait for its end, so that it does not use the database while that closes."""
    task.cancel()
    await asyncio.wait([task])


@asynccontextmanager
async def open_model(settings: Settings) -> AsyncIterator[ChatClient]:
    """The client for the configured model; without one, for the local model in use, else for the stand-in."""
    if settings.has_model:
        async with ChatClient(**client_options(settings)) as client:
            if not (settings.chat_model or settings.chat_models or settings.openai_base_url is None):
                client.model = await client.first_chat_model()
            yield client
        return
    async with connected(settings.data_dir, settings.models) as engine:
        local = ModelStore(settings.models).in_use()
        model = f"{local}{LOCAL_SUFFIX}" if local else STAND_IN
        # The engine queues what a local model cannot answer at a time, and says how many wait.
        concurrency = settings.chat_concurrency
        async with ChatClient(
            base_url=engine.url, api_key=engine.token, model=model, concurrency=concurrency
        ) as client:
            yield client


async def run(bot: FewshotBot) -> None:
    """Connect to Discord and serve until SIGTERM, Ctrl-C or an error that reconnecting cannot solve.

    Raises `ConfigError` when Discord refuses the token or an intent.
    """
    token = bot.services.settings.discord_token
    assert token is not None, "`fewshot run` has checked it"
    stopped = stop_on_signals()
    # The objects created at start-up are never freed. Without this, a full collection visits all of them and blocks
    # the event loop for up to 0.1 s.
    gc.freeze()
    gc.enable()
    gc.set_threshold(*GC_THRESHOLDS)
    async with bot:
        serving = asyncio.create_task(bot.start(token.get_secret_value()), name="gateway")
        stopping = asyncio.create_task(stopped.wait(), name="stop signal")
        replaced = asyncio.create_task(bot.services.slot.lost.wait())
        warming = asyncio.create_task(_warm_up(bot), name="warm up")
        await asyncio.wait({serving, stopping, replaced}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        replaced.cancel()
        warming.cancel()
        if not serving.done():
            await bot.services.inflight.drain()
            await bot.close()
        await _result(serving)
    if bot.services.slot.lost.is_set():
        number = bot.services.slot.number
        raise ConfigError(f"Another process has taken slot {number}. Start this one again; it then waits as a spare.")


async def _warm_up(bot: FewshotBot) -> None:
    """Once the gateway is connected, do the slow initialisation that the start leaves out.

    Once all servers are known, exempt them from garbage collection.
    """
    await bot.wait_for("connect")
    try:
        await bot.services.gateway.warm()
    except ModelError as error:
        _log.error("%s", error)
    await bot.wait_until_ready()
    # With 2,500 servers, visiting their channels and roles takes 0.9 s (50 and 100 each, measured 2026-11-28).
    gc.freeze()


async def _result(serving: "asyncio.Task[None]") -> None:
    """Wait for the gateway task. Raises `ConfigError` with a sentence for its errors."""
    try:
        await serving
    except discord.LoginFailure:
        raise ConfigError("Discord refused DISCORD_TOKEN: copy it again from the developer portal.") from None
    except discord.PrivilegedIntentsRequired:
        raise ConfigError(
            "MESSAGE_CONTENT is on, but the developer portal has not granted that intent: turn it on there, "
            "or turn MESSAGE_CONTENT off."
        ) from None
    except discord.ConnectionClosed as error:
        raise ConfigError(
            f"Discord closed the connection for good (code {error.code}): was the token reset? Copy it again."
        ) from None
    except aiohttp.ClientResponseError as error:  # Its text contains the proxy's address with its password.
        raise ConfigError(f"Discord cannot be reached: a proxy on the way answered {error.status}.") from None
    except (OSError, aiohttp.ClientError, discord.HTTPException) as error:
        raise ConfigError(f"Discord cannot be reached: {error}.") from None


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM and Ctrl-C set. Without a handler, SIGTERM ends the process without running `finally`."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stopped.set)
        except NotImplementedError:  # On Windows, event loops have no signal handlers.
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stopped.set))
    return stopped


def _lock_data_dir(stack: AsyncExitStack, folder: Path) -> None:
    """Lock DATA_DIR while the bot runs, because two bots would answer everything twice. Raises `ConfigError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stack.enter_context(FileLock(folder / "bot.lock", timeout=0))
    except Timeout:
        raise ConfigError(
            f"Another Fewshot is running on {folder}: stop it, or give this one another DATA_DIR."
        ) from None
    except OSError as error:
        raise ConfigError(f"DATA_DIR {folder} cannot be used: {os.strerror(error.errno or 0)}.") from None


def _start_deleting(stack: AsyncExitStack, privacy: Privacy) -> None:
    """Delete expired data in the background until `stack` is closed."""
    stopped = asyncio.Event()
    sweeping = asyncio.create_task(_delete_expired(privacy, stopped), name="delete expired data")
    # Not cancelled: a read that is cancelled may open a connection after the database is closed.
    stack.push_async_callback(asyncio.wait, {sweeping})
    stack.callback(stopped.set)


async def _delete_expired(privacy: Privacy, stopped: asyncio.Event) -> None:
    """Delete expired data, now and every hour, until `stopped`."""
    while not stopped.is_set():
        try:
            await privacy.delete_expired()
        except StorageError as error:  # One locked database must not end this task.
            _log.error("expired data could not be deleted: %s", error)
        with suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), SWEEP_INTERVAL)
