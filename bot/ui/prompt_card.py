"""The prompt behind an answer as a card: the messages as sent, and what they took."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import discord

from bot.core.text import fenced
from bot.ui.actions import ActionButton
from bot.ui.cards import Card
from bot.ui.safe import Layout

# A message longer than its share of the card is shortened; the file beside the card has all of it.
SHARE = 3_200
Files = Sequence[tuple[str, bytes]]


def prompt_card(
    technique: str,
    messages: Sequence[Mapping[str, str]],
    figures: Sequence[str],
    *,
    parameters: Mapping[str, Any],
    title: str = "Prompt",
    buttons: Sequence[discord.ui.Item[Any]] = (),
) -> tuple[Layout, Files]:
    """The card, and the whole prompt as a file where the card had to shorten it.

    `figures` are short phrases for the last line: model, tokens, price, time.
    """
    card = Card(f"{title} · {technique}")
    share = max(SHARE // max(len(messages), 1), 120)
    shortened = False
    for number, message in enumerate(messages):
        content = message["content"]
        shown = content if len(content) <= share else content[:share].rstrip() + " …"
        before = card.room
        if before < len(shown) + 60:
            shortened = True
            card.text(f"*… and {len(messages) - number} more messages*")
            break
        shortened |= shown != content
        card.text(f"**{_label(messages, number)}**\n{fenced(shown)}")
    files: Files = ()
    if shortened:
        whole = {**parameters, "messages": [dict(message) for message in messages]}
        files = [("prompt.json", json.dumps(whole, ensure_ascii=False, indent=2).encode())]
        card.file("prompt.json")
    settings = [f"{name} {json.dumps(value, ensure_ascii=False)[:60]}" for name, value in sorted(parameters.items())]
    card.text("-# " + " · ".join([*figures, *settings]))
    return card.row(*buttons).layout(), files


def no_model_card(technique: str, messages: Sequence[Mapping[str, str]]) -> tuple[Layout, Files]:
    """Where no model is connected: exactly what would be sent, and the way to connect one."""
    return prompt_card(
        technique,
        messages,
        ["Stand-in · no model connected"],
        parameters={},
        title="No model connected. This is exactly what I would send",
        buttons=[ActionButton("connect", label="Connect a model", emoji="🔌")],
    )


def _label(messages: Sequence[Mapping[str, str]], number: int) -> str:
    """A message's role; those of an example pair say which example they are."""
    role = messages[number]["role"]
    last = len(messages) - 1
    if role in ("system", "developer") or (number == last and role == "user"):
        return role
    earlier = sum(1 for message in messages[: number + 1] if message["role"] == "user")
    return f"{role} · example {earlier}"
