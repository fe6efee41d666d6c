"""A story's path as Markdown, whole, for reading elsewhere."""

from collections.abc import Sequence
from datetime import UTC, datetime

from bot.core.i18n import _, ngettext
from bot.play.action_parser import shown
from bot.play.scenarios import Frame
from bot.storage.stories import Story, Turn


def transcript(story: Story, path: Sequence[Turn]) -> str:
    """The title, the opening, and each turn of `path`: who said what, the dice, and what came of it."""
    began = datetime.fromtimestamp(story.at, UTC)
    parts = [
        f"# {story.title}",
        ngettext("*Begun on {date}, {n} turn*", "*Begun on {date}, {n} turns*", len(path), date=began.date()),
        Frame.from_json(story.frame).opening,
    ]
    for turn in path:
        parts.append("\n".join(f"> {line}" for line in f"**{turn.player}**: {shown(turn)}".splitlines()))
        if turn.dice:
            parts.append(_("*Dice, rolled by the bot: {rolls}*", rolls=turn.dice.partition(": ")[2]))
        parts.append(turn.reply if turn.reply is not None else _("*(not told)*"))
    return "\n\n".join(parts) + "\n"
