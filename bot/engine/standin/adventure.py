"""Plays the text adventure of the locked room, by rules."""

import re

from bot.engine.standin.parser import play
from bot.engine.standin.prompt import Prompt

_GAME = re.compile(r"\b(?:text|interactive)[- ](?:based )?(?:adventure|fiction|game)\b|\badventure game\b", re.I)
_OTHER_WORK = re.compile(r"\bsummar(?:y|ise|ize)", re.I)
# The setting must be the one that the hand-made world has; any other story needs a model.
_SETTING = ("table", "door")


def reply(prompt: Prompt) -> str | None:
    """The world's answer to the last line, or None where the prompt is not this adventure.

    Every line that the user said is played in order, the examples' lines too: they only look around,
    try the locked door and check the pockets, which changes nothing.
    """
    instructions = "\n".join(prompt.system)
    if not prompt.said or not _GAME.search(instructions) or _OTHER_WORK.search(prompt.system[-1]):
        return None
    setting = f"{instructions}\n{' '.join(prompt.shown)}".lower()
    if not all(thing in setting for thing in _SETTING):
        return None
    return play(list(prompt.said))
