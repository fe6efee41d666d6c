"""Reads a message, with its files, for a window that a message menu opens."""

import asyncio
from typing import Any

import discord

from bot.core.errors import InputError
from bot.services import Services
from bot.ui.caller import caller_of
from bot.ui.message_text import readable_text
from bot.ui.uploads import Attached, readable

# Characters of a window's field (Discord's limit).
MAX_FIELD_LENGTH = 4_000
# Seconds to read the files of a message: its window must open within three.
READ_TIMEOUT = 2.0


async def read_for_window(
    services: Services, interaction: discord.Interaction[Any], message: discord.Message, empty: str
) -> Attached:
    """What can be read in `message`.

    Raises `InputError`: the sentence `empty` where there is nothing to read, or one about a file. Raises
    `NotAllowedError` where the server does not allow menus on other people's messages, or blocks the person.
    """
    services.gateway.refuse_blocked(caller_of(interaction))
    if not readable_text(message) and not readable(message):
        raise InputError(empty)
    services.guilds.allow_menu(interaction.guild_id, interaction.user.id, message.author.id)
    try:
        async with asyncio.timeout(READ_TIMEOUT):
            return await services.attachments.read_message(
                message, interaction.user.id, max_characters=MAX_FIELD_LENGTH
            )
    except TimeoutError:
        raise InputError("The file takes too long to read for a window; give it to the slash command.") from None
