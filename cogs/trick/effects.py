"""**Which examples matter?**: what each example of a trick does, and the buttons that drop those that do nothing."""

from collections.abc import Callable
from typing import Any

import discord

from bot.core.i18n import _, ngettext
from bot.server.trick_plan import ExampleEffect, Results
from bot.server.trick_runs import TrickRun
from bot.services import Services
from bot.ui.actions import ActionButton
from bot.ui.cards import Card
from cogs._access import managed_guild
from cogs._store_first import answer_privately, store_first
from cogs.trick.cards import example_line, trick_card


def add_effects(card: Card, run: TrickRun, results: Results) -> list[discord.ui.Item[Any]]:
    """Add a line for each example to `card`; returns the buttons to drop examples."""
    effects = results.effects
    card.text("\n".join(_line(effect, results) for effect in effects))
    if any(effect.tried < len(results.plan.tests) for effect in effects):
        card.text(_("-# An input gets the nearest examples, so not every example is tried on every input."))
    buttons: list[discord.ui.Item[Any]] = []
    if run.row.state == "done" and any(effect.is_idle for effect in effects):
        buttons.append(ActionButton("drop-idle", run.row.id, label=_("Drop the idle ones"), emoji="🧹"))
    if run.row.state == "done" and any(effect.is_harmful for effect in effects):
        buttons.append(ActionButton("drop-harmful", run.row.id, label=_("Drop the harmful ones"), emoji="🧹"))
    return buttons


def _line(effect: ExampleEffect, results: Results) -> str:
    """An example, whether it helps, harms or does nothing, and what it costs."""
    example = example_line(results.plan.trick.examples[effect.place])
    tokens = ngettext("{n:,} token a call", "{n:,} tokens a call", effect.tokens)
    return f"{effect.place + 1}. {example}\n-# {_verdict(effect)} · {tokens}"


def _verdict(effect: ExampleEffect) -> str:
    if effect.is_idle:
        return _("💤 **idle**: without it, every answer is the same")
    if effect.is_harmful:
        return _(
            "❌ **harmful**: without it, {better} of {n} answers are better and {worse} worse",
            better=effect.better,
            n=effect.tried,
            worse=effect.worse,
        )
    if effect.worse > effect.better:
        return _(
            "✅ **helps**: without it, {worse} of {n} answers are worse and {better} better",
            better=effect.better,
            n=effect.tried,
            worse=effect.worse,
        )
    return _(
        "🔀 without it, {changed} of {n} answers change, and the score does not",
        changed=effect.changed,
        n=effect.tried,
    )


class Effects:
    """The handlers of **Drop the idle ones** and **Drop the harmful ones**."""

    def __init__(self, services: Services) -> None:
        self._tricks, self._runs = services.tricks, services.trick_runs
        services.actions.register("drop-idle", self.drop_idle)
        services.actions.register("drop-harmful", self.drop_harmful)

    async def drop_idle(self, interaction: discord.Interaction[Any], run_id: str) -> None:
        """Make a version without the examples that change no answer."""
        await self._drop(interaction, run_id, lambda effect: effect.is_idle)

    async def drop_harmful(self, interaction: discord.Interaction[Any], run_id: str) -> None:
        """Make a version without the examples that make the answers worse."""
        await self._drop(interaction, run_id, lambda effect: effect.is_harmful)

    async def _drop(
        self, interaction: discord.Interaction[Any], run_id: str, is_dropped: Callable[[ExampleEffect], bool]
    ) -> None:
        run = await self._runs.find(run_id, managed_guild(interaction))
        places = {effect.place for effect in (await self._runs.results(run)).effects if is_dropped(effect)}
        dropping = self._tricks.drop_examples(run.guild_id, interaction.user.id, run.name, run.row.version, places)
        trick = await store_first(interaction, dropping, thinking=True)
        title = ngettext(
            "{name} without {n} example is version {version}",
            "{name} without {n} examples is version {version}",
            len(places),
            name=run.name,
            version=trick.version,
        )
        await answer_privately(interaction, view=trick_card(trick, title))
