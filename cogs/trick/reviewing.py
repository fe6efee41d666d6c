"""What members suggest: shown to managers, who accept it or drop it."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import discord

from bot.core.i18n import _, guild_locale, ngettext
from bot.server.tricks import Suggestion
from bot.services import Services
from bot.ui.actions import Handler
from bot.ui.cards import notice
from cogs._access import managed_guild
from cogs.trick.cards import suggestion_card
from cogs.trick.modals import NameModal


class Reviewing:
    """Serves the cards of suggestions, each press checked for the right to manage the server."""

    def __init__(self, services: Services) -> None:
        self._services, self._tricks = services, services.tricks
        self.handlers: dict[str, Handler] = {
            "review": self.review,
            "suggestion-take": self.take,
            "suggestion-drop": self.drop,
        }

    async def review(self, interaction: discord.Interaction[Any], _argument: str, _chosen: list[str]) -> None:
        """Show the oldest suggestion."""
        waiting = await self._tricks.suggestions(managed_guild(interaction))
        view = suggestion_card(waiting[0], len(waiting) - 1) if waiting else notice(_("Nothing waits for review"), [])
        await interaction.response.send_message(view=view, ephemeral=True)

    async def take(self, interaction: discord.Interaction[Any], suggestion_id: str, _chosen: list[str]) -> None:
        """Add the example to the server's trick; for one of the shipped tricks, ask what the new trick is called."""
        guild = managed_guild(interaction)
        suggestion = await self._tricks.suggestion(guild, suggestion_id)
        if suggestion.trick.name not in await self._tricks.names(guild):

            async def submit(answering: discord.Interaction[Any], name: str) -> None:
                await self._as_new(answering, suggestion, name)

            await interaction.response.send_modal(NameModal(f"our-{suggestion.trick.name}", submit))
            return
        text = suggestion.trick.input_of(suggestion.example)
        trick = await self._tricks.add_example(
            guild,
            suggestion.user_id,
            suggestion.trick.name,
            suggestion.example.given if text is None else text,
            suggestion.example.wanted,
            suggestion=suggestion.id,
        )
        with _on_card(interaction):
            said = ngettext(
                "Accepted: {name} has {n} example now.",
                "Accepted: {name} has {n} examples now.",
                len(trick.examples),
                name=trick.name,
            )
            await _done(interaction, said)

    async def _as_new(self, interaction: discord.Interaction[Any], suggestion: Suggestion, name: str) -> None:
        """Make a trick of the template that was corrected, its examples and the correction."""
        guild = managed_guild(interaction)
        old = suggestion.trick
        trick = replace(old, name=self._tricks.name(name), examples=(*old.examples, suggestion.example))
        await self._tricks.add(guild, suggestion.user_id, trick, suggestion=suggestion.id)
        with _on_card(interaction):
            said = _("Accepted: this server has a new trick, /trick use name:{name}.", name=trick.name)
            await _done(interaction, said)

    async def drop(self, interaction: discord.Interaction[Any], suggestion_id: str, _chosen: list[str]) -> None:
        """Forget the suggestion."""
        await self._tricks.drop(managed_guild(interaction), suggestion_id)
        with _on_card(interaction):
            await _done(interaction, _("Dropped."))


def _on_card(interaction: discord.Interaction[Any]) -> AbstractContextManager[None]:
    """Speak as the card does that was pressed on: to the one who reviews, or to all in the moderators' channel."""
    message = interaction.message
    return nullcontext() if message is None or message.flags.ephemeral else guild_locale()


async def _done(interaction: discord.Interaction[Any], sentence: str) -> None:
    """The card becomes what was decided, and by whom."""
    who = _("-# decided by {member}", member=f"<@{interaction.user.id}>")
    await interaction.response.edit_message(view=notice(_("A suggestion"), [sentence, who]))


async def announce(services: Services, interaction: discord.Interaction[Any], suggestion: Suggestion) -> bool:
    """Put the suggestion into the channel that moderators read; whether there is one that takes it."""
    channel_id = services.guilds.of(interaction.guild_id).report_channel
    if channel_id is None:
        return False
    channel = interaction.client.get_partial_messageable(channel_id, guild_id=interaction.guild_id)
    try:
        with guild_locale():
            card = suggestion_card(suggestion, 0)
        await channel.send(view=card)
    except (discord.NotFound, discord.Forbidden):  # The channel is gone or shut; /trick list has it all the same.
        return False
    return True
