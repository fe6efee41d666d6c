"""What members suggest: shown to managers, who accept it or drop it."""

from dataclasses import replace
from typing import Any

import discord

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

    async def review(self, interaction: discord.Interaction[Any], _: str, __: list[str]) -> None:
        """Show the oldest suggestion."""
        waiting = await self._tricks.suggestions(managed_guild(interaction))
        view = suggestion_card(waiting[0], len(waiting) - 1) if waiting else notice("Nothing waits for review", [])
        await interaction.response.send_message(view=view, ephemeral=True)

    async def take(self, interaction: discord.Interaction[Any], suggestion_id: str, _: list[str]) -> None:
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
        await self._done(interaction, f"Accepted: {trick.name} has {len(trick.examples)} examples now.")

    async def _as_new(self, interaction: discord.Interaction[Any], suggestion: Suggestion, name: str) -> None:
        """Make a trick of the template that was corrected, its examples and the correction."""
        guild = managed_guild(interaction)
        old = suggestion.trick
        trick = replace(old, name=self._tricks.name(name), examples=(*old.examples, suggestion.example))
        await self._tricks.add(guild, suggestion.user_id, trick, suggestion=suggestion.id)
        await self._done(interaction, f"Accepted: this server has a new trick, /trick use name:{trick.name}.")

    async def drop(self, interaction: discord.Interaction[Any], suggestion_id: str, _: list[str]) -> None:
        """Forget the suggestion."""
        await self._tricks.drop(managed_guild(interaction), suggestion_id)
        await self._done(interaction, "Dropped.")

    async def _done(self, interaction: discord.Interaction[Any], sentence: str) -> None:
        """The card becomes what was decided, and by whom."""
        who = f"-# decided by <@{interaction.user.id}>"
        await interaction.response.edit_message(view=notice("A suggestion", [sentence, who]))


async def announce(services: Services, interaction: discord.Interaction[Any], suggestion: Suggestion) -> bool:
    """Put the suggestion into the channel that moderators read; whether there is one that takes it."""
    channel_id = services.guilds.of(interaction.guild_id).report_channel
    if channel_id is None:
        return False
    channel = interaction.client.get_partial_messageable(channel_id, guild_id=interaction.guild_id)
    try:
        await channel.send(view=suggestion_card(suggestion, 0))
    except (discord.NotFound, discord.Forbidden):  # The channel is gone or shut; /trick list has it all the same.
        return False
    return True
