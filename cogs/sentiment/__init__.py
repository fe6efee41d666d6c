"""`/sentiment`: a review rated from 1 to 5 stars, with the reason; or a whole file of them."""

from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.core.errors import InputError
from bot.services import Services, services_of
from cogs.sentiment.batch import Batch

LONGEST = 6_000


class Sentiment(commands.Cog):
    """Few-shot: three reviews with their ratings show the model what is wanted."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @app_commands.command(name="sentiment", description="Rate a review from 1 to 5 stars and say why")
    @app_commands.describe(
        review="The review to rate",
        file="A .txt with a review a line, or a .csv with a column “review”; up to 500",
        private="Show the rating to you alone, or to all; without it as the server has it",
    )
    async def sentiment(
        self,
        interaction: discord.Interaction[Any],
        review: app_commands.Range[str, 1, LONGEST] | None = None,
        file: discord.Attachment | None = None,
        private: bool | None = None,
    ) -> None:
        """Rate `review`, or every review in `file`."""
        template = self._services.templates.get("sentiment")
        hidden = self._services.guilds.private(interaction.guild_id, "sentiment", private)
        if file is not None and review is None:
            await Batch(self._services, template).run(interaction, file, private=hidden)
        elif review is None or not review.strip():
            raise InputError("Give a review to rate, or a file of them.")
        elif file is not None:
            raise InputError("Give either a review or a file, not both.")
        else:
            await self._services.answers.give(interaction, template.fill({"review": review}), private=hidden)


async def setup(bot: commands.Bot) -> None:
    """Add the command."""
    await bot.add_cog(Sentiment(services_of(bot)))
