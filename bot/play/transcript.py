"""A story's path as Markdown, whole, for reading elsewhere."""

from collections.abc import Sequence
from datetime import UTC, datetime

from bot.play.scenarios import Frame
from bot.play.words import shown
from bot.storage.stories import Story
from bot.storage.turns import Turn


def transcript(story: Story, path: Sequence[Turn]) -> str:
    """The title, the opening, and each turn of `path`: who said what, the dice, and what came of it."""
    began = datetime.fromtimestamp(story.at, UTC)
    parts = [
        f"# {story.title}",
        f"*Begun on {began:%d %B %Y}, {len(path)} turns*",
        Frame.from_json(story.frame).opening,
    ]
    for turn in path:
        parts.append("\n".join(f"> {line}" for line in f"**{turn.player}**: {shown(turn)}".splitlines()))
        if turn.dice:
            parts.append(f"*{turn.dice}*")
        parts.append(turn.reply if turn.reply is not None else "*(not told)*")
    return "\n\n".join(parts) + "\n"
