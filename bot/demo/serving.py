"""Brings up the bot, its server and the page, and takes them down again."""

import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click
import discord

from bot.app import open_services, stop_on_signals
from bot.bot import FewshotBot
from bot.core.i18n import use_locale
from bot.core.settings import Settings
from bot.demo import tour
from bot.demo.simulator import LiveEnv, LivePreview
from bot.demo.world import admin_id, seed
from bot.ui.locale import locale_of_guild


async def serve(settings: Settings, port: int, *, browser: bool) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    stopped = stop_on_signals()
    async with opened(settings, port) as (url, bot):
        click.echo(f"Fewshot's demo is at {url}")
        click.echo(f"Model: {bot.services.gateway.model} at {bot.services.gateway.host}. Ctrl-C ends it.")
        if browser:
            webbrowser.open(url)
        await stopped.wait()
        await bot.services.inflight.drain()


@asynccontextmanager
async def opened(settings: Settings, port: int) -> AsyncIterator[tuple[str, FewshotBot]]:
    """The address of the page, and the bot behind it."""
    async with open_services(demo_settings(settings)) as services:
        bot = FewshotBot(services)
        env = LiveEnv(bot)
        world = seed(env)
        try:
            await env.start()
            # The server is new with every start, so that no record of an earlier registration holds for it.
            await bot.tree.sync()
            tour.register(services)
            channel = bot.get_channel(world.general.id)
            assert isinstance(channel, discord.TextChannel), "it was seeded"
            with use_locale(locale_of_guild(bot, channel.guild)):
                await channel.send(view=tour.first_message())
            async with LivePreview(env, world.general, (world.admin, world.member), port) as page:
                yield page.url, bot
        finally:
            await env.shutdown()
            await bot.close()


def demo_settings(settings: Settings) -> Settings:
    """The operator's settings, with a folder and a database of the demo's own; its admin operates it."""
    return settings.model_copy(
        update={
            "data_dir": settings.data_dir / "demo",
            "database_url": None,
            "guild_ids": frozenset(),
            "operator_guild_ids": frozenset(),
            "operator_ids": frozenset({admin_id()}),
            "message_content": True,
            "user_install": False,
            "health_port": None,
        }
    )
