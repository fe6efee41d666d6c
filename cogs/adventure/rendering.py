"""How a turn looks: the player's words, the answer, a small line, and the buttons under the newest turn."""

from typing import Any

import discord

from bot.answers.prompt_view import author
from bot.core.i18n import N_, _
from bot.core.text import MESSAGE_LIMIT, escape_markdown, shorten
from bot.play.action_parser import shown
from bot.play.interfaces import TurnView
from bot.play.records import OPEN, Turn
from bot.play.scenarios import Frame
from bot.ui.actions import ActionButton

# Characters of a player's words above the answer; all of them are in the transcript.
QUOTED = 300
# Players whose waiting turns are named under a story that has stopped, with some of their words.
WAITING = 80
PRESS = "turn"
ENDS = {
    "length": N_("cut off at the limit of its length"),
    "broken": N_("the connection broke off here"),
    "content_filter": N_("cut short by the provider's filter"),
}


def head(turn: Turn) -> str:
    """The player's words, and the dice, as they stand above the answer."""
    name = escape_markdown(turn.player)
    words = escape_markdown(shorten(shown(turn), QUOTED))
    dice = f"\n-# 🎲 {turn.dice.partition(': ')[2]}" if turn.dice else ""
    return f"**{name}** › {words}{dice}"


def text(scene: TurnView) -> tuple[str, bytes | None]:
    """What the message of a scene says, and all of the answer where the message cannot hold it."""
    turn, lines = scene.turn, [_waiting(scene)]
    if turn is None:
        lines = [f"**{escape_markdown(scene.story.title)}**", Frame.from_json(scene.story.frame).opening]
        return "\n".join([*lines, _waiting(scene)]).strip(), None
    if turn.reply is None:
        problem = _(scene.problem) or _("This turn has no answer yet.")
        return "\n".join([head(turn), f"-# ⚠ {problem}", *lines]).strip(), None
    parts = (author(turn.model), _("turn {n}", n=turn.depth), _(ENDS.get(turn.finish, "")))
    small = " · ".join(part for part in parts if part)
    under = "\n".join([f"-# {small}", *lines]).strip()
    room = MESSAGE_LIMIT - len(head(turn)) - len(under) - 2
    if len(turn.reply) <= room:
        return f"{head(turn)}\n{turn.reply}\n{under}", None
    note = "\n" + _("-# … the rest is in the file")
    return f"{head(turn)}\n{turn.reply[: room - len(note)].rstrip()}{note}\n{under}", turn.reply.encode()


def items(scene: TurnView) -> list[discord.ui.Item[Any]]:
    """The buttons under a scene; which turn they are for stands in each."""
    turn = scene.turn
    of = f"{scene.story.id}:{turn.id if turn else 0}"
    more = ActionButton(PRESS, f"{of}:more", label="⋯")
    if scene.stopped:
        pending = turn is not None and turn.state == OPEN
        row = [
            ActionButton(
                PRESS, f"{of}:push", label=_("Retry") if pending else _("Go on"), style=discord.ButtonStyle.primary
            ),
            ActionButton(PRESS, f"{of}:drop", label=_("Leave it out")),
            more,
        ]
    else:
        row = [
            ActionButton(PRESS, f"{of}:act", label=_("Act…"), style=discord.ButtonStyle.primary),
            ActionButton(PRESS, f"{of}:continue", label=_("Continue")),
            ActionButton(PRESS, f"{of}:undo", label=_("Undo"), disabled=turn is None),
            more,
        ]
        if turn and turn.prompt_id:
            row.insert(-1, ActionButton("prompt", turn.prompt_id, label=_("Prompt"), emoji="🔍"))
    return [*row, *_arrows(scene, of)]


def _arrows(scene: TurnView, of: str) -> list[ActionButton]:
    """◀ 2/3 ▶ through the tellings of a turn, on a row of their own; the last ▶ asks for one more."""
    if scene.turn is None or (scene.stopped and scene.count == 1):
        return []
    arrows = [
        ActionButton(PRESS, f"{of}:back", label="◀", disabled=scene.number == 1),
        ActionButton(PRESS, f"{of}:place", label=f"{scene.number}/{scene.count}", disabled=True),
        ActionButton(PRESS, f"{of}:forward", label="▶"),
    ]
    for arrow in arrows:
        arrow.row = 1
    return arrows


def _waiting(scene: TurnView) -> str:
    """Those who wait behind a story that has stopped."""
    return "\n".join(
        _("-# waiting: {turn}", turn=escape_markdown(f"{turn.player}: {shorten(shown(turn), WAITING)}"))
        for turn in scene.waiting
    )
