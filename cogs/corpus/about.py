"""The card of the model that answers for a corpus: lineage, dataset, scores, dates."""

from typing import Any

import discord

from bot.core.errors import NotFoundError
from bot.core.i18n import _
from bot.services import Services
from bot.tuning.datasets import name_of
from bot.tuning.inference import not_trained
from bot.tuning.models import ModelRow
from bot.tuning.profiles import PROFILES
from bot.tuning.scoring import Scorecard
from bot.ui.cards import Card
from bot.ui.pictures import Picture
from bot.ui.reply import Reply
from cogs import _scorecard
from cogs.corpus.questions import Questions


class About:
    """Shows promoted models."""

    def __init__(self, services: Services, questions: Questions) -> None:
        self._services, self._questions = services, questions
        services.actions.register("corpus-model", self.show)

    async def show(self, interaction: discord.Interaction[Any], corpus: str) -> None:
        """The card of the model that answers for `corpus`, by the command or by the button of a promotion."""
        async with Reply(interaction, private=False) as reply:
            model = await self._services.tuning.models.active(corpus)
            if model is None:
                card = await self._questions.untrained_card(interaction, corpus, not_trained(corpus))
                await reply.finish_card(card.layout())
                return
            card = Card(_("The model behind /{corpus} ask", corpus=corpus)).text(f"`{model.name}`")
            if model.gone:
                card.text(_("⚠️ Its provider has deleted it. The bot's operator can go back with /finetune rollback."))
            card.text("\n".join([*await self._lineage(model), *await self._dataset(model)]))
            files: list[Picture] = []
            if model.scorecard:
                scores = Scorecard.from_json(model.scorecard)
                card.line().text(_scorecard.lines(scores))
                picture = await _scorecard.picture(scores, _("{corpus}: answered rightly", corpus=corpus))
                if picture is not None:
                    files.append(picture)
                    card.picture(picture)
                card.text(_("-# scored {time}", time=f"<t:{int(scores.at)}:f>"))
            await reply.finish_card(card.layout(), files)

    async def _lineage(self, model: ModelRow) -> list[str]:
        """A line for the base and for each model from it to this one."""
        line = await self._services.tuning.models.ancestors(model.name)
        oldest = line[-1] if line else model
        place = _(PROFILES[oldest.provider].at)
        # Translators: from which base model, and where ("at the local engine"), a model was tuned; its steps follow.
        lines = [_("**Lineage** {base}, tuned {place}", base=oldest.base, place=place)]
        for row in reversed(line):
            time = f"<t:{int(row.at)}:f>"
            lines.append(
                _("→ `{model}` · {time} · dataset {dataset}", model=row.name, time=time, dataset=row.dataset_id)
            )
        return lines

    async def _dataset(self, model: ModelRow) -> list[str]:
        """A line about the dataset that it was trained on; none where that is not stored any more."""
        try:
            dataset = await self._services.tuning.datasets.get(model.dataset_id)
        except NotFoundError:
            return []
        pairs = await self._services.tuning.datasets.pairs(dataset.id)
        trained = sum(pair.role == "train" for pair in pairs)
        refused = sum(pair.kind != "answerable" for pair in pairs if pair.role == "train")
        return [
            _(
                "**Dataset** {dataset} · {day} · {n:,} rows trained, {refusals:,} of them with a refusal",
                dataset=name_of(dataset),
                day=f"<t:{int(dataset.at)}:d>",
                n=trained,
                refusals=refused,
            )
        ]
