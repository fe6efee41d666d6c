"""A turn as text and buttons, and a story as Markdown."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import discord

from bot.answers.prompt_view import UNFINISHED, author
from bot.core.i18n import N_, _, ngettext
from bot.core.text import MESSAGE_LIMIT, escape_markdown, shorten
from bot.play import OPEN, Story, Turn
from bot.play.action_parser import display_words
from bot.play.history import BACK, FORWARD, RESUME, SKIP, UNDO
from bot.play.scenarios import Frame
from bot.play.turn_queue import TurnView
from bot.ui.actions import ActionButton

# Characters of a player's words above the reply; the transcript has all of them.
MAX_QUOTE = 300
# Characters of each waiting turn that a stopped story lists.
MAX_WAITING_QUOTE = 80
# The action of every button under a turn. Its argument is STORY:TURN:VERB, with 0 for the opening.
TURN_ACTION = "turn"
# In a story, nobody asks again for the rest of an answer.
FINISH_NOTES = {**UNFINISHED, "broken": N_("the connection broke off here")}


def heading(turn: Turn) -> str:
    """The player's name and words, and the dice, above the reply."""
    name = escape_markdown(turn.player)
    words = escape_markdown(shorten(display_words(turn), MAX_QUOTE))
    dice = f"\n-# 🎲 {turn.dice.partition(': ')[2]}" if turn.dice else ""
    return f"**{name}** › {words}{dice}"


def text(view: TurnView) -> tuple[str, bytes | None]:
    """The content of a turn's message, and the whole reply as a file where the message cannot contain it."""
    turn = view.turn
    waiting = "\n".join(
        _(
            "-# waiting: {turn}",
            turn=escape_markdown(f"{one.player}: {shorten(display_words(one), MAX_WAITING_QUOTE)}"),
        )
        for one in view.waiting
    )
    if turn is None:
        title = escape_markdown(view.story.title)
        return f"**{title}**\n{Frame.from_json(view.story.frame).opening}\n{waiting}".strip(), None
    if turn.reply is None:
        problem = _(view.problem) or _("This turn has no answer yet.")
        return f"{heading(turn)}\n-# ⚠ {problem}\n{waiting}".strip(), None
    parts = (author(turn.model), _("turn {n}", n=turn.depth), _(FINISH_NOTES.get(turn.finish, "")))
    footer = f"-# {' · '.join(part for part in parts if part)}\n{waiting}".strip()
    left = MESSAGE_LIMIT - len(heading(turn)) - len(footer) - 2
    if len(turn.reply) <= left:
        return f"{heading(turn)}\n{turn.reply}\n{footer}", None
    note = "\n" + _("-# … the rest is in the file")
    return f"{heading(turn)}\n{turn.reply[: left - len(note)].rstrip()}{note}\n{footer}", turn.reply.encode()


def buttons(view: TurnView) -> list[discord.ui.Item[Any]]:
    """The buttons under a turn; each names its turn in the custom id."""
    turn = view.turn
    prefix = f"{view.story.id}:{turn.id if turn else 0}"
    more = ActionButton(TURN_ACTION, f"{prefix}:more", label="⋯")
    primary = discord.ButtonStyle.primary
    if view.stopped:
        is_open = turn is not None and turn.state == OPEN
        row = [
            ActionButton(TURN_ACTION, f"{prefix}:{RESUME}", label=_("Retry") if is_open else _("Go on"), style=primary),
            ActionButton(TURN_ACTION, f"{prefix}:{SKIP}", label=_("Leave it out")),
            more,
        ]
    else:
        row = [
            ActionButton(TURN_ACTION, f"{prefix}:act", label=_("Act…"), style=primary),
            ActionButton(TURN_ACTION, f"{prefix}:continue", label=_("Continue")),
            ActionButton(TURN_ACTION, f"{prefix}:{UNDO}", label=_("Undo"), disabled=turn is None),
            more,
        ]
        if turn and turn.prompt_id:
            row.insert(-1, ActionButton("prompt", turn.prompt_id, label=_("Prompt"), emoji="🔍"))
    return [*row, *_arrows(view, prefix)]


def first_button_id(view: TurnView) -> str:
    """The custom id of the first button under a turn: it differs between turns, and while the story is stopped."""
    first = buttons(view)[0]
    assert isinstance(first, ActionButton)
    return first.custom_id


def _arrows(view: TurnView, prefix: str) -> list[ActionButton]:
    """◀ 2/3 ▶ through a turn's siblings, on a second row; the last ▶ asks the model for one more."""
    if view.turn is None or (view.stopped and view.count == 1):
        return []
    arrows = [
        ActionButton(TURN_ACTION, f"{prefix}:{BACK}", label="◀", disabled=view.number == 1),
        ActionButton(TURN_ACTION, f"{prefix}:place", label=f"{view.number}/{view.count}", disabled=True),
        ActionButton(TURN_ACTION, f"{prefix}:{FORWARD}", label="▶"),
    ]
    for arrow in arrows:
        arrow.row = 1
    return arrows


def transcript(story: Story, path: Sequence[Turn]) -> str:
    """The title, the opening, and each turn of `path`: the player's words, the dice, and the whole reply."""
    began = datetime.fromtimestamp(story.at, UTC)
    parts = [
        f"# {story.title}",
        ngettext("*Begun on {date}, {n} turn*", "*Begun on {date}, {n} turns*", len(path), date=began.date()),
        Frame.from_json(story.frame).opening,
    ]
    for turn in path:
        parts.append("\n".join(f"> {line}" for line in f"**{turn.player}**: {display_words(turn)}".splitlines()))
        if turn.dice:
            parts.append(_("*Dice, rolled by the bot: {rolls}*", rolls=turn.dice.partition(": ")[2]))
        parts.append(turn.reply if turn.reply is not None else _("*(not written)*"))
    return "\n\n".join(parts) + "\n"
