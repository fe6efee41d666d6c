"""The model that answers for a corpus: where it comes from, what it learnt, what it scores, and when."""

from typing import Any

import discord

from bot.core.errors import NotFoundError
from bot.core.i18n import _
from bot.services import Services
from bot.tuning.asking import not_trained
from bot.tuning.prepare import name_of
from bot.tuning.profiles import PROFILES
from bot.tuning.records import ModelRow
from bot.tuning.scorecard import Scorecard
from bot.ui.cards import Card
from bot.ui.pictures import Picture
from bot.ui.reply import Reply
from cogs import _scorecard
from cogs.corpus.asking import Asking


class About:
    """Shows promoted models."""

    def __init__(self, services: Services, asking: Asking) -> None:
        self._services, self._asking = services, asking

    async def by_button(self, interaction: discord.Interaction[Any], corpus: str, _chosen: list[str]) -> None:
        """The same as the command."""
        await self.show(interaction, corpus)

    async def show(self, interaction: discord.Interaction[Any], corpus: str) -> None:
        """The card of the model that answers for `corpus`."""
        async with Reply(interaction, private=False) as reply:
            tuning = self._services.tuning
            model = await tuning.active(corpus)
            if model is None:
                await self._asking.say_untrained(reply, interaction, corpus, not_trained(corpus))
                return
            card = Card(_("The model behind /{corpus} ask", corpus=corpus)).text(f"`{model.name}`")
            if model.gone:
                card.text(_("⚠️ Its provider has deleted it. The bot's operator can go back with /finetune rollback."))
            card.text("\n".join([*await self._descent(model), *await self._dataset(model)]))
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

    async def _descent(self, model: ModelRow) -> list[str]:
        """From the base to this model, a step a line."""
        line = await self._services.tuning.ancestors(model.name)
        oldest = line[-1] if line else model
        place = _(PROFILES[oldest.provider].at)
        # Translators: from which base model, and where ("at the local engine"), a model was tuned; its steps follow.
        lines = [_("**Descent** {base}, tuned {place}", base=oldest.base, place=place)]
        for row in reversed(line):
            time = f"<t:{int(row.at)}:f>"
            lines.append(
                _("→ `{model}` · {time} · dataset {dataset}", model=row.name, time=time, dataset=row.dataset_id)
            )
        return lines

    async def _dataset(self, model: ModelRow) -> list[str]:
        """What it was trained on last."""
        try:
            dataset = await self._services.tuning.dataset(model.dataset_id)
        except NotFoundError:
            return []
        pairs = await self._services.tuning.pairs(dataset.id)
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
