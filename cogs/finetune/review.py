"""The flagged pairs of a dataset, one at a time: claim, source with the quote marked, Keep · Edit · Drop."""

from typing import Any

import discord

from bot.core.errors import NotFoundError
from bot.core.i18n import N_, _, ngettext
from bot.core.text import escape_markdown
from bot.services import Services
from bot.tuning.prepare import name_of
from bot.tuning.records import DatasetRow, PairRow
from bot.ui.actions import ActionButton
from bot.ui.cards import Card
from bot.ui.views import LayoutView, Modal
from cogs._access import operator_of

# Characters of the source around a quote, and of a question or answer, that a card shows.
AROUND, LONGEST = 350, 900
# A text input of a modal takes so many.
FIELD = 2_000
# Translators: of pairs of question and answer, as a person decided on them.
VERBS = {"kept": N_("{n:,} kept"), "edited": N_("{n:,} edited"), "dropped": N_("{n:,} dropped")}


class Review:
    """Shows pairs and keeps what is decided on them; where the review was left is where it is taken up."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.handlers = {"ft-review": self.open, "ft-keep": self.keep, "ft-drop": self.drop, "ft-edit": self.edit}

    async def start(self, interaction: discord.Interaction[Any], dataset_id: str) -> None:
        """The first pair that nobody has decided on."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await interaction.edit_original_response(view=await self._card(dataset_id))

    async def open(self, interaction: discord.Interaction[Any], dataset_id: str, _chosen: list[str]) -> None:
        """The same, by a button."""
        operator_of(interaction, self._services.settings)
        await self.start(interaction, dataset_id)

    async def keep(self, interaction: discord.Interaction[Any], argument: str, _chosen: list[str]) -> None:
        """The pair is right as it stands."""
        await self._decide(interaction, argument, "kept")

    async def drop(self, interaction: discord.Interaction[Any], argument: str, _chosen: list[str]) -> None:
        """Nobody shall learn this."""
        await self._decide(interaction, argument, "dropped")

    async def edit(self, interaction: discord.Interaction[Any], argument: str, _chosen: list[str]) -> None:
        """Let the operator write the pair anew."""
        operator_of(interaction, self._services.settings)
        dataset_id, pair = await self._found(argument)
        await interaction.response.send_modal(EditPair(self, dataset_id, pair))

    async def edited(
        self, interaction: discord.Interaction[Any], dataset_id: str, pair: PairRow, question: str, answer: str
    ) -> None:
        """What came of the modal."""
        operator_of(interaction, self._services.settings)
        await interaction.response.defer()
        await self._services.tuning.decide(pair, "edited", question, answer)
        await interaction.edit_original_response(view=await self._card(dataset_id))

    async def _decide(self, interaction: discord.Interaction[Any], argument: str, decision: str) -> None:
        operator_of(interaction, self._services.settings)
        dataset_id, pair = await self._found(argument)
        await interaction.response.defer()
        # A card may be older than a decision that was made elsewhere; that one holds.
        if not pair.decision:
            await self._services.tuning.decide(pair, decision)
        await interaction.edit_original_response(view=await self._card(dataset_id))

    async def _found(self, argument: str) -> tuple[str, PairRow]:
        dataset_id, _colon, number = argument.partition(":")
        for pair in await self._services.tuning.flagged(dataset_id):
            if str(pair.id) == number:
                return dataset_id, pair
        raise NotFoundError("This pair is not in the dataset any more.")

    async def _card(self, dataset_id: str) -> LayoutView:
        """The next pair to decide on, or what was decided."""
        tuning = self._services.tuning
        dataset = await tuning.dataset(dataset_id)
        flagged = await tuning.flagged(dataset.id)
        waiting = [pair for pair in flagged if not pair.decision]
        if not waiting:
            return _done(dataset, flagged)
        pair = waiting[0]
        texts = dict(tuning.corpora.get(dataset.corpus).texts()) if pair.source else {}
        place = f"{len(flagged) - len(waiting) + 1}/{len(flagged)}"
        return _pair_card(dataset, pair, texts.get(pair.source), place)


class EditPair(Modal):
    """Question and answer, as they are now."""

    def __init__(self, review: Review, dataset_id: str, pair: PairRow) -> None:
        super().__init__(title=_("Edit the pair"))
        self._review, self._dataset_id, self._pair = review, dataset_id, pair
        long = discord.TextStyle.paragraph
        self.question: discord.ui.TextInput[Any] = discord.ui.TextInput(
            label=_("Question"), custom_id="question", default=pair.question[:FIELD], max_length=FIELD, style=long
        )
        self.answer: discord.ui.TextInput[Any] = discord.ui.TextInput(
            label=_("Answer"), custom_id="answer", default=pair.answer[:FIELD], max_length=FIELD, style=long
        )
        self.add_item(self.question)
        self.add_item(self.answer)

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Keep what was written."""
        await self._review.edited(interaction, self._dataset_id, self._pair, self.question.value, self.answer.value)


def _pair_card(dataset: DatasetRow, pair: PairRow, text: str | None, place: str) -> LayoutView:
    card = Card(_("Review of {dataset} · {place}", dataset=name_of(dataset), place=place))
    card.text(f"**{escape_markdown(pair.question[:LONGEST])}**\n{escape_markdown(pair.answer[:LONGEST])}").line()
    card.text("\n".join(f"⚠️ {escape_markdown(flag)}" for flag in pair.flags))
    if pair.source:
        card.text(f"**{escape_markdown(pair.source)}**\n{marked(text, pair.quote)}")
    else:
        card.text(_("It names no source."))
    at = f"{dataset.id}:{pair.id}"
    card.row(
        ActionButton("ft-keep", at, label=_("Keep"), emoji="✅", style=discord.ButtonStyle.success),
        ActionButton("ft-edit", at, label=_("Edit"), emoji="✏️"),
        ActionButton("ft-drop", at, label=_("Drop"), emoji="🗑️", style=discord.ButtonStyle.danger),
    )
    small = _("-# line {n} · undecided pairs are not trained · leave it whenever you like", n=pair.line)
    return card.text(small).layout()


def marked(text: str | None, quote: str) -> str:
    """The source around `quote`, which stands out; or a sentence that it is not there."""
    if text is None:
        return _("*There is no such source.*")
    if not quote:
        return _("*It quotes nothing.*")
    at = text.find(quote)
    if at < 0:
        return _("*No such sentence:* “{quote}”", quote=escape_markdown(quote[:LONGEST]))
    before, after = text[max(at - AROUND, 0) : at], text[at + len(quote) : at + len(quote) + AROUND]
    lead = ("… " if at > AROUND else "") + escape_markdown(before)
    tail = escape_markdown(after) + (" …" if at + len(quote) + AROUND < len(text) else "")
    return _quoted(f"{lead}**__{escape_markdown(quote)}__**{tail}")


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.splitlines() if line.strip())


def _done(dataset: DatasetRow, flagged: list[PairRow]) -> LayoutView:
    if not flagged:
        card = Card(_("Review of {dataset}", dataset=name_of(dataset)))
        return card.text(_("There is nothing to review: no pair is flagged.")).layout()
    counts = {verb: sum(pair.decision == verb for pair in flagged) for verb in VERBS}
    said = ", ".join(_(VERBS[verb], n=count) for verb, count in counts.items() if count)
    card = Card(_("Review of {dataset} · done", dataset=name_of(dataset)))
    decided = ngettext(
        "The flagged pair is reviewed: {decisions}.",
        "All {n:,} flagged pairs are reviewed: {decisions}.",
        len(flagged),
        decisions=said,
    )
    card.text(decided)
    return card.row(ActionButton("ft-plan", dataset.id, label=_("Estimate"), emoji="🧮")).layout()
