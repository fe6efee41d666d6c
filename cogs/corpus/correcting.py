"""**Wrong?** under the answer of a tuned model: the person who asked says what is right, for the operators."""

from collections.abc import Mapping
from typing import Any

import discord

from bot.core.i18n import _
from bot.services import Services
from bot.ui.caller import caller_of
from bot.ui.views import PersistentModal
from cogs._store_first import answer_privately, store_first
from cogs.corpus.questions import WRONG

# Characters of a correction; the answers of the datasets are shorter.
MAX_LENGTH = 500


class Correcting:
    """Asks what is right, and stores it for the operators."""

    def __init__(self, services: Services) -> None:
        self._prompts, self._corrections = services.prompts, services.tuning.corrections
        services.actions.register(WRONG, self.open)
        services.actions.register_modal(WRONG, self.send)

    async def open(self, interaction: discord.Interaction[Any], prompt_id: str) -> None:
        """Open the window for the person who asked."""
        self._corrections.check(await self._prompts.find(prompt_id), caller_of(interaction))
        modal = PersistentModal(WRONG, prompt_id, title=_("What is right?"))
        modal.add_text(
            "correction",
            _("The right answer; empty: no text says it"),
            max_length=MAX_LENGTH,
            required=False,
            placeholder=_("The operator reads it with your question and the answer. It is never trained on."),
        )
        await interaction.response.send_modal(modal)

    async def send(self, interaction: discord.Interaction[Any], prompt_id: str, typed: Mapping[str, str]) -> None:
        """Store the correction, then thank the person."""
        caller = caller_of(interaction)
        answer = self._corrections.check(await self._prompts.find(prompt_id), caller)
        await store_first(interaction, self._corrections.send(answer, caller, typed.get("correction", "")))
        thanks = _("Thank you. If the operator confirms it, every later model is tested with your question.")
        await answer_privately(interaction, content=thanks)
