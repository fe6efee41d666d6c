"""The cards of a trick and of a server's tricks."""

from collections.abc import Mapping, Sequence
from typing import Any

import discord
from discord import app_commands

from bot.answers.rendering import SIDE, pair_line
from bot.core.i18n import _, ngettext
from bot.core.text import code_block, escape_markdown, shorten
from bot.server.trick_form import MAX_EXAMPLES, Example, Trick
from bot.server.trick_tests import TrickTest
from bot.server.tricks import MAX_TRICKS
from bot.services import services_of
from bot.ui.actions import ActionButton
from bot.ui.cards import Card
from bot.ui.views import MAX_CHOICES, LayoutView


def new_trick_card(trick: Trick) -> LayoutView:
    """`trick_card` for a trick that was just added."""
    return trick_card(trick, _("This server has a new trick: {name}", name=trick.name))


def trick_card(trick: Trick, title: str = "", *buttons: discord.ui.Item[Any], notes: Sequence[str] = ()) -> LayoutView:
    """The card of a trick: the `notes` on what was done, the instruction and every example, shortened."""
    card = Card(title or trick.name)
    card.text("\n".join(notes))
    for message in trick.system:
        card.text(_("**What it should do**\n{instruction}", instruction=code_block(message["content"][:1_000])))
    if trick.before or trick.after:
        card.text(_("**How it is asked**\n{frame}", frame=code_block(trick.user_message("…")[:300])))
    lines = [f"{number}. {example_line(example)}" for number, example in enumerate(trick.examples, 1)]
    heading = _("**Examples, {n} of {most}**", n=len(lines), most=MAX_EXAMPLES)
    card.text("\n".join([heading, *lines]))
    card.text(
        _(
            "-# /trick use name:{name} · /trick example name:{name} adds one · /trick test run measures it",
            name=trick.name,
        )
    )
    return card.row(*buttons).layout()


def list_card(tricks: Mapping[str, Trick], waiting: int) -> LayoutView:
    """The tricks with their purpose, and a button to review `waiting` suggestions."""
    card = Card(_("Tricks of this server, {n} of {most}", n=len(tricks), most=MAX_TRICKS))
    if not tricks:
        card.text(_("None yet. A manager can teach me one with `/trick teach`."))
    lines = [
        f"**{name}** · {escape_markdown(shorten(trick.about, SIDE))} · "
        + ngettext("{n} example", "{n} examples", len(trick.examples))
        for name, trick in tricks.items()
    ]
    card.text("\n".join(lines))
    if waiting:
        label = ngettext("Review {n} suggestion", "Review {n} suggestions", waiting)
        card.row(ActionButton("review", label=label, emoji="📥", style=discord.ButtonStyle.primary))
    return card.layout()


def example_line(example: Example) -> str:
    """An example in one line, shortened."""
    return pair_line(example.given, example.wanted)


def answer_line(test: TrickTest, answer: str) -> str:
    """A test, and the answer to it, shortened."""
    answer = escape_markdown(shorten(answer, 100))
    return _("{test}\n-# The answer was: {answer}", test=pair_line(test.input, test.expected), answer=answer)


async def name_choices(interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
    """Autocomplete: the names of the server's tricks that contain what was typed."""
    names, typed = await services_of(interaction.client).tricks.names(interaction.guild_id), typed.strip().casefold()
    return [app_commands.Choice(name=name, value=name) for name in names if typed in name][:MAX_CHOICES]
