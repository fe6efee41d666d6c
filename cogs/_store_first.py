"""Write to the database before the interaction is acknowledged, so that a crash loses nothing that was acknowledged."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

import discord

from bot.core.i18n import _
from bot.core.text import code_block
from bot.ui.errors import DELIVERY_ERRORS

T = TypeVar("T")
_log = logging.getLogger(__name__)
# Seconds to wait for a write before the interaction is acknowledged: Discord waits 3 for the first response. A write
# takes longer when another program has locked the database.
ACKNOWLEDGE_AFTER = 2.0
# Characters of what was typed that fit into a message beside a sentence.
MAX_RETURNED = 1_700


async def store_first(
    interaction: discord.Interaction[Any],
    work: Coroutine[Any, Any, T],
    *,
    thinking: bool | None = None,
    typed: str = "",
) -> T:
    """Run `work` and return its result; acknowledge the interaction if that takes longer than `ACKNOWLEDGE_AFTER`.

    With `thinking` it is deferred with a private placeholder, and without it invisibly. The default is `thinking` for
    everything but pressed buttons, whose message is edited later. With `typed`, the acknowledgement is a private
    message that contains what was typed.
    """
    task = asyncio.create_task(work)
    try:
        done, _late = await asyncio.wait({task}, timeout=ACKNOWLEDGE_AFTER)
        if not done and not interaction.response.is_done():
            if thinking is None:
                thinking = interaction.type is not discord.InteractionType.component
            sentence = _("I have not stored this yet; if it does not appear, send it again:")
            text = f"{sentence}\n{code_block(typed[:MAX_RETURNED])}" if typed else ""
            await acknowledge(interaction, text, thinking=thinking)
        return await task
    finally:
        task.cancel()


async def acknowledge(interaction: discord.Interaction[Any], text: str = "", *, thinking: bool) -> None:
    """Send `text` privately as the first response, or defer. A failure is logged: what was stored is still shown."""
    try:
        if text:
            await interaction.response.send_message(text, ephemeral=True)
        else:
            await interaction.response.defer(ephemeral=True, thinking=thinking)
    except DELIVERY_ERRORS as error:
        _log.info("an interaction could not be acknowledged: %s", error)


async def answer_privately(interaction: discord.Interaction[Any], **fields: Any) -> None:
    """Respond with a private message; it replaces the placeholder of a deferred interaction."""
    if interaction.response.is_done():
        await interaction.edit_original_response(**fields)
    else:
        await interaction.response.send_message(**fields, ephemeral=True)


async def edit_pressed(interaction: discord.Interaction[Any], view: discord.ui.LayoutView | discord.ui.View) -> None:
    """Replace the view of the message whose button was pressed."""
    if interaction.response.is_done():
        await interaction.edit_original_response(view=view)
    else:
        await interaction.response.edit_message(view=view)
