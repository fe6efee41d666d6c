"""Every command of the bot, as it is registered with Discord, without a Discord."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from discord import app_commands

from bot.app import open_services
from bot.client import Fewshot
from bot.core.settings import Settings

AnyCommand = app_commands.Command[Any, ..., Any] | app_commands.Group | app_commands.ContextMenu


@cache
def registered() -> tuple[AnyCommand, ...]:
    """All groups, commands, subcommands and menus."""
    # On a thread of its own, because the caller may be inside a loop.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, _registered()).result()


async def _registered() -> tuple[AnyCommand, ...]:
    with TemporaryDirectory() as folder:
        # Nobody listens there and nobody is asked: the commands need no model.
        settings = Settings(
            _env_file=None, data_dir=Path(folder), openai_base_url="http://127.0.0.1:9/v1", chat_model="m"
        )
        async with open_services(settings) as services, Fewshot(services) as bot:
            await bot.setup_hook()
            return tuple(found for command in bot.tree.get_commands() for found in walked(command))


def walked(command: AnyCommand) -> Iterator[AnyCommand]:
    """A command and all below it."""
    yield command
    if isinstance(command, app_commands.Group):
        for child in command.commands:
            yield from walked(child)
