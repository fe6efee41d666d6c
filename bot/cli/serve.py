"""`fewshot run`, `worker`, `demo` and `engine`: the commands that run until they are stopped."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from bot.app import open_services, run, stop_on_signals
from bot.bot import PERMISSIONS, FewshotBot, make_bot
from bot.cli.context import open_for_worker
from bot.cli.running import load_settings, make_data_dir
from bot.core.errors import ConfigError
from bot.discord_api import use_discord_api

if TYPE_CHECKING:
    from bot.engine.launch import Address


async def run_bot() -> None:
    """Run the bot. Raises `ConfigError` for a missing or wrong setting."""
    settings = load_settings()
    if settings.discord_token is None:
        raise ConfigError("DISCORD_TOKEN is not set: put the bot's token into .env, or try `fewshot demo` without one.")
    await use_discord_api(settings)
    async with open_services(settings) as services:
        bot = make_bot(services)
        bot.on_started = _announce
        await run(bot)


async def run_worker() -> None:
    """Do the long work of bots on the same database until SIGTERM or Ctrl-C. Raises `FewshotError`."""
    async with open_for_worker() as tuning:
        stopped = stop_on_signals()
        working = asyncio.create_task(tuning.work(), name="worker")
        stopping = asyncio.create_task(stopped.wait(), name="stop signal")
        click.echo("This worker follows and scores tuning jobs, and writes datasets.")
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working


async def _announce(bot: FewshotBot) -> None:
    """Print the bot's name, servers, commands, model and invite link."""
    assert bot.user is not None, "the gateway is ready"
    click.echo(f"Logged in as {bot.user} in {_servers(bot)}")
    click.echo(f"Commands: {', '.join(bot.command_names)} ({len(bot.command_names)} synced)")
    click.echo(f"Model: {bot.services.gateway.model} at {bot.services.gateway.host}")
    click.echo(f"Invite: {invite(bot.application_id or bot.user.id)}")


def _servers(bot: FewshotBot) -> str:
    """The number of servers that the bot is in, and the names of the first ten."""
    names = ", ".join(guild.name for guild in bot.guilds[:10])
    return f"{len(bot.guilds)} server{'s' * (len(bot.guilds) != 1)}{f': {names}' if names else ''}"


def invite(application_id: int) -> str:
    """The link that invites the bot with the permissions that it needs."""
    import discord

    return discord.utils.oauth_url(application_id, permissions=PERMISSIONS, scopes=("bot", "applications.commands"))


async def run_demo(port: int, *, browser: bool) -> None:
    """Serve the demo page on loopback."""
    from bot.demo import serve_demo

    settings = load_settings(discord_token=None)
    await serve_demo(settings, port, browser=browser)


async def run_engine(host: str, port: int, *, with_token: bool) -> None:
    """Run the local engine in the foreground. Raises `EngineError`."""
    from bot.engine.server import serve

    settings = load_settings()
    await serve(
        host,
        port,
        make_data_dir(settings),
        with_token=with_token,
        models_dir=settings.models,
        model_idle_minutes=settings.model_idle_minutes,
        serving_url=settings.serving_url,
        ray_address=settings.ray_address,
        ray_gpus=settings.ray_gpus,
        on_ready=_print_example,
        stop=stop_on_signals(),
    )


def _print_example(address: "Address") -> None:
    """Print address, token and an example for the `openai` client."""
    token = address.token or "none"
    click.echo(f"The local engine is at {address.url}")
    click.echo(f"Token: {token}")
    click.echo("\nfrom openai import OpenAI")
    click.echo(f'client = OpenAI(base_url="{address.url}", api_key="{token}")')
    click.echo("print([model.id for model in client.models.list()])")
