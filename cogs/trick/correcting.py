"""The ⋯ of an answer: **Not like that…** runs it again with a correction as an example, and shows both."""

from typing import Any

import discord

from bot.answers.rendering import page_of
from bot.answers.service import buttons
from bot.core.errors import InputError, NotAllowedError, NotFoundError
from bot.core.i18n import N_, _
from bot.core.text import close_markup
from bot.llm.completion import Answer
from bot.server.trick import corrected, main_input
from bot.server.tricks import LONGEST_EXAMPLE
from bot.services import Services
from bot.ui.actions import ActionButton, Handler
from bot.ui.cards import notice
from bot.ui.reply import Page
from bot.ui.views import View
from cogs.trick.modals import CorrectModal
from cogs.trick.reviewing import announce

GONE = N_("I do not keep what stands behind this answer any more; ask again.")
# Characters of the answer before, so that both fit into one message.
BEFORE = 700


class Correcting:
    """Serves the ⋯ and what is behind it."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.handlers: dict[str, Handler] = {"more": self.more, "correct": self.open, "suggest": self.suggest}

    async def more(self, interaction: discord.Interaction[Any], prompt_id: str, _chosen: list[str]) -> None:
        """What can be done with an answer beside looking at its prompt: the asker may correct it, anyone report it."""
        lines, below = [], []
        prompt = await self._services.prompts.find(prompt_id)
        if prompt is not None and prompt.template is not None and prompt.caller.user_id == interaction.user.id:
            lines.append(
                _(
                    "**Not like that…** You say how the answer should have been, and I try again with that as an "
                    "example."
                )
            )
            below.append(ActionButton("correct", prompt_id, label=_("Not like that…"), emoji="✏️"))
        if interaction.guild_id is not None:
            message = interaction.message
            public = message is not None and not message.flags.ephemeral
            answer = f"{message.id if message is not None and public else 0}:{prompt_id}"
            lines.append(_("**Report** The moderators of this server get to see this answer, and who reports it."))
            below.append(ActionButton("report", answer, label=_("Report"), emoji="🚩"))
        if not below:
            await self._own(interaction, prompt_id)
        await interaction.response.send_message(view=notice(_("This answer"), lines, *below), ephemeral=True)

    async def open(self, interaction: discord.Interaction[Any], prompt_id: str, _chosen: list[str]) -> None:
        """The window with the input and the answer, to be mended."""
        prompt = await self._own(interaction, prompt_id)
        assert prompt.template is not None, "checked above"
        name = main_input(prompt.template, prompt.values)
        given = prompt.values[name]
        if len(given) > LONGEST_EXAMPLE:
            raise InputError(
                "An example has up to {most:,} characters; this input has {n:,}.", most=LONGEST_EXAMPLE, n=len(given)
            )

        async def submit(answering: discord.Interaction[Any], text: str, wanted: str) -> None:
            await self._again(answering, prompt, text, wanted)

        await interaction.response.send_modal(CorrectModal(given, prompt.text[:LONGEST_EXAMPLE], submit))

    async def _again(self, interaction: discord.Interaction[Any], prompt: Answer, text: str, wanted: str) -> None:
        """Run the same input with the correction as one more example; before and after, for the asker alone."""
        if not text.strip() or not wanted.strip():
            raise InputError("A correction needs both: what came in, and what the answer should be.")
        if wanted.strip() == prompt.text.strip():
            raise InputError("That is the answer as it was; change it to what you would rather have.")
        assert prompt.template is not None, "checked before the window opened"
        template = corrected(prompt.template, prompt.values, text.strip(), wanted.strip())
        async with self._services.answers.open(interaction, private=True, source=prompt.caller.source) as answering:
            answering.reply.show(_("Trying again with your correction as an example …"), writing=False)
            answer = await answering.ask(template.fill(prompt.values))
            items: list[discord.ui.Item[Any]] = []
            source = prompt.caller.source
            # A text that somebody else wrote is not the asker's to give away.
            if interaction.guild_id is not None and (source is None or source.author_id == interaction.user.id):
                items.append(ActionButton("suggest", answer.id, label=_("Suggest to the server"), emoji="📥"))
            given = page_of(prompt).text
            before = close_markup(given[:BEFORE]) + (" …" if len(given) > BEFORE else "")
            shown = _("**Before**\n{before}\n\n**After**\n{after}", before=before, after=page_of(answer).text)
            await answering.finish(answer, Page(shown, _("with your correction"), items))

    async def suggest(self, interaction: discord.Interaction[Any], prompt_id: str, _chosen: list[str]) -> None:
        """Hand the correction to the managers of the server, once."""
        prompt = await self._own(interaction, prompt_id)
        await interaction.response.edit_message(view=View(*buttons(prompt.id, share=True)))
        suggestion = await self._services.tricks.suggest(prompt, interaction.user.id)
        told = await announce(self._services, interaction, suggestion)
        sentence = (
            N_("Your correction is with the managers of this server. They have it in front of them.")
            if told
            else N_("Your correction is with the managers of this server. It waits for them in /trick list.")
        )
        await interaction.followup.send(_(sentence), ephemeral=True)

    async def _own(self, interaction: discord.Interaction[Any], prompt_id: str) -> Answer:
        """The prompt of one's own answer; raises where it is another's, or gone."""
        prompt = await self._services.prompts.find(prompt_id)
        if prompt is None or prompt.template is None:
            raise NotFoundError(GONE)
        if prompt.caller.user_id != interaction.user.id:
            raise NotAllowedError("Only the one who asked can correct this answer.")
        return prompt
