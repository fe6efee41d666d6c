"""Every command of the bot, as it is registered with Discord, without a Discord."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import discord
from discord import app_commands

from bot.app import open_services
from bot.bot import Fewshot
from bot.core.settings import Settings
from bot.ui.translator import context_of, key_of

AnyCommand = app_commands.Command[Any, ..., Any] | app_commands.Group | app_commands.ContextMenu


@dataclass(frozen=True)
class Said:
    """One string of a command: what the catalogues have it under, and where it belongs: `/group.command`."""

    message: str
    context: str
    where: str


def registered() -> tuple[AnyCommand, ...]:
    """All groups, commands, subcommands and menus."""
    return _collected()[0]


def strings() -> tuple[Said, ...]:
    """Every string of every command that Discord shows."""
    return _collected()[1]


@cache
def _collected() -> tuple[tuple[AnyCommand, ...], tuple[Said, ...]]:
    # On a thread of its own, because the caller may be inside a loop.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, _collect()).result()


async def _collect() -> tuple[tuple[AnyCommand, ...], tuple[Said, ...]]:
    with TemporaryDirectory() as folder:
        # Nobody listens there and nobody is asked: the commands need no model.
        settings = Settings(
            _env_file=None, data_dir=Path(folder), openai_base_url="http://127.0.0.1:9/v1", chat_model="m"
        )
        async with open_services(settings) as services, Fewshot(services) as bot:
            await bot.setup_hook()
            collector = Collector()
            for command in bot.tree.get_commands():
                await command.get_translated_payload(bot.tree, collector)
            return tuple(found for command in bot.tree.get_commands() for found in walked(command)), tuple(
                dict.fromkeys(collector.said)
            )


class Collector(app_commands.Translator):
    """Notes what it is asked to translate, and translates nothing."""

    def __init__(self) -> None:
        self.said: list[Said] = []

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,
    ) -> None:
        """Note it once, not for every language."""
        if locale is discord.Locale.german:
            of = context.data.command if isinstance(context.data, app_commands.Parameter) else context.data
            where = "a choice" if isinstance(of, app_commands.Choice) else "/" + of.qualified_name.replace(" ", ".")
            self.said.append(Said(key_of(string), context_of(context), where))


def walked(command: AnyCommand) -> Iterator[AnyCommand]:
    """A command and all below it."""
    yield command
    if isinstance(command, app_commands.Group):
        for child in command.commands:
            yield from walked(child)
