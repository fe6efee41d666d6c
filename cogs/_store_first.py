"""Store first, then acknowledge: what a user was told is stored survives a crash of the bot."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import discord

T = TypeVar("T")
# Discord waits 3 seconds for the first response. A write that takes longer, because another program holds the
# database's lock, is acknowledged before it is done.
PATIENCE = 2.0


async def store_first(
    interaction: discord.Interaction[Any], work: Coroutine[Any, Any, T], *, thinking: bool | None = None
) -> T:
    """Run `work` and return its result; the interaction is deferred only if that takes longer than `PATIENCE`.

    With `thinking`, it is deferred by a private placeholder, without it by nothing that is seen; by default a pressed
    button's message is edited later, and everything else gets a placeholder.
    """
    task = asyncio.create_task(work)
    try:
        done, _late = await asyncio.wait({task}, timeout=PATIENCE)
        if not done and not interaction.response.is_done():
            if thinking is None:
                thinking = interaction.type is not discord.InteractionType.component
            await interaction.response.defer(ephemeral=True, thinking=thinking)
        return await task
    finally:
        task.cancel()


async def answer_privately(interaction: discord.Interaction[Any], **fields: Any) -> None:
    """Respond with a private message, in place of the placeholder where there is one."""
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
