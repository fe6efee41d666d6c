"""The prompt behind an answer as a card: the messages as sent, and what they took."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import discord

from bot.core.i18n import N_, _, ngettext, pgettext
from bot.core.text import close_markup, code_block
from bot.ui.actions import ActionButton
from bot.ui.cards import Card
from bot.ui.reply import OutgoingFile
from bot.ui.views import LayoutView

# A message longer than its share of the card is shortened; the file beside the card has all of it.
SHARE = 3_200
# Characters of an answer above its prompt; the whole answer stands in its own message.
ANSWER = 1_000
PROMPT = N_("Prompt")
# Messages on a card: a card takes 40 components, and its buttons need a dozen of them.
MOST = 20
Files = Sequence[OutgoingFile]


def prompt_card(
    technique: str,
    messages: Sequence[Mapping[str, str]],
    figures: Sequence[str],
    *,
    parameters: Mapping[str, Any],
    examples: int | None = None,
    title: str = "",
    answer: str = "",
    rows: Sequence[Sequence[discord.ui.Item[Any]]] = (),
) -> tuple[LayoutView, Files]:
    """The card, and the whole prompt as a file where the card had to shorten it.

    `technique` is one of `bot.llm.request.TECHNIQUES`. `figures` are short phrases for the last line: model, tokens,
    price, time. So many of the first pairs are `examples` (None: all), the rest is what was really said. `answer`
    stands above the messages; `rows` are buttons below them.
    """
    card = Card(f"{title or _(PROMPT)} · {_(technique)}")
    if answer:
        card.text(close_markup(answer[:ANSWER]) + (" …" if len(answer) > ANSWER else "")).line()
    share = max((SHARE - min(len(answer), ANSWER)) // max(len(messages), 1), 120)
    shortened = False
    for number, message in enumerate(messages):
        content = message["content"]
        shown = content if len(content) <= share else content[:share].rstrip() + " …"
        block = f"**{_label(messages, number, examples)}**\n{code_block(shown)}"
        if card.remaining < len(block) + 40 or number == MOST:
            shortened = True
            left = len(messages) - number
            card.text(ngettext("*… and {n} more message*", "*… and {n} more messages*", left))
            break
        shortened |= shown != content
        card.text(block)
    files: Files = ()
    if shortened:
        whole = {**parameters, "messages": [dict(message) for message in messages]}
        files = [("prompt.json", json.dumps(whole, ensure_ascii=False, indent=2).encode())]
        card.file("prompt.json")
    settings = [f"{name} {json.dumps(value, ensure_ascii=False)[:60]}" for name, value in sorted(parameters.items())]
    card.text("-# " + " · ".join([*figures, *settings]))
    for row in rows:
        card.row(*row)
    return card.layout(), files


def ladder(prompt_id: str, examples: int, rung: str = "", *, tuned: bool) -> list[discord.ui.Item[Any]]:
    """`0 · 1 · 3 · All · Tuned` for a prompt with so many `examples`; the `rung` at hand stands out."""
    rungs = [("0", "0", True), ("1", "1", examples >= 1), ("3", "3", examples >= 3)]
    rungs += [("all", pgettext("examples", "All"), examples >= 1)]
    rungs.append(("tuned", pgettext("model", "Tuned"), tuned))
    return [
        ActionButton(
            "rung",
            f"{prompt_id}:{name}",
            label=label,
            disabled=not possible,
            style=discord.ButtonStyle.primary if name == rung else discord.ButtonStyle.secondary,
        )
        for name, label, possible in rungs
    ]


def _label(messages: Sequence[Mapping[str, str]], number: int, examples: int | None) -> str:
    """A message's role; those of an example pair say which example they are."""
    role = messages[number]["role"]
    last = len(messages) - 1
    if role in ("system", "developer") or (number == last and role == "user"):
        return role
    earlier = sum(1 for message in messages[: number + 1] if message["role"] == "user")
    if examples is not None and earlier > examples:
        return role
    return _("{role} · example {n}", role=role, n=earlier)
