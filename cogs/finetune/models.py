"""Tuned models: which there are, what they score, which of them answers."""

from typing import Any

import discord

from bot.core.errors import NotFoundError
from bot.services import Services
from bot.tuning.promote import Promotion
from bot.tuning.records import ModelRow
from bot.tuning.scorecard import Scorecard
from bot.ui.actions import ActionButton
from bot.ui.cards import Card
from bot.ui.reply import attached
from cogs import _scorecard
from cogs._access import operator_of

SHOWN = 12
# Wrong answers on the card that lists them; the command line has all that are kept.
WRONG = 20


class Models:
    """The models of all corpora."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.handlers = {"ft-promote": self.promote_job, "ft-scores": self.wrong_answers}

    async def show(self, interaction: discord.Interaction[Any]) -> None:
        """Every model with its scores, the one that answers marked."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        tuning = self._services.tuning
        rows = await tuning.models()
        answering = {row.name for corpus in tuning.corpora.names if (row := await tuning.active(corpus))}
        card = Card("Tuned models")
        for row in rows[:SHOWN]:
            card.text(_block(row, active=row.name in answering))
        if not rows:
            card.text("There is none yet: /finetune start trains one.")
        elif len(rows) > SHOWN:
            card.text(f"-# and {len(rows) - SHOWN} older ones; `fewshot tune list` has them all")
        await interaction.edit_original_response(view=card.layout())

    async def promote(self, interaction: discord.Interaction[Any], name: str, force: str) -> None:
        """Let a model answer, for all to see."""
        user_id = operator_of(interaction, self._services.settings)
        promotion = await self._services.tuning.promote(name, user_id, force)
        row = next((row for row in await self._services.tuning.models() if row.name == promotion.model), None)
        corpus = row.corpus if row else ""
        await interaction.response.send_message(view=_promoted(promotion, corpus, force).layout())

    async def promote_job(self, interaction: discord.Interaction[Any], job_id: str, _: list[str]) -> None:
        """The same for the model of a job, by the button of its card."""
        operator_of(interaction, self._services.settings)
        job = await self._services.tuning.job(job_id)
        await self.promote(interaction, job.model, "")

    async def rollback(self, interaction: discord.Interaction[Any], corpus: str) -> None:
        """Let the model before the one that answers answer again."""
        operator_of(interaction, self._services.settings)
        promotion = await self._services.tuning.rollback(corpus)
        card = Card(f"Rolled back · {corpus}")
        card.text(f"`{promotion.model}` answers /{corpus} ask again, in place of `{promotion.before}`.")
        await interaction.response.send_message(view=card.layout())

    async def wrong_answers(self, interaction: discord.Interaction[Any], job_id: str, _: list[str]) -> None:
        """What a job's model got wrong when it was scored, for the one who pressed."""
        operator_of(interaction, self._services.settings)
        job = await self._services.tuning.job(job_id)
        row = next((row for row in await self._services.tuning.models(job.corpus) if row.name == job.model), None)
        if row is None or not row.scorecard:
            raise NotFoundError("This model is not scored.")
        scores = Scorecard.from_json(row.scorecard)
        card = Card("Wrong answers")
        card.text(_scorecard.wrong(scores, WRONG) or "There is none.")
        await interaction.response.send_message(view=card.layout(), ephemeral=True)

    async def scores(self, interaction: discord.Interaction[Any], name: str) -> None:
        """The scorecard of a model with its picture, for the one who asked."""
        row = next((row for row in await self._services.tuning.models() if row.name == name), None)
        if row is None or not row.scorecard:
            raise NotFoundError("There is no scored model of that name.")
        scores = Scorecard.from_json(row.scorecard)
        picture = await _scorecard.picture(scores, f"{row.corpus}: answered rightly")
        card = Card(f"Scores · {row.corpus}").text(f"`{row.name}`").text(_scorecard.lines(scores))
        files = [(_scorecard.PICTURE, picture)] if picture else []
        for file, _ in files:
            card.picture(file)
        await interaction.edit_original_response(view=card.layout(), attachments=attached(files))


def _block(row: ModelRow, *, active: bool) -> str:
    marks = [
        mark for mark in ("🏁 answers" if active else "", "🪦 deleted by its provider" if row.gone else "") if mark
    ]
    head = " · ".join([f"**{row.corpus}**", f"<t:{int(row.at)}:d>", *marks])
    scores = _short(Scorecard.from_json(row.scorecard)) if row.scorecard else "not scored"
    from_what = f"goes on from `{row.parent}`" if row.parent else f"from {row.base}"
    return f"{head}\n`{row.name}`\n-# {from_what} · dataset {row.dataset_id} · {scores}"


def _short(scores: Scorecard) -> str:
    """The two figures that promotion looks at."""
    shares = {
        "held-out": scores.share("held-out"),
        "refusals": scores.share("refusals, held-out", "refusals, never seen"),
    }
    return ", ".join(f"{name} {share:.0%}" for name, share in shares.items() if share is not None) or "nothing held out"


def _promoted(promotion: Promotion, corpus: str, force: str) -> Card:
    card = Card(f"Promoted · {corpus}")
    card.text(f"`{promotion.model}` answers **/{corpus} ask** from now on.")
    if promotion.before and promotion.before != promotion.model:
        card.text(f"-# Before it, `{promotion.before}` did; /finetune rollback goes back.")
    if force.strip():
        card.text(f"-# Forced: {discord.utils.escape_markdown(force.strip())}")
    return card.row(ActionButton("corpus-model", corpus, label="About this model", emoji="🧬"))
