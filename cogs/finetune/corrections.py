"""Answers that people call wrong: an operator confirms each correction as a test question, edits it, or rejects it."""

from collections.abc import Coroutine, Mapping
from typing import Any

import discord

from bot.core.i18n import _, ngettext
from bot.core.text import escape_markdown, shorten
from bot.services import Services
from bot.tuning.corrections import CorrectionRow
from bot.ui.actions import ActionButton
from bot.ui.cards import Card
from bot.ui.views import LayoutView, PersistentModal
from cogs._access import for_operators
from cogs._store_first import edit_pressed, store_first

# The action of the button and of the modal that edit a correction.
EDIT = "ft-correct"
# Characters of a text on the card, and of a correction.
MAX_SHOWN, MAX_LENGTH = 600, 500


class Corrections:
    """Shows open corrections one at a time, oldest first."""

    def __init__(self, services: Services) -> None:
        self._services, self._corrections = services, services.tuning.corrections
        services.actions.register("ft-confirm", for_operators(services.settings, self.confirm))
        services.actions.register("ft-reject", for_operators(services.settings, self.reject))
        services.actions.register(EDIT, for_operators(services.settings, self.edit))
        services.actions.register_modal(EDIT, for_operators(services.settings, self.edited))

    async def start(self, interaction: discord.Interaction[Any], corpus: str) -> None:
        """Show the oldest open correction of a corpus."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        corpus = self._services.tuning.corpora.get(corpus).name
        await interaction.edit_original_response(view=await self._card(corpus))

    async def confirm(self, interaction: discord.Interaction[Any], number: str) -> None:
        """Confirm it as it is."""
        row = await self._corrections.get(number)
        await self._decided(interaction, row, self._corrections.confirm(row, row.correction))

    async def reject(self, interaction: discord.Interaction[Any], number: str) -> None:
        """Reject it."""
        row = await self._corrections.get(number)
        await self._decided(interaction, row, self._corrections.reject(row))

    async def edit(self, interaction: discord.Interaction[Any], number: str) -> None:
        """Open the window with the correction."""
        row = await self._corrections.get(number)
        modal = PersistentModal(EDIT, number, title=_("Edit the correction"))
        label = _("The right answer; empty: no text says it")
        modal.add_text("correction", label, max_length=MAX_LENGTH, required=False, default=row.correction)
        await interaction.response.send_modal(modal)

    async def edited(self, interaction: discord.Interaction[Any], number: str, typed: Mapping[str, str]) -> None:
        """Confirm it with the text of the window."""
        row = await self._corrections.get(number)
        await self._decided(interaction, row, self._corrections.confirm(row, typed.get("correction", "")))

    async def _decided(
        self, interaction: discord.Interaction[Any], row: CorrectionRow, work: Coroutine[Any, Any, None]
    ) -> None:
        """Store the decision, and show the next correction in the same message."""
        await store_first(interaction, work, thinking=False)
        await edit_pressed(interaction, await self._card(row.corpus))

    async def _card(self, corpus: str) -> LayoutView:
        waiting = await self._corrections.open(corpus)
        if not waiting:
            return Card(_("Corrections · {corpus}", corpus=corpus)).text(_("There is none to decide.")).layout()
        row = waiting[0]
        left = ngettext("{n:,} to decide", "{n:,} to decide", len(waiting))
        card = Card(_("Corrections · {corpus}", corpus=corpus)).text(f"**{_shown(row.question)}**").line()
        card.text(_("**The model** {answer}", answer=_shown(row.answer)))
        right = _shown(row.correction) if row.correction else _("*no text says it: the model should refuse*")
        card.text(_("**The person** {correction}", correction=right))
        for similar in await self._services.tuning.models.similar(row.model, row.question):
            if similar.pair.quote:
                card.text(f"> {_shown(similar.pair.quote)}\n-# {escape_markdown(similar.pair.source)}")
        number = str(row.id)
        card.row(
            ActionButton("ft-confirm", number, label=_("Confirm"), emoji="✅", style=discord.ButtonStyle.success),
            ActionButton(EDIT, number, label=_("Edit"), emoji="✏️"),
            ActionButton("ft-reject", number, label=_("Reject"), emoji="🗑️", style=discord.ButtonStyle.danger),
        )
        note = _(
            "-# {left} · `{model}` · confirmed ones are questions of every later scorecard", left=left, model=row.model
        )
        return card.text(note).layout()


def _shown(text: str) -> str:
    return escape_markdown(shorten(text, MAX_SHOWN))
