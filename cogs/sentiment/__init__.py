"""What `/sentiment` has beside its template: a whole file of reviews."""

from collections.abc import Mapping
from typing import Any

import discord
from discord.ext import commands

from bot.answers.techniques import Extension, Options
from bot.core.errors import InputError
from bot.core.i18n import N_
from bot.services import Services, services_of
from cogs.sentiment.batch import Batch

TEMPLATE = "sentiment"
FILE = N_("A .txt with a review a line, or a .csv with a column “review”; up to 500")


class Sentiment(commands.Cog):
    """Few-shot: three reviews with their ratings show the model what is wanted."""

    def __init__(self, services: Services) -> None:
        self._services = services
        services.techniques.extend(TEMPLATE, Extension(self.prepare, {"file": (discord.Attachment, FILE)}))

    async def prepare(
        self, interaction: discord.Interaction[Any], options: Options, private: bool
    ) -> Mapping[str, str] | None:
        """The review; or rate every review in the file."""
        review, file = options.get("review"), options.get("file")
        if file is None:
            return {"review": review or ""}
        if review is not None:
            raise InputError("Give either a review or a file, not both.")
        await Batch(self._services, self._services.templates.get(TEMPLATE)).run(interaction, file, private=private)
        return None


async def setup(bot: commands.Bot) -> None:
    """Extend the template's command."""
    await bot.add_cog(Sentiment(services_of(bot)))
