"""A server's tricks as cards."""

from collections.abc import Mapping

import discord

from bot.core.text import fenced, shorten
from bot.server.trick import Trick
from bot.server.tricks import MOST_EXAMPLES, MOST_TRICKS, Suggestion
from bot.ui.actions import ActionButton
from bot.ui.cards import Card
from bot.ui.safe import Layout

# Characters of each side of an example: twenty examples fit into one card.
SIDE = 70
# Characters of a suggestion's texts: two of them and the instruction fit into one card.
LONG_SIDE = 1_200


def trick_card(trick: Trick, title: str = "") -> Layout:
    """The instruction and every example, in short."""
    card = Card(f"{title}: {trick.name}" if title else trick.name)
    for message in trick.system:
        card.text(f"**What it should do**\n{fenced(message['content'][:1_000])}")
    if trick.before or trick.after:
        card.text(f"**How it is asked**\n{fenced(trick.framed('…')[:300])}")
    lines = [
        f"{number}. {_plain(example.given)} → {_plain(example.wanted)}"
        for number, example in enumerate(trick.examples, 1)
    ]
    card.text(f"**Examples, {len(lines)} of {MOST_EXAMPLES}**\n" + "\n".join(lines))
    card.text(f"-# /trick use name:{trick.name} · /trick example name:{trick.name} adds one · /trick test measures it")
    return card.layout()


def list_card(tricks: Mapping[str, Trick], waiting: int) -> Layout:
    """The tricks with their purpose; to managers a button for what was suggested."""
    card = Card(f"Tricks of this server, {len(tricks)} of {MOST_TRICKS}")
    if not tricks:
        card.text("None yet. A manager can teach me one with `/trick teach`.")
    lines = [
        f"**{name}** · {_plain(trick.about)} · {len(trick.examples)} example{'s' * (len(trick.examples) != 1)}"
        for name, trick in tricks.items()
    ]
    card.text("\n".join(lines))
    if waiting:
        label = f"Review {waiting} suggestion{'s' * (waiting != 1)}"
        card.row(ActionButton("review", label=label, emoji="📥", style=discord.ButtonStyle.primary))
    return card.layout()


def suggestion_card(suggestion: Suggestion, waiting: int) -> Layout:
    """A correction that a member suggests, with the buttons to decide; `waiting` counts those that come after it."""
    card = Card("A correction is suggested")
    card.text(f"From <@{suggestion.user_id}>, for **{suggestion.trick.name}**")
    card.text(f"**Input**\n{fenced(suggestion.example.given[:LONG_SIDE])}")
    card.text(f"**The answer it should get**\n{fenced(suggestion.example.wanted[:LONG_SIDE])}")
    card.row(
        ActionButton("suggestion-take", suggestion.id, label="Accept", style=discord.ButtonStyle.success),
        ActionButton("suggestion-drop", suggestion.id, label="Drop", style=discord.ButtonStyle.danger),
    )
    return card.text(f"-# {waiting} more after this one" if waiting else "").layout()


def _plain(text: str) -> str:
    return discord.utils.escape_markdown(shorten(text, SIDE))
