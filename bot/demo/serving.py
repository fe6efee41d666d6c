"""Starts the bot, its simulated Discord server and the page, and stops them."""

import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import click
import discord
import simcord

from bot.app import open_services, stop_on_signals
from bot.bot import FewshotBot
from bot.core.i18n import use_locale
from bot.core.settings import Settings
from bot.demo import tour
from bot.demo.simulator import LiveEnv, LivePreview
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
    """The address of the page, and the bot."""
    async with open_services(demo_settings(settings)) as services:
        bot = FewshotBot(services)
        env = LiveEnv(bot)
        guild = seed(env)
        try:
            await env.start()
            # The simulated Discord is new at every start, so commands are registered again.
            await bot.tree.sync()
            tour.register(services)
            channel = bot.get_channel(guild.general.id)
            assert isinstance(channel, discord.TextChannel), "`seed` created it"
            with use_locale(locale_of_guild(bot, channel.guild)):
                await channel.send(view=tour.first_message())
            async with LivePreview(env, guild.general, (guild.admin, guild.member), port) as page:
                yield page.url, bot
        finally:
            await env.shutdown()
            await bot.close()


def demo_settings(settings: Settings) -> Settings:
    """The operator's settings, with a separate data folder and database, and with the demo's admin as operator."""
    return settings.model_copy(
        update={
            "data_dir": settings.data_dir / "demo",
            "shards": None,
            "slots": 1,
            "models_dir": settings.models,
            "database_url": None,
            "guild_ids": frozenset(),
            "operator_guild_ids": frozenset(),
            "operator_ids": frozenset({admin_id()}),
            "message_content": True,
            "user_install": False,
            "health_port": None,
        }
    )


@dataclass(frozen=True, slots=True)
class DemoGuild:
    """The channel and the people of the demo's Discord server."""

    general: simcord.ChannelHandle
    admin: simcord.MemberActor
    member: simcord.MemberActor


def seed(env: LiveEnv) -> DemoGuild:
    """Create the server, before `env.start()`. Ids depend on the order, so new objects come last."""
    guild = env.create_guild("Pod Racing Club")
    general = guild.create_text_channel("general", topic="Try a command: type /")
    guild.create_text_channel("adventures", topic="Stories that we play together")
    role = guild.create_role("admin", permissions=discord.Permissions(administrator=True))
    admin = guild.add_member(env.create_user("ada", global_name="Ada"), roles=[role])
    member = guild.add_member(env.create_user("ben", global_name="Ben"))
    return DemoGuild(general, admin, member)


def admin_id() -> int:
    """The admin's id. The settings need it before there is a bot."""
    return seed(LiveEnv(discord.Client(intents=discord.Intents(guilds=True)))).admin.id
