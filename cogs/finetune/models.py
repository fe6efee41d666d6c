"""Lists tuned models with their scores; promotion and rollback."""

from typing import Any

import discord

from bot.core.errors import NotFoundError
from bot.core.i18n import N_, _, guild_locale, ngettext
from bot.core.text import escape_markdown
from bot.services import Services
from bot.tuning.models import ModelRow, Promotion
from bot.tuning.scoring import HELD, REFUSED_HELD, REFUSED_UNSEEN, Scorecard
from bot.ui.actions import ActionButton
from bot.ui.cards import Card
from cogs import _scorecard
from cogs._access import for_operators

# Models on the card that lists them.
MAX_MODELS = 12
# Wrong answers on the card that lists them; the command line shows all that are stored.
WRONG = 20
# The two shares that promotion compares, with the lines of the scorecard that they are from.
COMPARED_SHARES = (
    (N_("held-out {share:.0%}"), (HELD,)),
    (N_("refusals {share:.0%}"), (REFUSED_HELD, REFUSED_UNSEEN)),
)


class Models:
    """The models of all corpora."""

    def __init__(self, services: Services) -> None:
        self._services = services
        services.actions.register("ft-promote", for_operators(services.settings, self.promote_job))
        services.actions.register("ft-scores", for_operators(services.settings, self.wrong_answers))

    async def show(self, interaction: discord.Interaction[Any]) -> None:
        """Every model with its scores, the one that answers marked."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        tuning = self._services.tuning
        rows = await tuning.models.all()
        answering = {row.name for corpus in tuning.subjects if (row := await tuning.models.active(corpus))}
        card = Card(_("Tuned models"))
        for row in rows[:MAX_MODELS]:
            card.text(_block(row, active=row.name in answering))
        if not rows:
            card.text(_("There is none yet: /finetune start trains one."))
        elif len(rows) > MAX_MODELS:
            card.text(
                ngettext(
                    "-# and {n:,} older one; `fewshot tune list` shows them all",
                    "-# and {n:,} older ones; `fewshot tune list` shows them all",
                    len(rows) - MAX_MODELS,
                )
            )
        await interaction.edit_original_response(view=card.layout())

    async def promote(self, interaction: discord.Interaction[Any], name: str, force: str) -> None:
        """Promote a model, and say so publicly."""
        user_id = interaction.user.id
        promotion = await self._services.tuning.models.promote(name, user_id, force)
        is_corpus = promotion.corpus in self._services.tuning.corpora.names
        with guild_locale():
            card = _promoted(promotion, force, is_corpus=is_corpus)
            await interaction.response.send_message(view=card.layout())

    async def promote_job(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Promote the model of a job, by the button of its card."""
        job = await self._services.tuning.jobs.get(job_id)
        await self.promote(interaction, job.model, "")

    async def rollback(self, interaction: discord.Interaction[Any], corpus: str) -> None:
        """Let the previous model answer again."""
        promotion = await self._services.tuning.models.rollback(corpus)
        is_corpus = corpus in self._services.tuning.corpora.names
        with guild_locale():
            card = _rolled_back(promotion, is_corpus=is_corpus)
            await interaction.response.send_message(view=card.layout())

    async def wrong_answers(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """The wrong answers of a job's model, for the operator who pressed."""
        job = await self._services.tuning.jobs.get(job_id)
        row = await self._services.tuning.models.find(job.model)
        if row is None or not row.scorecard:
            raise NotFoundError("This model is not scored.")
        scores = Scorecard.from_json(row.scorecard)
        card = Card(_("Wrong answers"))
        card.text(_scorecard.wrong(scores, WRONG) or _("There is none."))
        await interaction.response.send_message(view=card.layout(), ephemeral=True)


def _block(row: ModelRow, *, active: bool) -> str:
    # Translators: of a model: it is the one that answers now.
    marks = [_("🏁 answers")] if active else []
    marks += [_("🪦 deleted by its provider")] if row.gone else []
    head = " · ".join([f"**{row.corpus}**", f"<t:{int(row.at)}:d>", *marks])
    scores = _short(Scorecard.from_json(row.scorecard)) if row.scorecard else _("not scored")
    # Translators: which model another one was trained on from.
    origin = _("goes on from `{model}`", model=row.parent) if row.parent else _("from {model}", model=row.base)
    small = _("-# {origin} · dataset {dataset} · {scores}", origin=origin, dataset=row.dataset_id, scores=scores)
    return f"{head}\n`{row.name}`\n{small}"


def _short(scores: Scorecard) -> str:
    """The shares that promotion compares."""
    shares = [(sentence, scores.share(*names)) for sentence, names in COMPARED_SHARES]
    said = [_(sentence, share=share) for sentence, share in shares if share is not None]
    return ", ".join(said) or _("nothing held out")


def _promoted(promotion: Promotion, force: str, *, is_corpus: bool) -> Card:
    corpus = promotion.corpus
    card = Card(_("Promoted · {corpus}", corpus=corpus))
    if is_corpus:
        card.text(_("`{model}` answers **/{corpus} ask** from now on.", model=promotion.model, corpus=corpus))
    else:
        card.text(_("`{model}` answers **Tuned** under /{corpus} from now on.", model=promotion.model, corpus=corpus))
    if promotion.before and promotion.before != promotion.model:
        card.text(_("-# Before, `{model}` answered; /finetune rollback goes back to it.", model=promotion.before))
    if force.strip():
        card.text(_("-# Forced: {reason}", reason=escape_markdown(force.strip())))
    about = ActionButton("corpus-model", corpus, label=_("About this model"), emoji="🧬")
    return card.row(about) if is_corpus else card


def _rolled_back(promotion: Promotion, *, is_corpus: bool) -> Card:
    text = N_("`{model}` answers /{corpus} ask again, in place of `{before}`.")
    if not is_corpus:
        text = N_("`{model}` answers **Tuned** under /{corpus} again, in place of `{before}`.")
    said = _(text, model=promotion.model, corpus=promotion.corpus, before=promotion.before)
    return Card(_("Rolled back · {corpus}", corpus=promotion.corpus)).text(said)
