"""**Stop** while an answer is written."""

from typing import Any

import discord
from discord.ext import commands

from bot.answers.service import STOP
from bot.services import Services, services_of
from bot.ui.caller import caller_of


class Again(commands.Cog):
    """The button that stops an answer."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def cog_load(self) -> None:
        """Register the button."""
        self._services.actions.register(STOP, self.stop)

    async def cog_unload(self) -> None:
        """Unregister the button."""
        self._services.actions.unregister(STOP)

    async def stop(self, interaction: discord.Interaction[Any], key: str, _chosen: list[str]) -> None:
        """Stop the answer that is being written. Its last edit comes from the command that asked."""
        self._services.answers.stop(key, caller_of(interaction))
        await interaction.response.defer()


async def setup(bot: commands.Bot) -> None:
    """Register the button."""
    await bot.add_cog(Again(services_of(bot)))
