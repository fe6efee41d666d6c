"""Preparing a dataset: the one that ships with a corpus, or one that the model writes; with the checker's report."""

from typing import Any

import discord

from bot.core.speech import N_, _, ngettext
from bot.rendering import bar
from bot.services import Services
from bot.tuning.prepare import name_of
from bot.tuning.records import DatasetRow
from bot.ui.actions import ActionButton
from bot.ui.cards import Card
from bot.ui.reply import AnswerDeletedError, Reply

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
        with self._services.work.on(interaction):
            async with Reply(interaction, private=True) as reply:

                def progress(done: int, total: int) -> None:
                    asking = _("Asking the model about the texts of **{corpus}**", corpus=corpus)
                    reply.show(f"{asking}\n{bar(done, total)}", writing=False)

                try:
                    prepared = await self._services.tuning.prepare(corpus, interaction.user.id, size, progress)
                except AnswerDeletedError:
                    return
                card = Card(_("Prepared · {corpus}", corpus=corpus))
                if not prepared.new:
                    card.text(_("-# It was made before, from the same texts."))
                files = [await self._describe(card, row) for row in (prepared.dataset, prepared.draft) if row]
                if passed := await self._services.tuning.passed_over(corpus):
                    names = discord.utils.escape_markdown(", ".join(passed[:SHOWN]) + ("…" if passed[SHOWN:] else ""))
                    card.text(_("⚠️ Passed over, since it is no text in UTF-8: {files}", files=names))
                for problem in prepared.problems[:SHOWN]:
                    card.text(f"⚠️ {discord.utils.escape_markdown(problem)}")
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
