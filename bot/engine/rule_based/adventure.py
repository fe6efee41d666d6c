"""Plays the text adventure of the locked room, by rules."""

import re

from bot.engine.rule_based.parser import essence, play
from bot.engine.rule_based.prompt import Prompt

_GAME = re.compile(r"\b(?:text|interactive)[- ](?:based )?(?:adventure|fiction|game)\b|\badventure game\b", re.I)
_OTHER_WORK = re.compile(r"\bsummar(?:y|ise|ize)|\brecap\b", re.I)
# The setting must be the one that the hand-made world has; any other story needs a model.
_SETTING = ("table", "door")
# How a prompt begins the message that holds what happened before its turns.
SO_FAR = "What happened so far:"
# A memory of this world is a list of commands, not prose; nobody is to mistake it for a model's.
BY_RULES = "These commands, played by rules, lead here:"


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
    return play([line for said in prompt.said for line in _remembered(said)])


def memory(prompt: Prompt) -> str | None:
    """What to remember of this adventure: the commands that lead to where it stands. None for any other request.

    The players' lines begin with ">". What came before them must be nothing, or such a memory.
    """
    instructions = "\n".join(prompt.system)
    if not prompt.said or not _GAME.search(instructions) or "summarise" not in instructions.lower():
        return None
    told = prompt.said[-1]
    lines = [line[1:].strip() for line in told.splitlines() if line.startswith(">")]
    ours = BY_RULES in told or ("Nothing yet." in told and all(thing in told.lower() for thing in _SETTING))
    if not lines or not ours:
        return None
    return "\n".join([BY_RULES, *(f"- {command}" for command in essence([*_listed(told), *lines]))])


def _remembered(said: str) -> list[str]:
    """A line of the player's as it is; the message that holds a memory as the commands in it."""
    return _listed(said) if said.startswith(SO_FAR) else [said]


def _listed(text: str) -> list[str]:
    """The commands of a memory: the items that follow its heading without a gap."""
    commands = []
    for line in text.partition(f"{BY_RULES}\n")[2].splitlines():
        if not line.startswith("- "):
            break
        commands.append(line[2:])
    return commands
