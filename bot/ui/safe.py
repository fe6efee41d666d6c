"""The bases of every view and modal: what fails in them is told to the person, in their language.

Left to itself, discord.py sends such errors to a method that only logs, and never to the command tree.
"""

from typing import Any

import discord

from bot.ui.errors import tell
from bot.ui.hearing import hear


class Modal(discord.ui.Modal):
    """A modal whose errors reach the one who submitted it."""

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Speak their language; who may press is checked where it is done."""
        hear(interaction)
        return True

    async def on_error(  # type: ignore[override]  # a modal's errors come without an item
        self, interaction: discord.Interaction[Any], error: Exception, /
    ) -> None:
        """Tell them."""
        await tell(interaction, error)


class View(discord.ui.View):
    """A view that outlives restarts: no timeout, and every item carries its state in its custom id."""

    def __init__(self, *items: discord.ui.Item[Any]) -> None:
        super().__init__(timeout=None)
        for item in items:
            self.add_item(item)

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Speak their language; who may press is checked where it is done."""
        hear(interaction)
        return True

    async def on_error(self, interaction: discord.Interaction[Any], error: Exception, item: Any, /) -> None:
        """Tell the one who pressed."""
        await tell(interaction, error)


class Layout(discord.ui.LayoutView):
    """The same for cards."""

    def __init__(self, *items: discord.ui.Item[Any]) -> None:
        super().__init__(timeout=None)
        for item in items:
            self.add_item(item)

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Speak their language; who may press is checked where it is done."""
        hear(interaction)
        return True

    async def on_error(self, interaction: discord.Interaction[Any], error: Exception, item: Any, /) -> None:
        """Tell the one who pressed."""
        await tell(interaction, error)
