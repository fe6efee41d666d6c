"""The estimate of a job, its confirmation, and the start."""

import hashlib
from collections import deque
from contextlib import suppress
from typing import Any

import discord

from bot.core.errors import InputError, NotFoundError
from bot.core.i18n import _
from bot.services import Services
from bot.tuning.datasets import DatasetRow, name_of
from bot.tuning.estimate import Quote, blocked
from bot.tuning.jobs import Place
from bot.tuning.profiles import AS_OF, PROFILES
from bot.ui.actions import ActionButton
from bot.ui.cards import Card
from bot.ui.errors import DELIVERY_ERRORS
from bot.ui.views import LayoutView
from cogs._access import for_operators
from cogs._store_first import answer_privately, edit_pressed, store_first
from cogs.finetune.job_cards import JobCards

# Characters of a base's name that fit into the confirming button's custom id, beside the dataset's id.
MAX_BASE_LENGTH = 50
# The first character of a base's digest, which stands for a longer name.
DIGEST = "#"


class Starting:
    """Shows what training would cost, and starts it once an operator has confirmed the price."""

    def __init__(self, services: Services, cards: JobCards) -> None:
        self._services, self._cards = services, cards
        # Messages whose button was pressed: a second press is refused.
        self._pressed: deque[int] = deque(maxlen=200)
        # Bases with long names, such as folders, that buttons name by a digest.
        self._long_names: dict[str, str] = {}
        services.actions.register("ft-plan", for_operators(services.settings, self.show))
        services.actions.register("ft-start", for_operators(services.settings, self.confirmed))
        services.actions.register("train", for_operators(services.settings, self.train))

    async def show(
        self, interaction: discord.Interaction[Any], dataset: str, base: str = "", *, start: bool = True
    ) -> None:
        """The estimate for a dataset, by a command or the Estimate button; with `start`, a button that confirms it."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        self._long_names[packed(base)] = base
        row = await self._services.tuning.datasets.get(dataset)
        quotes = await self._services.tuning.jobs.estimate(row.id, base)
        await interaction.edit_original_response(view=_estimate(row, quotes, base, start=start))

    async def train(self, interaction: discord.Interaction[Any], corpus: str) -> None:
        """Train on the newest dataset of a corpus: at once where it costs nothing, else after a confirmation."""
        user_id = interaction.user.id
        tuning = self._services.tuning

        async def start_if_free() -> tuple[DatasetRow, list[Quote], bool]:
            dataset = await tuning.datasets.newest(corpus)
            quotes = await tuning.jobs.estimate(dataset.id)
            if is_free := quotes[0].starts_at_once:
                await self._start(interaction, dataset.id, "", user_id)
            return dataset, quotes, is_free

        dataset, quotes, has_started = await store_first(interaction, start_if_free(), thinking=True)
        if has_started:
            with suppress(*DELIVERY_ERRORS):  # The card shows it too.
                await answer_privately(interaction, content=_("It has started; its card shows the progress."))
        else:
            await answer_privately(interaction, view=_estimate(dataset, quotes, "", start=True))

    async def confirmed(self, interaction: discord.Interaction[Any], argument: str) -> None:
        """The price is confirmed: start the job, once. Without a card there is no job, and the button stays."""
        user_id = interaction.user.id
        assert interaction.message is not None, "buttons are on messages"
        if interaction.message.id in self._pressed:
            raise InputError("This was started already.")
        self._pressed.append(interaction.message.id)
        try:
            dataset_id, base = argument.split(":", 1)
            base = await self._base(base)
            await store_first(interaction, self._start(interaction, dataset_id, base, user_id))
        except BaseException:
            self._pressed.remove(interaction.message.id)
            raise
        with suppress(*DELIVERY_ERRORS):  # The card shows it too.
            await edit_pressed(interaction, Card(_("Started")).text(_("The card below shows the progress.")).layout())

    async def _start(self, interaction: discord.Interaction[Any], dataset_id: str, base: str, user_id: int) -> None:
        """Store a job with the channel of its card, then post the card. A crash in between costs neither."""
        assert interaction.channel_id is not None, "buttons are in channels"
        place = Place(interaction.guild_id, interaction.channel_id)
        await self._cards.post(await self._services.tuning.jobs.start(dataset_id, user_id, base, place=place))

    async def _base(self, named: str) -> str:
        """The base that a button names, in full or by a digest."""
        if not named.startswith(DIGEST):
            return named
        names = [model.name for model in await self._services.tuning.models.all()]
        for name in (*names, *await self._services.tuning.jobs.bases(), *self._long_names.values()):
            if packed(name) == named:
                return name
        raise NotFoundError("The model to go on from is not known any more.")


def packed(base: str) -> str:
    """A base's name for a button: itself, or a digest where it is long."""
    return base if len(base) <= MAX_BASE_LENGTH else DIGEST + hashlib.sha256(base.encode()).hexdigest()[:16]


def _estimate(dataset: DatasetRow, quotes: list[Quote], base: str, *, start: bool) -> LayoutView:
    """A block for every known model, the chosen one first: a table is too wide for a phone."""
    card = Card(_("Training on {dataset}", dataset=name_of(dataset)))
    for quote in quotes:
        card.text(_block(quote))
        if quote.chosen:
            card.line()
    warned = dict.fromkeys(f"⚠️ {each.warning}" for each in quotes if each.warning)
    card.text("\n".join(warned))
    card.text(_("-# Prices in US dollars, read {day} · dataset {dataset}", day=AS_OF, dataset=dataset.id))
    closed = blocked(PROFILES[quotes[0].model.provider])
    if start and closed:
        return card.text(_("⚠️ It cannot be started. {reason}", reason=_(closed))).layout()
    if start:
        # Translators: a button that starts training at this price.
        label = _("Start: {price}", price=_price(quotes[0]))
        card.row(
            ActionButton(
                "ft-start", f"{dataset.id}:{packed(base)}", label=label, emoji="🏋️", style=discord.ButtonStyle.success
            )
        )
    return card.layout()


def _block(quote: Quote) -> str:
    """A model with its price, tokens, price of use, and the day on which it ends."""
    model = quote.model
    head = f"**{model.name}** · {_(PROFILES[model.provider].title)}"
    figures = [_price(quote), _("{n:,} tokens in {rounds} rounds", n=quote.tokens, rounds=quote.epochs)]
    if model.prompt is not None and model.prompt > 0:
        # Translators: what using the tuned model costs, for tokens that it reads and that it writes.
        then = _("then ${read} in and ${written} out for a million tokens", read=model.prompt, written=model.completion)
        figures.append(then)
    if quote.lives is not None:
        figures.append(_("usable until {day}", day=model.shutdown))
    return f"{'➜ ' if quote.chosen else ''}{head}\n{' · '.join(figures)}"


def _price(quote: Quote) -> str:
    if quote.effort:
        return quote.effort
    if quote.usd is None:
        return _("price not known")
    return _("about {price}", price=quote.price) if quote.usd else _("free")
