"""The estimate, its confirmation, and the job that follows it."""

import hashlib
from collections import deque
from typing import Any

import discord

from bot.core.errors import InputError, NotFoundError
from bot.core.i18n import _
from bot.services import Services
from bot.tuning.estimate import Quote, blocked
from bot.tuning.job_messages import Place
from bot.tuning.prepare import name_of
from bot.tuning.profiles import PROFILES
from bot.tuning.records import DatasetRow
from bot.ui.actions import ActionButton
from bot.ui.cards import Card
from bot.ui.views import LayoutView
from cogs._access import operator_of
from cogs.finetune.job_card_updater import Cards

# Characters of a base's name that the button which confirms can hold beside the dataset's id.
LONGEST_BASE = 50
DIGEST = "#"


class Starting:
    """Shows what training would cost, and starts it once an operator has confirmed the price."""

    def __init__(self, services: Services, following: Cards) -> None:
        self._services, self._following = services, following
        # Cards whose button was pressed: a second press finds this instead of starting a second job.
        self._pressed: deque[int] = deque(maxlen=200)
        self.handlers = {"ft-plan": self.plan, "ft-start": self.confirmed, "train": self.train}

    async def show(self, interaction: discord.Interaction[Any], dataset: str, base: str, *, start: bool) -> None:
        """The estimate for a dataset, with the button that confirms it where the job shall `start`."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        row = await self._services.tuning.dataset(dataset)
        quotes = await self._services.tuning.estimate(row.id, base)
        await interaction.edit_original_response(view=_estimate(row, quotes, base, start=start))

    async def plan(self, interaction: discord.Interaction[Any], dataset_id: str, _chosen: list[str]) -> None:
        """The same by a button."""
        operator_of(interaction, self._services.settings)
        await self.show(interaction, dataset_id, "", start=True)

    async def train(self, interaction: discord.Interaction[Any], corpus: str, _chosen: list[str]) -> None:
        """Train on the newest dataset of a corpus; at once where it costs nothing, else after a confirmation."""
        user_id = operator_of(interaction, self._services.settings)
        await interaction.response.defer(ephemeral=True, thinking=True)
        dataset = await self._services.tuning.newest(corpus)
        quotes = await self._services.tuning.estimate(dataset.id)
        if quotes[0].usd == 0:
            await self._begin(interaction, dataset.id, "", user_id)
            await interaction.edit_original_response(content=_("It has started; the card below shows the progress."))
        else:
            await interaction.edit_original_response(view=_estimate(dataset, quotes, "", start=True))

    async def confirmed(self, interaction: discord.Interaction[Any], argument: str, _chosen: list[str]) -> None:
        """The price is agreed to: start the job, once."""
        user_id = operator_of(interaction, self._services.settings)
        assert interaction.message is not None, "buttons stand under messages"
        if interaction.message.id in self._pressed:
            raise InputError("This was started already.")
        self._pressed.append(interaction.message.id)
        begun = False
        try:
            dataset_id, base = argument.split(":", 1)
            base = await self._base(base)
            await interaction.response.edit_message(view=Card(_("Starting …")).layout())
            await self._begin(interaction, dataset_id, base, user_id)
            begun = True
        finally:
            if not begun:
                self._pressed.remove(interaction.message.id)
        await interaction.edit_original_response(
            view=Card(_("Started")).text(_("The card below shows the progress.")).layout()
        )

    async def _begin(self, interaction: discord.Interaction[Any], dataset_id: str, base: str, user_id: int) -> None:
        """Keep the job with the place of its card, then post the card: a crash in between costs neither."""
        assert interaction.channel_id is not None, "buttons stand in channels"
        place = Place(interaction.guild_id, interaction.channel_id)
        await self._following.post(await self._services.tuning.start(dataset_id, user_id, base, place=place))

    async def _base(self, named: str) -> str:
        """The base that a button names, in full or by a digest."""
        if not named.startswith(DIGEST):
            return named
        for model in await self._services.tuning.models():
            if packed(model.name) == named:
                return model.name
        raise NotFoundError("The model to go on from is not known any more.")


def packed(base: str) -> str:
    """A base as a button holds it."""
    return base if len(base) <= LONGEST_BASE else DIGEST + hashlib.sha256(base.encode()).hexdigest()[:16]


def _estimate(dataset: DatasetRow, quotes: list[Quote], base: str, *, start: bool) -> LayoutView:
    """Every known model in a block of its own, since a table is too wide for a phone; the chosen one first."""
    card = Card(_("Training on {dataset}", dataset=name_of(dataset)))
    for quote in quotes:
        card.text(_block(quote))
        if quote.chosen:
            card.line()
    warned = dict.fromkeys(f"⚠️ {each.warning}" for each in quotes if each.warning)
    card.text("\n".join(warned))
    read = max(quote.model.read for quote in quotes)
    card.text(_("-# Prices in US dollars, read {day} · dataset {dataset}", day=read, dataset=dataset.id))
    closed = blocked(quotes[0].model.provider)
    if start and closed:
        return card.text(_("⚠️ It cannot be started. {reason}", reason=_(closed))).layout()
    if start:
        # Translators: a button that starts training at this price.
        label = _("Start: {price}", price=_said(quotes[0]))
        card.row(
            ActionButton(
                "ft-start", f"{dataset.id}:{packed(base)}", label=label, emoji="🏋️", style=discord.ButtonStyle.success
            )
        )
    return card.layout()


def _block(quote: Quote) -> str:
    model = quote.model
    head = f"**{model.name}** · {_(PROFILES[model.provider].title)}"
    figures = [_said(quote), _("{n:,} tokens in {rounds} rounds", n=quote.tokens, rounds=quote.epochs)]
    if model.prompt is not None and model.prompt > 0:
        # Translators: what using the tuned model costs, for tokens that it reads and that it writes.
        then = _("then ${read} in and ${written} out for a million tokens", read=model.prompt, written=model.completion)
        figures.append(then)
    if quote.lives is not None:
        figures.append(_("usable until {day}", day=model.shutdown))
    return f"{'➜ ' if quote.chosen else ''}{head}\n{' · '.join(figures)}"


def _said(quote: Quote) -> str:
    if quote.usd is None:
        return _("price not known")
    return _("about {price}", price=quote.price) if quote.usd else _("free")
