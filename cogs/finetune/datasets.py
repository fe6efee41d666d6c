"""Preparing a dataset: the one that ships with a corpus, or one that the model writes; with the checker's report."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import discord

from bot.answers.rendering import bar
from bot.core.i18n import N_, _, ngettext
from bot.core.text import escape_markdown
from bot.services import Services
from bot.tuning.prepare import Prepared, UnwrittenError, name_of
from bot.tuning.questions import Progress
from bot.tuning.records import DatasetRow
from bot.ui.actions import ActionButton
from bot.ui.cards import Card
from bot.ui.reply import AnswerDeletedError, Reply
from cogs._access import operator_of

# Problems of single chunks, and kinds of findings, that the card names; the report has them all.
SHOWN = 5
# What pairs are for, and how many are for that.
ROLES = {
    "train": N_("{n:,} train"),
    "validation": N_("{n:,} validation"),
    "held-out": N_("{n:,} held-out"),
    "never-seen": N_("{n:,} never-seen"),
}


class Datasets:
    """The datasets of all corpora."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def prepare(self, interaction: discord.Interaction[Any], corpus: str, size: int) -> None:
        """Make the dataset of `corpus`, or go on making it, and say what the checker thinks of it.

        What was paid for is kept at once, so that after an error the same command goes on where it was.
        """
        tuning, user_id = self._services.tuning, interaction.user.id
        with self._services.inflight.track(interaction):
            await self._shown(interaction, corpus, lambda progress: tuning.prepare(corpus, user_id, size, progress))

    async def again(self, interaction: discord.Interaction[Any], dataset_id: str, _chosen: list[str]) -> None:
        """Ask about what could not be used, by a button, and show what stands then."""
        user_id = operator_of(interaction, self._services.settings)
        tuning = self._services.tuning
        row = await tuning.dataset(dataset_id)
        await self._shown(interaction, row.corpus, lambda progress: tuning.try_again(row.id, user_id, progress))

    async def _shown(
        self,
        interaction: discord.Interaction[Any],
        corpus: str,
        prepare: Callable[[Progress], Awaitable[Prepared]],
    ) -> None:
        """A bar while the model is asked, then the card."""
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
                files = [await self._describe(card, row) for row in (prepared.dataset, prepared.draft) if row]
                if passed := await self._services.tuning.passed_over(corpus):
                    names = escape_markdown(", ".join(passed[:SHOWN]) + ("…" if passed[SHOWN:] else ""))
                    card.text(_("⚠️ Skipped, because it is not text in UTF-8: {files}", files=names))
                for problem in prepared.problems[:SHOWN]:
                    card.text(f"⚠️ {escape_markdown(problem)}")
                if prepared.problems:
                    card.row(_again(prepared.dataset.id))
                await reply.finish_card(card.layout(), files)

    async def _describe(self, card: Card, row: DatasetRow) -> tuple[str, bytes]:
        """A block for a dataset: its size, what the checker found, and what to do next; the report as a file."""
        tuning = self._services.tuning
        pairs = await tuning.pairs(row.id)
        report = await tuning.report(row.id)
        waiting = sum(not pair.decision for pair in await tuning.flagged(row.id))
        roles = ", ".join(
            _(sentence, n=count)
            for role, sentence in ROLES.items()
            if (count := sum(pair.role == role for pair in pairs))
        )
        kinds = [f"{len(findings)} × {_(kind)}" for kind, findings in report.by_kind().items()]
        found = f"⚠️ {', '.join(kinds[:SHOWN])}" if kinds else _("✅ The checker finds nothing.")
        head = ngettext("**{dataset}** · {n:,} pair", "**{dataset}** · {n:,} pairs", len(pairs), dataset=name_of(row))
        card.line().text("\n".join([head, roles, found, _("-# dataset {dataset}", dataset=row.id)]))
        name = f"report-{row.id}.txt"
        card.file(name)
        buttons = [ActionButton("ft-plan", row.id, label=_("Estimate"), emoji="🧮")]
        if waiting:
            buttons.insert(0, ActionButton("ft-review", row.id, label=_("Review {n:,}", n=waiting), emoji="🔎"))
        card.row(*buttons)
        return name, report.text.encode()


def _again(dataset_id: str) -> ActionButton:
    return ActionButton("ft-again", dataset_id, label=_("Try again"), emoji="🔁")
