"""`fewshot doctor`: checks everything that a start needs, and says what to do about each problem."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import aiohttp
import click
import discord

from bot.app import TEMPLATES, open_model
from bot.bot import proxy_to_discord
from bot.cli.running import can_print, load_settings
from bot.core.errors import ConfigError, FewshotError
from bot.core.settings import Settings, load
from bot.discord_api import use_discord_api
from bot.engine.llama.catalog import machine, recommended
from bot.engine.llama.store import ModelStore
from bot.llm.client import ChatClient, client_options
from bot.llm.prices import open_prices
from bot.llm.template_registry import open_template_registry
from bot.play.scenarios import open_scenarios
from bot.storage import migrations as migrating
from bot.storage.database import open_database

# Default ports of model servers. All have OpenAI's API under /v1.
SERVERS = {"Ollama": 11434, "LM Studio": 1234, "llama.cpp": 8080, "vLLM": 8000}
SECONDS = 5.0
Outcome = Literal["ok", "note", "bad"]
# The mark of each outcome, in ASCII for consoles that do not have it, and its colour.
MARKS: dict[Outcome, tuple[str, str, str]] = {
    "ok": ("✓", "ok  ", "green"),
    "note": ("·", "note", "yellow"),
    "bad": ("✗", "BAD ", "red"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. Only `bad` makes the exit code 1; a `note` is information."""

    outcome: Outcome
    subject: str
    sentence: str


async def run_doctor() -> bool:
    """Print the findings. Returns False if one is bad."""
    try:
        load()  # also checks LOG_LEVEL, which the next line overrides
        settings = load_settings(log_level="ERROR")
    except ConfigError as error:
        _print(Finding("bad", "Settings", str(error)))
        return False
    _print(Finding("ok", "Settings", "read from the environment and .env"))
    good = True
    for look in (_folder, _database, _templates, _corpora, _model, _discord):
        async for finding in look(settings):
            _print(finding)
            good &= finding.outcome != "bad"
    return good


def _print(finding: Finding) -> None:
    mark, ascii_mark, colour = MARKS[finding.outcome]
    mark = mark if can_print("✓·✗") else ascii_mark
    click.echo(f"{click.style(mark, fg=colour)} {finding.subject}: {finding.sentence}")


async def _folder(settings: Settings) -> AsyncIterator[Finding]:
    """Check that DATA_DIR is writable."""
    probe = settings.data_dir / ".doctor"
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        probe.write_text("", encoding="utf-8")
        probe.unlink()
    except OSError as error:
        yield Finding("bad", "Data", f"DATA_DIR {settings.data_dir} cannot be written to: {error.strerror}.")
    else:
        yield Finding("ok", "Data", f"{settings.data_dir.resolve()} can be written to")


async def _database(settings: Settings) -> AsyncIterator[Finding]:
    try:
        current, newest = await migrating.version(settings.database)
        if current is None:
            yield Finding("note", "Database", "does not exist yet; the first start creates it")
            return
        async with open_database(settings.database) as database:
            await database.check()
    except FewshotError as error:
        yield Finding("bad", "Database", str(error))
        return
    if current == newest:
        yield Finding("ok", "Database", f"version {current}, the newest")
    else:
        yield Finding("note", "Database", f"version {current}; the next start upgrades it to {newest}")


async def _templates(settings: Settings) -> AsyncIterator[Finding]:
    library = await asyncio.to_thread(open_template_registry, TEMPLATES, settings.templates_dir)
    scenarios = await asyncio.to_thread(open_scenarios, TEMPLATES / "adventures")
    for problem in (*library.problems.values(), *scenarios.problems.values()):
        yield Finding("bad", "Templates", problem)
    if library.templates:
        names = ", ".join(sorted(library.templates))
        others = f"{len(library.styles)} styles, {len(scenarios.by_name)} adventures"
        yield Finding("ok", "Templates", f"{len(library.templates)} usable ({names}), {others}")


async def _corpora(settings: Settings) -> AsyncIterator[Finding]:
    for name, folder in settings.corpora.items():
        texts = _texts(folder)
        if texts:
            yield Finding("ok", "Corpora", f"{name}: {texts} texts in {folder}")
        else:
            yield Finding("bad", "Corpora", f"{name}: {folder} contains no .txt or .md file; correct CORPORA.")


def _texts(folder: Path) -> int:
    return sum(1 for path in folder.glob("*") if path.suffix in (".txt", ".md")) if folder.is_dir() else 0


async def _model(settings: Settings) -> AsyncIterator[Finding]:
    """Check that the configured models are listed. Without one, find model servers on this machine."""
    if not settings.has_model:
        yield _local_model(settings)
        async for finding in _servers():
            yield finding
        return
    for listed in settings.listed_models or (None,):
        opened = ChatClient(**client_options(settings, listed)) if listed else open_model(settings)
        try:
            async with asyncio.timeout(SECONDS), opened as client:
                yield await _served(client, "CHAT_MODELS" if listed else "CHAT_MODEL")
                yield await _price(settings, client.model)
        except TimeoutError:
            yield Finding("bad", "Model", f"the server did not answer within {SECONDS:.0f} seconds.")
        except FewshotError as error:
            yield Finding("bad", "Model", f"{listed.name}: {error}" if listed else str(error))


async def _served(client: ChatClient, setting: str) -> Finding:
    """Whether the server lists the model that `setting` names."""
    names = await client.models()
    if client.model in names:
        return Finding("ok", "Model", f"{client.model} at {client.host}")
    some = ", ".join(names[:8])
    return Finding("bad", "Model", f"{client.host} does not list {client.model}. Set {setting}: {some}.")


async def _price(settings: Settings, model: str) -> Finding:
    """What the model costs, or that its price is not known."""
    prices = open_prices(settings.prices_file)
    await prices.load([model])
    price = prices.of(model)
    if price is not None:
        each = f"${price.prompt} in and ${price.completion} out for a million tokens"
        return Finding("ok", "Price", f"{model}: {each}")
    counted = f"{model}: not known. A million tokens count ${settings.unknown_price:g} (UNKNOWN_PRICE)"
    return Finding("note", "Price", f"{counted}; write the price into PRICES_FILE.")


def _local_model(settings: Settings) -> Finding:
    """The local model in use; without one, the largest recommended model that fits into this machine."""
    store = ModelStore(settings.models)
    if (name := store.in_use()) is not None:
        return Finding("ok", "Model", f"{name}, on this machine")
    here = machine(store.folder)
    fitting = [row.name for row in recommended().values() if not here.fits(row)]
    advice = (
        f"Or run one here: fewshot model get {fitting[-1]}." if fitting else "No recommended local model fits here."
    )
    return Finding(
        "note",
        "Model",
        f"no model is connected, so the stand-in answers. Set OPENAI_API_KEY or OPENAI_BASE_URL. {advice}",
    )


async def _servers() -> AsyncIterator[Finding]:
    """Find model servers at their default ports on loopback."""
    timeout = aiohttp.ClientTimeout(total=2.0)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        for name, port in SERVERS.items():
            url = f"http://127.0.0.1:{port}/v1"
            try:
                async with session.get(f"{url}/models") as response:
                    data = await response.json(content_type=None)
                    models = [str(model["id"]) for model in data["data"]]
            except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError):
                continue
            first = models[0] if models else "a-model"
            sentence = f"{name} runs on this machine. To use it: OPENAI_BASE_URL={url} CHAT_MODEL={first}"
            yield Finding("note", "Model", sentence)


async def _discord(settings: Settings) -> AsyncIterator[Finding]:
    """Check that Discord accepts the token and grants the intent that the settings need."""
    if settings.discord_token is None:
        yield Finding("bad", "Discord", "DISCORD_TOKEN is not set. `fewshot run` needs it; `fewshot demo` does not.")
        return
    try:
        await use_discord_api(settings)
        client = discord.Client(intents=discord.Intents.none(), proxy=proxy_to_discord())
        async with asyncio.timeout(SECONDS), client:
            await client.login(settings.discord_token.get_secret_value())
            about = await client.application_info()
    except FewshotError as error:
        yield Finding("bad", "Discord", str(error))
    except discord.LoginFailure:
        yield Finding("bad", "Discord", "the token was refused; copy it again from the developer portal.")
    except (discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError) as error:
        yield Finding("bad", "Discord", f"Discord cannot be reached: {type(error).__name__}.")
    else:
        yield Finding("ok", "Discord", f"the token belongs to {about.name}")
        granted = about.flags.gateway_message_content or about.flags.gateway_message_content_limited
        if settings.message_content and not granted:
            yield Finding("bad", "Discord", "MESSAGE_CONTENT is on, but the portal does not grant that intent.")
