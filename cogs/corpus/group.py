"""The group of commands that every corpus has, under its own name."""

from typing import Any

import discord
from discord import app_commands

from bot.core.i18n import N_
from bot.services import Services
from bot.tuning.corpus import RACING
from bot.ui.cards import Card
from bot.ui.locale import format_locale_str
from bot.ui.reply import Reply
from cogs.corpus.about import About
from cogs.corpus.questions import MAX_LENGTH, Questions
from cogs.corpus.standings import standings_picture, winner

Question = app_commands.Range[str, 1, MAX_LENGTH]


class CorpusGroup(app_commands.Group):
    """The commands of one corpus."""

    def __init__(self, corpus: str, services: Services, questions: Questions, about: About) -> None:
        super().__init__(
            name=corpus, description=format_locale_str(N_("Ask the model that was tuned on {corpus}"), corpus=corpus)
        )
        self._corpus, self._services = corpus, services
        self._questions, self._about = questions, about
        if corpus == RACING:
            self.add_command(standings)

    @app_commands.command(description="Ask the tuned model")
    @app_commands.describe(question="What you want to know", private="Show the answer to you alone")
    async def ask(self, interaction: discord.Interaction[Any], question: Question, private: bool | None = None) -> None:
        """Answer one question from what the model was trained on."""
        if private is None:
            private = self._services.guilds.private(interaction.guild_id, RACING)
        await self._questions.ask(interaction, self._corpus, question, private=private)

    @app_commands.command(description="The same question without tuning, with the facts in the prompt, and tuned")
    @app_commands.describe(question="What you want to know")
    async def compare(self, interaction: discord.Interaction[Any], question: Question) -> None:
        """Show three answers with tokens, price and time."""
        await self._questions.compare(interaction, self._corpus, question)

    @app_commands.command(description="The model that answers: where it comes from, and what it scores")
    async def model(self, interaction: discord.Interaction[Any]) -> None:
        """Show lineage, dataset, scores and dates."""
        await self._about.show(interaction, self._corpus)


@app_commands.command(name="standings", description="The season's table")
async def standings(interaction: discord.Interaction[Any]) -> None:
    """Show the table as a picture, and its first two places in words."""
    async with Reply(interaction, private=False) as reply:
        picture = await standings_picture()
        card = Card("").text(winner()).picture(picture)
        await reply.finish_card(card.layout(), [picture])
