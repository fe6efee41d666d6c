"""The bases of every view and modal: what fails in them is told to the person, in their language.

Left to itself, discord.py sends such errors to a method that only logs, and never to the command tree.
"""

from typing import Any

import discord

from bot.ui.errors import report_error
from bot.ui.locale import set_locale

# Characters that Discord takes of a window's title or a field's label, and of the hint in an empty field (2026-11-22).
LABEL, HINT = 45, 100


class _Hearing:
    """What is pressed or sent in is answered in the language of who did it."""

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Speak their language; who may press is checked where it is done."""
        set_locale(interaction)
        return True


class Modal(_Hearing, discord.ui.Modal):
    """A modal whose errors reach the one who submitted it."""

    async def on_error(  # type: ignore[override]  # a modal's errors come without an item
        self, interaction: discord.Interaction[Any], error: Exception, /
    ) -> None:
        """Tell them."""
        await report_error(interaction, error)


class View(_Hearing, discord.ui.View):
    """A view that outlives restarts: no timeout, and every item carries its state in its custom id."""

    def __init__(self, *items: discord.ui.Item[Any]) -> None:
        super().__init__(timeout=None)
        for item in items:
            self.add_item(item)

    async def on_error(self, interaction: discord.Interaction[Any], error: Exception, item: Any, /) -> None:
        """Tell the one who pressed."""
        await report_error(interaction, error)


class LayoutView(_Hearing, discord.ui.LayoutView):
    """The same for cards."""

    def __init__(self, *items: discord.ui.Item[Any]) -> None:
        super().__init__(timeout=None)
        for item in items:
            self.add_item(item)

    async def on_error(self, interaction: discord.Interaction[Any], error: Exception, item: Any, /) -> None:
        """Tell the one who pressed."""
        await report_error(interaction, error)
