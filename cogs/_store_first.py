"""Write to the database before the interaction is acknowledged, so that a crash loses nothing that was acknowledged."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import discord

T = TypeVar("T")
# Seconds to wait for a write before the interaction is deferred: Discord waits 3 for the first response. A write takes
# longer when another program has locked the database.
DEFER_AFTER = 2.0


async def store_first(
    interaction: discord.Interaction[Any], work: Coroutine[Any, Any, T], *, thinking: bool | None = None
) -> T:
    """Run `work` and return its result; the interaction is deferred only if that takes longer than `DEFER_AFTER`.

    With `thinking` it is deferred with a private placeholder, and without it invisibly. The default is `thinking` for
    everything but pressed buttons, whose message is edited later.
    """
    task = asyncio.create_task(work)
    try:
        done, _late = await asyncio.wait({task}, timeout=DEFER_AFTER)
        if not done and not interaction.response.is_done():
            if thinking is None:
                thinking = interaction.type is not discord.InteractionType.component
            await interaction.response.defer(ephemeral=True, thinking=thinking)
        return await task
    finally:
        task.cancel()


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
