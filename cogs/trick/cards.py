"""A server's tricks as cards."""

from collections.abc import Mapping

import discord

from bot.core.i18n import _, ngettext
from bot.core.text import code_block, escape_markdown, shorten
from bot.server.trick import Trick
from bot.server.tricks import MOST_EXAMPLES, MOST_TRICKS, Suggestion
from bot.ui.actions import ActionButton
from bot.ui.cards import Card
from bot.ui.views import LayoutView

# Characters of each side of an example: twenty examples fit into one card.
SIDE = 70
# Characters of a suggestion's texts: two of them and the instruction fit into one card.
LONG_SIDE = 1_200


def new_trick_card(trick: Trick) -> LayoutView:
    """The same for a trick that was not there before."""
    return trick_card(trick, _("This server has a new trick: {name}", name=trick.name))


def trick_card(trick: Trick, title: str = "") -> LayoutView:
    """The instruction and every example, in short."""
    card = Card(title or trick.name)
    for message in trick.system:
        card.text(_("**What it should do**\n{instruction}", instruction=code_block(message["content"][:1_000])))
    if trick.before or trick.after:
        card.text(_("**How it is asked**\n{frame}", frame=code_block(trick.framed("…")[:300])))
    lines = [
        f"{number}. {_plain(example.given)} → {_plain(example.wanted)}"
        for number, example in enumerate(trick.examples, 1)
    ]
    heading = _("**Examples, {n} of {most}**", n=len(lines), most=MOST_EXAMPLES)
    card.text("\n".join([heading, *lines]))
    card.text(
        _(
            "-# /trick use name:{name} · /trick example name:{name} adds one · /trick test measures it",
            name=trick.name,
        )
    )
    return card.layout()


def list_card(tricks: Mapping[str, Trick], waiting: int) -> LayoutView:
    """The tricks with their purpose; to managers a button for what was suggested."""
    card = Card(_("Tricks of this server, {n} of {most}", n=len(tricks), most=MOST_TRICKS))
    if not tricks:
        card.text(_("None yet. A manager can teach me one with `/trick teach`."))
    lines = [
        f"**{name}** · {_plain(trick.about)} · " + ngettext("{n} example", "{n} examples", len(trick.examples))
        for name, trick in tricks.items()
    ]
    card.text("\n".join(lines))
    if waiting:
        label = ngettext("Review {n} suggestion", "Review {n} suggestions", waiting)
        card.row(ActionButton("review", label=label, emoji="📥", style=discord.ButtonStyle.primary))
    return card.layout()


def suggestion_card(suggestion: Suggestion, waiting: int) -> LayoutView:
    """A correction that a member suggests, with the buttons to decide; `waiting` counts those that come after it."""
    card = Card(_("A correction is suggested"))
    card.text(_("From {member}, for **{name}**", member=f"<@{suggestion.user_id}>", name=suggestion.trick.name))
    card.text(_("**Input**\n{text}", text=code_block(suggestion.example.given[:LONG_SIDE])))
    card.text(_("**The answer it should get**\n{text}", text=code_block(suggestion.example.wanted[:LONG_SIDE])))
    card.row(
        ActionButton("suggestion-take", suggestion.id, label=_("Accept"), style=discord.ButtonStyle.success),
        ActionButton("suggestion-drop", suggestion.id, label=_("Drop"), style=discord.ButtonStyle.danger),
    )
    if waiting:
        card.text(_("-# {n} more after this one", n=waiting))
    return card.layout()


def _plain(text: str) -> str:
    return escape_markdown(shorten(text, SIDE))
