"""Datasets in Discord: preparing one with the checker's report, and the review of its flagged pairs."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import discord

from bot.answers.rendering import bar, pair_line
from bot.core.errors import NotFoundError
from bot.core.i18n import N_, _, ngettext
from bot.core.text import escape_markdown, shorten
from bot.server.trick_tests import MAX_PROBLEMS
from bot.services import Services
from bot.tuning.datasets import PAIRS_PER_CHUNK, DatasetRow, PairRow, Prepared, Progress, UnwrittenError, name_of
from bot.tuning.subjects import REASON_PROMPT
from bot.ui.actions import ActionButton
from bot.ui.cards import Card
from bot.ui.reply import AnswerDeletedError, Reply
from bot.ui.uploads import read_text
from bot.ui.views import LayoutView, PersistentModal
from cogs._access import for_operators
from cogs._store_first import edit_pressed, store_first

# Kinds of findings, and files that are skipped, that the card names; the report lists all of them.
MAX_SHOWN = 5
# The action of the button and of the modal that edit a pair.
EDIT = "ft-edit"
# The roles of pairs, with their numbers.
ROLES = {
    "train": N_("{n:,} train"),
    "validation": N_("{n:,} validation"),
    "held-out": N_("{n:,} held-out"),
    "never-seen": N_("{n:,} never-seen"),
}
# Rows of labelled inputs, and different answers, that the card names.
MAX_ROWS, MAX_ANSWERS = 3, 8
# Translators: on the card of inputs with known answers, from which a model can be trained.
POLICY = N_(
    "-# Only these rows are trained: never messages, and never what members taught me. Discord's policy forbids that. "
    "The held-out rows are the test: the tuned model and the prompt with its examples are both asked them."
)
# Bytes of a labelled file: some 5,000 long reviews.
MAX_FILE_BYTES = 4_000_000
# Characters of the source around a quote, and of a question or answer, that a review card shows.
CONTEXT_LENGTH, MAX_LENGTH = 350, 900
# Characters of a text input in a modal.
MAX_FIELD_LENGTH = 2_000
# Translators: of pairs of question and answer, as a person decided on them.
DECISIONS = {"kept": N_("{n:,} kept"), "edited": N_("{n:,} edited"), "dropped": N_("{n:,} dropped")}


class Preparation:
    """Makes datasets."""

    def __init__(self, services: Services) -> None:
        self._services = services
        services.actions.register("ft-again", for_operators(services.settings, self.again))
        services.actions.register("ft-graduate", for_operators(services.settings, self.prepare))

    async def prepare(self, interaction: discord.Interaction[Any], corpus: str, size: int = PAIRS_PER_CHUNK) -> None:
        """Make the dataset of a corpus or a template, or continue, and show the checker's report.

        What was paid for is stored at once, so that after an error the same command continues.
        """
        datasets, user_id = self._services.tuning.datasets, interaction.user.id
        with self._services.inflight.track(interaction):
            await store_first(interaction, datasets.begin(corpus, size), thinking=True)
            await self._shown(interaction, corpus, lambda progress: datasets.prepare(corpus, user_id, size, progress))

    async def from_file(self, interaction: discord.Interaction[Any], template: str, file: discord.Attachment) -> None:
        """Make the dataset of an operator's labelled file for `template`, and show its first rows and its split."""
        datasets = self._services.tuning.datasets

        async def read(_progress: Progress) -> Prepared:
            text = await read_text(file, max_bytes=MAX_FILE_BYTES)
            return await datasets.import_labelled(template, file.filename, text)

        with self._services.inflight.track(interaction):
            await self._shown(interaction, template, read)

    async def again(self, interaction: discord.Interaction[Any], dataset_id: str) -> None:
        """Ask again about the chunks that could not be used, by a button."""
        user_id = interaction.user.id
        datasets = self._services.tuning.datasets
        row = await datasets.get(dataset_id)
        await self._shown(interaction, row.corpus, lambda progress: datasets.try_again(row.id, user_id, progress))

    async def _shown(
        self,
        interaction: discord.Interaction[Any],
        corpus: str,
        prepare: Callable[[Progress], Awaitable[Prepared]],
    ) -> None:
        """Show a bar while the model is asked, then the card."""
        with suppress(AnswerDeletedError):
            async with Reply(interaction, private=True) as reply:

                def progress(done: int, total: int) -> None:
                    asking = _("Asking the model about the texts of **{corpus}**", corpus=corpus)
                    reply.show(f"{asking}\n{bar(done, total)}", writing=False)

                try:
                    prepared = await prepare(progress)
                except UnwrittenError as error:
                    card = Card("").text(escape_markdown(str(error)))
                    await reply.finish_card(card.row(_again(str(error.values["dataset"]))).layout())
                    return
                card = Card(_("Prepared · {corpus}", corpus=corpus))
                if not prepared.new:
                    card.text(_("-# It was made before, from the same texts."))
                for problem in prepared.problems[: MAX_PROBLEMS + 1]:  # The last one counts the rest.
                    card.text(f"⚠️ {escape_markdown(problem)}")
                files = [
                    file
                    for row in (prepared.dataset, prepared.draft)
                    if row is not None
                    for file in await self._describe(card, row)
                ]
                if skipped := await self._services.tuning.datasets.skipped_files(corpus):
                    names = escape_markdown(", ".join(skipped[:MAX_SHOWN]) + ("…" if skipped[MAX_SHOWN:] else ""))
                    card.text(_("⚠️ Skipped, because it is not text in UTF-8: {files}", files=names))
                if prepared.problems and prepared.dataset.model:
                    card.row(_again(prepared.dataset.id))
                await reply.finish_card(card.layout(), files)

    async def _describe(self, card: Card, row: DatasetRow) -> list[tuple[str, bytes]]:
        """Add a block for a dataset: its size and split, what is in it, and buttons. Returns the report as a file."""
        datasets = self._services.tuning.datasets
        pairs = await datasets.pairs(row.id)
        waiting = sum(not pair.decision for pair in await datasets.flagged(row.id))
        roles = ", ".join(
            _(sentence, n=count)
            for role, sentence in ROLES.items()
            if (count := sum(pair.role == role for pair in pairs))
        )
        head = ngettext("**{dataset}** · {n:,} pair", "**{dataset}** · {n:,} pairs", len(pairs), dataset=name_of(row))
        small = _("-# dataset {dataset}", dataset=row.id)
        buttons = [ActionButton("ft-plan", row.id, label=_("Estimate"), emoji="🧮")]
        if datasets.is_labelled(row):
            card.line().text("\n".join([head, roles, *_labels(pairs)])).text(f"{_(POLICY)}\n{small}").row(*buttons)
            return []
        report = await datasets.report(row.id)
        kinds = [f"{len(findings)} × {_(kind)}" for kind, findings in report.by_kind().items()]
        found = f"⚠️ {', '.join(kinds[:MAX_SHOWN])}" if kinds else _("✅ The checker finds nothing.")
        name = f"report-{row.id}.txt"
        if waiting:
            buttons.insert(0, ActionButton("ft-review", row.id, label=_("Review {n:,}", n=waiting), emoji="🔎"))
        card.line().text("\n".join([head, roles, found, small])).file(name).row(*buttons)
        return [(name, report.text.encode())]


def _labels(pairs: list[PairRow]) -> list[str]:
    """How often each answer is in labelled inputs, where there are few, and the first rows."""
    labels = [pair.answer.removesuffix(f": {REASON_PROMPT}") for pair in pairs]
    counts = sorted(Counter(labels).items())
    lines = []
    if len(counts) <= MAX_ANSWERS:
        said = ", ".join(f"{escape_markdown(shorten(label, 30))} × {count:,}" for label, count in counts)
        lines.append(_("**Answers** {counts}", counts=said))
    first = zip(pairs[:MAX_ROWS], labels, strict=False)
    rows = [f"- {pair_line(pair.question, label)}" for pair, label in first]
    return [*lines, _("**First rows**"), *rows]


def _again(dataset_id: str) -> ActionButton:
    return ActionButton("ft-again", dataset_id, label=_("Try again"), emoji="🔁")


class Review:
    """Shows flagged pairs one at a time and stores what is decided; it continues at the first undecided pair."""

    def __init__(self, services: Services) -> None:
        self._services = services
        services.actions.register("ft-review", for_operators(services.settings, self.start))
        services.actions.register("ft-keep", for_operators(services.settings, self.keep))
        services.actions.register("ft-drop", for_operators(services.settings, self.drop))
        services.actions.register(EDIT, for_operators(services.settings, self.edit))
        services.actions.register_modal(EDIT, for_operators(services.settings, self.edited))

    async def start(self, interaction: discord.Interaction[Any], dataset_id: str) -> None:
        """Show the first undecided pair, by the command or the Review button."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await interaction.edit_original_response(view=await self._card(dataset_id))

    async def keep(self, interaction: discord.Interaction[Any], argument: str) -> None:
        """Keep the pair."""
        await self._decide(interaction, argument, "kept")

    async def drop(self, interaction: discord.Interaction[Any], argument: str) -> None:
        """Drop the pair: it is not trained."""
        await self._decide(interaction, argument, "dropped")

    async def edit(self, interaction: discord.Interaction[Any], argument: str) -> None:
        """Open the modal that edits the pair."""
        _dataset_id, pair = await self._found(argument)
        modal = PersistentModal(EDIT, argument, title=_("Edit the pair"))
        modal.add_text("question", _("Question"), max_length=MAX_FIELD_LENGTH, default=pair.question)
        modal.add_text("answer", _("Answer"), max_length=MAX_FIELD_LENGTH, default=pair.answer)
        await interaction.response.send_modal(modal)

    async def edited(self, interaction: discord.Interaction[Any], argument: str, fields: Mapping[str, str]) -> None:
        """Store the texts of the modal, and show the next pair."""
        dataset_id, pair = await self._found(argument)
        question, answer = fields.get("question", ""), fields.get("answer", "")
        await store_first(
            interaction, self._services.tuning.datasets.decide(pair, "edited", question, answer), thinking=False
        )
        await edit_pressed(interaction, await self._card(dataset_id))

    async def _decide(self, interaction: discord.Interaction[Any], argument: str, decision: str) -> None:
        dataset_id, pair = await self._found(argument)
        # A card may be older than a decision that was made elsewhere, which is not changed.
        if not pair.decision:
            await store_first(interaction, self._services.tuning.datasets.decide(pair, decision))
        await edit_pressed(interaction, await self._card(dataset_id))

    async def _found(self, argument: str) -> tuple[str, PairRow]:
        dataset_id, _colon, number = argument.partition(":")
        for pair in await self._services.tuning.datasets.flagged(dataset_id):
            if str(pair.id) == number:
                return dataset_id, pair
        raise NotFoundError("This pair is not in the dataset any more.")

    async def _card(self, dataset_id: str) -> LayoutView:
        """The next pair to decide on, or what was decided."""
        datasets = self._services.tuning.datasets
        dataset = await datasets.get(dataset_id)
        flagged = await datasets.flagged(dataset.id)
        waiting = [pair for pair in flagged if not pair.decision]
        if not waiting:
            return _done(dataset, flagged)
        pair = waiting[0]
        text = await datasets.source_text(dataset.corpus, pair.source) if pair.source else None
        place = f"{len(flagged) - len(waiting) + 1}/{len(flagged)}"
        return _pair_card(dataset, pair, text, place)


def _pair_card(dataset: DatasetRow, pair: PairRow, text: str | None, place: str) -> LayoutView:
    card = Card(_("Review of {dataset} · {place}", dataset=name_of(dataset), place=place))
    card.text(f"**{escape_markdown(pair.question[:MAX_LENGTH])}**\n{escape_markdown(pair.answer[:MAX_LENGTH])}").line()
    card.text("\n".join(f"⚠️ {escape_markdown(flag)}" for flag in pair.flags))
    if pair.source:
        card.text(f"**{escape_markdown(pair.source)}**\n{marked(text, pair.quote)}")
    else:
        card.text(_("It names no source."))
    at = f"{dataset.id}:{pair.id}"
    card.row(
        ActionButton("ft-keep", at, label=_("Keep"), emoji="✅", style=discord.ButtonStyle.success),
        ActionButton(EDIT, at, label=_("Edit"), emoji="✏️"),
        ActionButton("ft-drop", at, label=_("Drop"), emoji="🗑️", style=discord.ButtonStyle.danger),
    )
    small = _("-# line {n} · undecided pairs are not trained · leave it whenever you like", n=pair.line)
    return card.text(small).layout()


def marked(text: str | None, quote: str) -> str:
    """The source around the `quote` in bold; or a sentence that it is not there."""
    if text is None:
        return _("*There is no such source.*")
    if not quote:
        return _("*It quotes nothing.*")
    at = text.find(quote)
    if at < 0:
        return _("*No such sentence:* “{quote}”", quote=escape_markdown(quote[:MAX_LENGTH]))
    before, after = text[max(at - CONTEXT_LENGTH, 0) : at], text[at + len(quote) : at + len(quote) + CONTEXT_LENGTH]
    lead = ("… " if at > CONTEXT_LENGTH else "") + escape_markdown(before)
    tail = escape_markdown(after) + (" …" if at + len(quote) + CONTEXT_LENGTH < len(text) else "")
    return _quoted(f"{lead}**__{escape_markdown(quote)}__**{tail}")


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.splitlines() if line.strip())


def _done(dataset: DatasetRow, flagged: list[PairRow]) -> LayoutView:
    if not flagged:
        card = Card(_("Review of {dataset}", dataset=name_of(dataset)))
        return card.text(_("There is nothing to review: no pair is flagged.")).layout()
    counts = {verb: sum(pair.decision == verb for pair in flagged) for verb in DECISIONS}
    said = ", ".join(_(DECISIONS[verb], n=count) for verb, count in counts.items() if count)
    card = Card(_("Review of {dataset} · done", dataset=name_of(dataset)))
    decided = ngettext(
        "The flagged pair is reviewed: {decisions}.",
        "All {n:,} flagged pairs are reviewed: {decisions}.",
        len(flagged),
        decisions=said,
    )
    card.text(decided)
    return card.row(ActionButton("ft-plan", dataset.id, label=_("Estimate"), emoji="🧮")).layout()
