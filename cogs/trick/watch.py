"""Model watch: a card for managers about what the tests say when another model answers, with a way back."""

import asyncio
import contextvars
import logging
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

import discord
from discord.ext import commands

from bot.answers.rendering import price
from bot.core.i18n import N_, _, format_number, ngettext, use_locale
from bot.core.text import escape_markdown, shorten
from bot.server.model_watch import SERVER_PLACE, Change, Difference, Report, digest
from bot.server.trick_plan import total
from bot.server.trick_tests import TrickTest
from bot.services import Services
from bot.ui.actions import ActionButton
from bot.ui.cards import Card
from bot.ui.errors import TEMPORARY_ERRORS
from bot.ui.locale import locale_of_guild
from bot.ui.views import LayoutView
from cogs._access import managed_guild
from cogs._store_first import answer_privately, store_first
from cogs.trick.cards import answer_line

_log = logging.getLogger(__name__)
# Seconds between two checks of the models of all servers. A server whose settings change is checked at once.
CHECK_INTERVAL = 600.0
USE = "model-use"
# The longest name of a model that fits into a button's custom id.
MAX_ARGUMENT = 70
# Changed answers of a trick on a card; the rest is counted.
MAX_SHOWN = 5
TITLES = {
    "model": N_("{new} answers here now, and not {old}"),
    "channels": N_("{new} answers in {channels} now, and not {old}"),
    "version": N_("{new} answers as another version: {detail}"),
    "shutdown": N_("{old} will be shut down on {detail}"),
}


def report_card(report: Report, most: Decimal, *, may_go_back: bool) -> LayoutView:
    """What got better and what broke. With `may_go_back`, a button chooses the model that can be chosen instead."""
    change = report.change
    old, new = escape_markdown(change.old_shown), escape_markdown(change.new_shown)
    channels = "" if SERVER_PLACE in change.places else ", ".join(f"<#{place}>" for place in change.places[:MAX_SHOWN])
    title = TITLES["channels" if channels and change.why == "model" else change.why]
    card = Card(_(title, old=old, new=new, channels=channels, detail=escape_markdown(change.detail)))
    if change.why == "shutdown" and report.differences:
        card.text(_("The tests of this server ran on {new}, which can be chosen instead.", new=new))
    if report.refused is not None:
        card.text(
            ngettext(
                "⚠️ The tests were not run: {n:,} call takes about {price}, and the operator allows {most}.",
                "⚠️ The tests were not run: {n:,} calls take about {price}, and the operator allows {most}.",
                report.refused.calls,
                price=price(report.refused.price),
                most=price(most),
            )
        )
    for difference in report.differences:
        card.text("\n".join(_lines(difference)))
    if report.problem:
        card.text(_("⚠️ Not all tests were run: {problem}", problem=report.problem))
    if report.asked:
        tokens, usd = total(report.asked)
        card.text(f"-# {ngettext('{n:,} token', '{n:,} tokens', tokens)} · {price(usd)}")
    if may_go_back:
        card.row(_button(change))
    return card.layout()


def _button(change: Change) -> ActionButton:
    argument = f"{digest(change.replaced)}:{change.other}"
    if change.why == "shutdown":
        return ActionButton(USE, argument, label=shorten(_("Use {model}", model=change.new_shown), 80))
    return ActionButton(USE, argument, label=shorten(_("Use {model} again", model=change.old_shown), 80), emoji="↩️")


def _lines(difference: Difference) -> list[str]:
    """How many tests of a trick were and are right, and those that changed."""
    name, both = difference.name, difference.both
    if not both:
        right = difference.right(difference.now, difference.tests)
        return [
            ngettext(
                "**{name}** {right:,} of {n:,} test right; no earlier answer of this version is stored",
                "**{name}** {right:,} of {n:,} tests right; no earlier answer of this version is stored",
                len(difference.tests),
                name=name,
                right=right,
            )
        ]
    before, now = (difference.right(cells, both) for cells in (difference.earlier, difference.now))
    head = ngettext(
        "**{name}** of {n:,} test, {before} right before → {now} right now",
        "**{name}** of {n:,} tests, {before} right before → {now} right now",
        len(both),
        name=name,
        before=format_number(before, ","),
        now=format_number(now, ","),
    )
    return [head, *_changed("❌", difference, difference.broken), *_changed("✅", difference, difference.better)]


def _changed(mark: str, difference: Difference, tests: Sequence[TrickTest]) -> list[str]:
    """Tests with another result, and what the model says now."""
    shown = [(test, difference.now[test.id]) for test in tests[:MAX_SHOWN]]
    lines = [f"{mark} {answer_line(test, cell.answer or cell.problem)}" for test, cell in shown]
    if len(tests) > MAX_SHOWN:
        lines.append(f"{mark} " + _("… and {n} more", n=len(tests) - MAX_SHOWN))
    return lines


class Watch:
    """Checks the models of all servers with a channel for reports, one server after another."""

    def __init__(self, bot: commands.Bot, services: Services) -> None:
        self._bot, self._services, self._watch = bot, services, services.model_watch
        self._task: asyncio.Task[None] | None = None
        self._changed: set[discord.Guild] = set()
        self._has_changed = asyncio.Event()
        services.actions.register(USE, self.use)

    def begin(self) -> None:
        """Start the watch if MODEL_WATCH_USD is above 0."""
        if self._watch.most_usd:
            self._services.guilds.on_change = self._note
            self._task = contextvars.Context().run(asyncio.create_task, self._run())

    async def end(self) -> None:
        """Stop the watch. Tests that are running go on at the next start."""
        if self._task is not None:
            self._services.guilds.on_change = None
            self._task.cancel()
            await asyncio.wait([self._task])

    def _note(self, guild_id: int) -> None:
        """Note that the settings of a server were changed."""
        if (guild := self._bot.get_guild(guild_id)) is not None:
            self._changed.add(guild)
            self._has_changed.set()

    async def _run(self) -> None:
        await self._bot.wait_until_ready()
        while True:
            await self._check_each(self._bot.guilds)
            next_time = asyncio.get_running_loop().time() + CHECK_INTERVAL
            while changed := await self._changed_until(next_time):
                await self._check_each(changed)

    async def _changed_until(self, end: float) -> list[discord.Guild]:
        """The servers whose settings were changed, as soon as there are any; none at `end`, on the loop's clock."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(end):
                await self._has_changed.wait()
        changed = list(self._changed)
        self._changed.clear()
        self._has_changed.clear()
        return changed

    async def _check_each(self, guilds: Sequence[discord.Guild]) -> None:
        for guild in list(guilds):
            with use_locale(locale_of_guild(self._bot, guild)):
                try:
                    await self._check(guild)
                except TEMPORARY_ERRORS as error:  # Tried again after the interval.
                    _log.warning("the model watch of the server %d could not run: %s", guild.id, error)

    async def _check(self, guild: discord.Guild) -> None:
        """Run the tests of a server where its model has changed, and post the card."""
        channel = guild.get_channel(self._services.guilds.of(guild.id).report_channel or 0)
        if not isinstance(channel, discord.TextChannel) or not channel.permissions_for(guild.me).send_messages:
            return
        report = await self._watch.check(guild.id, channel.id)
        if report is None:
            return
        change = report.change
        if report.differences or report.refused or report.problem or change.why == "shutdown":
            card = report_card(report, self._watch.most_usd, may_go_back=self._may_use(guild.id, change))
            # Discord ignores a second message with the same nonce for some minutes.
            await channel.send(view=card, nonce=f"{change.at:.6f}"[-25:])
        await self._watch.end(guild.id)

    def _may_use(self, guild_id: int, change: Change) -> bool:
        """Whether the other model of a change can be chosen."""
        names = [model.name for model in self._services.chat_models.allowed(guild_id)]
        return change.other in names and len(change.other) <= MAX_ARGUMENT

    async def use(self, interaction: discord.Interaction[Any], argument: str) -> None:
        """Make a model the default where another one is."""
        replaced, _colon, name = argument.partition(":")
        using = self._watch.use(managed_guild(interaction), name, replaced)
        model = await store_first(interaction, using, thinking=True)
        await answer_privately(interaction, content=_("{model} answers here now.", model=escape_markdown(model.shown)))
