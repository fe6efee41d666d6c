"""Corrections: **Not like that…** under an answer, suggestions to the server, and their review by its managers."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import discord

from bot.answers.rendering import shown_text
from bot.answers.service import buttons
from bot.core.errors import InputError, NotAllowedError, NotFoundError
from bot.core.i18n import N_, _, guild_locale, ngettext
from bot.core.text import close_markup, code_block
from bot.llm.completion import Answer, Display
from bot.server.trick_form import MAX_EXAMPLE_LENGTH, main_input, with_correction
from bot.server.tricks import MAX_NAME_LENGTH, Suggestion
from bot.services import Services
from bot.ui.actions import ActionButton, return_typed
from bot.ui.caller import caller_of
from bot.ui.cards import Card, notice
from bot.ui.views import LayoutView, PersistentModal, View
from cogs._access import managed_guild
from cogs._store_first import edit_pressed, store_first

CORRECT, NAME_TRICK = "correct-answer", "name-trick"
NOT_STORED = N_("The prompt of this answer is no longer stored; ask again.")
# Characters of the answer before the correction, so that both answers fit into one message.
MAX_BEFORE = 700
# Characters of a suggestion's texts: two of them and the instruction fit into one card.
MAX_SIDE = 1_200
# Characters of the typed correction in the first response.
MAX_TYPED = 1_700


def suggestion_card(suggestion: Suggestion, waiting: int) -> LayoutView:
    """A suggested correction, with the buttons to decide. `waiting` is the number of suggestions after it."""
    card = Card(_("A correction is suggested"))
    card.text(_("From {member}, for **{name}**", member=f"<@{suggestion.user_id}>", name=suggestion.trick.name))
    card.text(_("**Input**\n{text}", text=code_block(suggestion.example.given[:MAX_SIDE])))
    card.text(_("**The answer it should get**\n{text}", text=code_block(suggestion.example.wanted[:MAX_SIDE])))
    card.row(
        ActionButton("suggestion-take", suggestion.id, label=_("Accept"), style=discord.ButtonStyle.success),
        ActionButton("suggestion-drop", suggestion.id, label=_("Drop"), style=discord.ButtonStyle.danger),
    )
    if waiting:
        card.text(_("-# {n} more after this one", n=waiting))
    return card.layout()


class Corrections:
    """The handlers of ⋯ under an answer, of **Not like that…** and of **Suggest to the server**."""

    def __init__(self, services: Services) -> None:
        self._services = services
        services.actions.register("more", self.more)
        services.actions.register("correct", self.open)
        services.actions.register("suggest", self.suggest)
        services.actions.register_modal(CORRECT, self.correct)

    async def more(self, interaction: discord.Interaction[Any], prompt_id: str) -> None:
        """Offer a correction to the asker, and a report to everyone."""
        lines, below = [], []
        prompt = await self._services.prompts.find(prompt_id)
        if prompt is not None and _is_correctable(prompt) and prompt.caller.user_id == interaction.user.id:
            lines.append(
                _("**Not like that…** You write the answer that you wanted, and I try again with it as an example.")
            )
            below.append(ActionButton("correct", prompt_id, label=_("Not like that…"), emoji="✏️"))
        if interaction.guild_id is not None:
            message = interaction.message
            public = message is not None and not message.flags.ephemeral
            answer = f"{message.id if message is not None and public else 0}:{prompt_id}"
            lines.append(_("**Report** The moderators of this server see this answer, and who reports it."))
            below.append(ActionButton("report", answer, label=_("Report"), emoji="🚩"))
        if not below:
            await self._own(interaction, prompt_id)
        await interaction.response.send_message(view=notice(_("This answer"), lines, *below), ephemeral=True)

    async def open(self, interaction: discord.Interaction[Any], prompt_id: str) -> None:
        """Open the window with the input and the answer, to be corrected."""
        self._services.gateway.refuse_blocked(caller_of(interaction))
        prompt = await self._own(interaction, prompt_id)
        assert prompt.template is not None, "checked above"
        name = main_input(prompt.template, prompt.values)
        given = prompt.values[name]
        if len(given) > MAX_EXAMPLE_LENGTH:
            raise InputError(
                "An example has up to {most:,} characters; this input has {n:,}.", most=MAX_EXAMPLE_LENGTH, n=len(given)
            )

        modal = PersistentModal(CORRECT, prompt_id, title=_("Not like that…"))
        modal.add_text("given", _("What came in"), max_length=MAX_EXAMPLE_LENGTH, default=given)
        modal.add_text("wanted", _("What the answer should be"), max_length=MAX_EXAMPLE_LENGTH, default=prompt.text)
        await interaction.response.send_modal(modal)

    async def correct(self, interaction: discord.Interaction[Any], prompt_id: str, typed: Mapping[str, str]) -> None:
        """Ask again with the correction as one more example; show before and after to the asker alone."""
        text, wanted = typed.get("given", "").strip(), typed.get("wanted", "").strip()
        prompt = await self._services.prompts.find(prompt_id)
        if prompt is None or prompt.template is None:  # It was only in memory before a restart, or was deleted.
            await return_typed(interaction, typed)
            return
        self._check_asker(interaction, prompt)
        if not text or not wanted:
            raise InputError("A correction needs both: what came in, and what the answer should be.")
        if wanted == prompt.text.strip():
            raise InputError("You did not change the answer; change it to the one that you want.")
        template = with_correction(prompt.template, prompt.values, text, wanted)
        # The response shows the correction, so that it is not lost if the bot is killed before it has an answer.
        trying = _("Trying again with your correction as an example …")
        await interaction.response.send_message(f"{trying}\n{code_block(wanted[:MAX_TYPED])}", ephemeral=True)
        async with self._services.answers.open(interaction, private=True, source=prompt.caller.source) as answering:
            pictures = prompt.first_request.pictures
            request = template.fill(prompt.values).with_model_of(prompt.request).with_pictures(pictures)
            answer = await answering.ask(request)
            items: list[discord.ui.Item[Any]] = []
            source = prompt.caller.source
            # The asker may not suggest a text that somebody else wrote.
            if interaction.guild_id is not None and (source is None or source.author_id == interaction.user.id):
                items.append(ActionButton("suggest", answer.id, label=_("Suggest to the server"), emoji="📥"))
            given = shown_text(prompt)
            before = close_markup(given[:MAX_BEFORE]) + (" …" if len(given) > MAX_BEFORE else "")
            heading = _("**Before**\n{before}\n\n**After**", before=before)
            display = Display(heading=heading, note=_("with your correction"))
            await answering.finish(replace(answer, display=display), items=items)

    async def suggest(self, interaction: discord.Interaction[Any], prompt_id: str) -> None:
        """Store the correction for the managers of the server, and remove the button."""
        prompt = await self._own(interaction, prompt_id)
        suggestion = await store_first(interaction, self._services.tricks.suggest(prompt, interaction.user.id))
        await edit_pressed(interaction, View(*buttons(prompt.id, share=True)))
        announced = await announce(self._services, interaction, suggestion)
        sentence = (
            N_("Your correction was sent to the managers of this server.")
            if announced
            else N_("Your correction was sent to the managers of this server. It waits in /trick list.")
        )
        await interaction.followup.send(_(sentence), ephemeral=True)

    async def _own(self, interaction: discord.Interaction[Any], prompt_id: str) -> Answer:
        """The prompt of the user's own answer. Raises `NotFoundError` or `NotAllowedError`."""
        prompt = await self._services.prompts.find(prompt_id)
        if prompt is None or not _is_correctable(prompt):
            raise NotFoundError(NOT_STORED)
        self._check_asker(interaction, prompt)
        return prompt

    def _check_asker(self, interaction: discord.Interaction[Any], prompt: Answer) -> None:
        if prompt.caller.user_id != interaction.user.id:
            raise NotAllowedError("Only the one who asked can correct this answer.")


def _is_correctable(prompt: Answer) -> bool:
    """Whether a correction can become an example: the answer is to the inputs of a template, and no follow-up."""
    return prompt.template is not None and prompt.request.conversation is None


class Reviews:
    """The handlers of the cards of suggestions. Each checks that the user manages the server."""

    def __init__(self, services: Services) -> None:
        self._services, self._tricks = services, services.tricks
        services.actions.register("review", self.review)
        services.actions.register("suggestion-take", self.take)
        services.actions.register("suggestion-drop", self.drop)
        services.actions.register_modal(NAME_TRICK, self.name_trick)

    async def review(self, interaction: discord.Interaction[Any], _argument: str) -> None:
        """Show the oldest suggestion."""
        waiting = await self._tricks.suggestions(managed_guild(interaction))
        view = suggestion_card(waiting[0], len(waiting) - 1) if waiting else notice(_("Nothing waits for review"), [])
        await interaction.response.send_message(view=view, ephemeral=True)

    async def take(self, interaction: discord.Interaction[Any], suggestion_id: str) -> None:
        """Add the example to the server's trick. For a shipped template, ask for the name of a new trick."""
        guild = managed_guild(interaction)
        suggestion = await self._tricks.suggestion(guild, suggestion_id)
        if suggestion.trick.name not in await self._tricks.names(guild):
            modal = PersistentModal(NAME_TRICK, suggestion.id, title=_("A new trick"))
            name = f"our-{suggestion.trick.name}"
            modal.add_text("name", _("What to call it"), max_length=MAX_NAME_LENGTH, multiline=False, default=name)
            await interaction.response.send_modal(modal)
            return
        trick = await store_first(interaction, self._tricks.accept(guild, interaction.user.id, suggestion))
        with _on_card(interaction):
            sentence = ngettext(
                "Accepted: {name} has {n} example now.",
                "Accepted: {name} has {n} examples now.",
                len(trick.examples),
                name=trick.name,
            )
            await _done(interaction, sentence)

    async def name_trick(
        self, interaction: discord.Interaction[Any], suggestion_id: str, typed: Mapping[str, str]
    ) -> None:
        """Store a new trick: the corrected template, its examples and the correction."""
        guild = managed_guild(interaction)
        suggestion = await self._tricks.suggestion(guild, suggestion_id)
        old = suggestion.trick
        name = self._tricks.name(typed.get("name", ""))
        trick = replace(old, name=name, examples=(*old.examples, suggestion.example))
        adding = self._tricks.add(
            guild, suggestion.user_id, trick, "accepted", suggestion=suggestion.id, accepted_by=interaction.user.id
        )
        await store_first(interaction, adding)
        with _on_card(interaction):
            sentence = _("Accepted: this server has a new trick, /trick use name:{name}.", name=trick.name)
            await _done(interaction, sentence)

    async def drop(self, interaction: discord.Interaction[Any], suggestion_id: str) -> None:
        """Delete the suggestion."""
        await store_first(interaction, self._tricks.drop_suggestion(managed_guild(interaction), suggestion_id))
        with _on_card(interaction):
            await _done(interaction, _("Dropped."))


def _on_card(interaction: discord.Interaction[Any]) -> AbstractContextManager[None]:
    """The locale of the pressed card: the reviewer's for a private one, else the server's."""
    message = interaction.message
    return nullcontext() if message is None or message.flags.ephemeral else guild_locale()


async def _done(interaction: discord.Interaction[Any], sentence: str) -> None:
    """Replace the card by the decision and who made it."""
    who = _("-# decided by {member}", member=f"<@{interaction.user.id}>")
    await edit_pressed(interaction, notice(_("A suggestion"), [sentence, who]))


async def announce(services: Services, interaction: discord.Interaction[Any], suggestion: Suggestion) -> bool:
    """Send the suggestion to the server's report channel; returns whether that worked."""
    channel_id = services.guilds.of(interaction.guild_id).report_channel
    if channel_id is None:
        return False
    channel = interaction.client.get_partial_messageable(channel_id, guild_id=interaction.guild_id)
    try:
        with guild_locale():
            card = suggestion_card(suggestion, 0)
        await channel.send(view=card)
    except (discord.NotFound, discord.Forbidden):  # The channel is deleted or closed; /trick list has the suggestion.
        return False
    return True
