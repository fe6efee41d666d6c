"""All commands as the bot registers them, collected without a connection to Discord."""

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
from bot.bot import FewshotBot
from bot.core.settings import Settings
from bot.ui.locale import message_context, message_id

AnyCommand = app_commands.Command[Any, ..., Any] | app_commands.Group | app_commands.ContextMenu


@dataclass(frozen=True)
class CommandString:
    """One string that Discord shows of a command: catalogue key, context, and the command as `/group.command`."""

    message: str
    context: str
    command: str


def registered_commands() -> tuple[AnyCommand, ...]:
    """All groups, commands, subcommands and message menus."""
    return _collected()[0]


def command_strings() -> tuple[CommandString, ...]:
    """Every name, description and choice of every command."""
    return _collected()[1]


@cache
def _collected() -> tuple[tuple[AnyCommand, ...], tuple[CommandString, ...]]:
    # In a thread, because the caller may run inside an event loop.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, _collect()).result()


async def _collect() -> tuple[tuple[AnyCommand, ...], tuple[CommandString, ...]]:
    with TemporaryDirectory() as folder:
        # Port 9 (discard): registering commands calls no model.
        settings = Settings(
            _env_file=None, data_dir=Path(folder), openai_base_url="http://127.0.0.1:9/v1", chat_model="m"
        )
        async with open_services(settings) as services, FewshotBot(services) as bot:
            await bot.setup_hook()
            translator = _Collector()
            for command in bot.tree.get_commands():
                await command.get_translated_payload(bot.tree, translator)
            commands = tuple(each for command in bot.tree.get_commands() for each in _with_children(command))
            return commands, tuple(dict.fromkeys(translator.strings))


class _Collector(app_commands.Translator):
    """Records the strings that discord.py asks to translate, and translates none."""

    def __init__(self) -> None:
        self.strings: list[CommandString] = []

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,
    ) -> None:
        """Record `string`; for one locale only, because discord.py asks for every locale."""
        if locale is discord.Locale.german:
            data = context.data.command if isinstance(context.data, app_commands.Parameter) else context.data
            name = "a choice" if isinstance(data, app_commands.Choice) else "/" + data.qualified_name.replace(" ", ".")
            self.strings.append(CommandString(message_id(string), message_context(context), name))


def _with_children(command: AnyCommand) -> Iterator[AnyCommand]:
    yield command
    if isinstance(command, app_commands.Group):
        for child in command.commands:
            yield from _with_children(child)
