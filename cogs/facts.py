"""`/facts`: what is known about something, shown by one example to come as XML, checked and laid out."""

from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.answers import rendering
from bot.core.errors import InputError
from bot.services import Services, services_of

LONGEST = 200


class FactsCog(commands.Cog, name="Facts"):
    """One-shot: one example turn shows the form of the answer."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @app_commands.command(name="facts", description="Facts about a person, a place or a thing")
    @app_commands.describe(about="Whom or what you want to know about", raw="Show the model's XML as it is")
    async def facts(
        self, interaction: discord.Interaction[Any], about: app_commands.Range[str, 1, LONGEST], raw: bool = False
    ) -> None:
        """List facts about `about`."""
        if not about.strip():
            raise InputError("Facts about what? Name a person, a place or a thing.")
        await self._services.answers.give(
            interaction,
            self._services.templates.get("facts").fill({"about": about.strip()}),
            private=self._services.guilds.private(interaction.guild_id, "facts"),
            render=rendering.raw if raw else rendering.page_of,
        )


async def setup(bot: commands.Bot) -> None:
    """Add the command."""
    await bot.add_cog(FactsCog(services_of(bot)))
