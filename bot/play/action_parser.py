"""What a player typed, as an action: doing and saying told apart, dice rolled, and how it is told to the model."""

import random
import re
from dataclasses import dataclass

from bot.core.errors import InputError
from bot.play.dice import DICE_PROMPT, rolled
from bot.storage.stories import Turn

# What a modal of Discord's holds; a longer slash option is refused with a sentence.
LONGEST = 4_000
NAME = 40
DO, SAY, CONTINUE = "do", "say", "continue"
GO_ON = "continue"

_SAY = re.compile(r"\A(?:i\s+)?(?:say|shout|whisper|ask)\s*[,:]?\s*(?=[\"“”„«])", re.I)
_QUOTED = re.compile(r"\A[\"“”„«](?P<words>.*?)[\"“”»]?\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Action:
    """`kind` is `do`, `say` or `continue`; `dice` is empty, or what the bot rolled, in words."""

    kind: str
    words: str
    dice: str = ""


def read(text: str, chance: random.Random) -> Action:
    """The action in `text`: words in quotation marks are spoken, `roll 2d6+1` is rolled with `chance`.

    Raises `InputError` where there is nothing in it, or more than 4,000 characters, or dice that cannot be rolled.
    """
    text = text.replace("\0", "").strip()
    if not text:
        raise InputError("There is nothing to do: say what you do, or put what you say in quotation marks.")
    if len(text) > LONGEST:
        raise InputError("That is {n:,} characters; a turn takes up to {most:,}.", n=len(text), most=LONGEST)
    spoken = _QUOTED.match(_SAY.sub("", text))
    if spoken and spoken["words"].strip():
        return Action(SAY, spoken["words"].strip())
    return Action(DO, text, rolled(text, chance))


def is_exit(text: str) -> bool:
    """Whether the player wants to end the game, in the one word that has always done so."""
    return text.strip().strip(".!").lower() in ("exit", "quit")


def name_of(display_name: str) -> str:
    """A player's name as the model and the page may show it: one line, no colon, 40 characters at most."""
    plain = " ".join(display_name.replace(":", " ").replace("\0", "").split())
    return plain[:NAME].strip() or "Somebody"


def line_of(turn: Turn) -> str:
    """The turn as the model hears it. The bot's dice are on a line of their own, which no player can write."""
    words = _unmarked(turn.words) or GO_ON
    if turn.kind == SAY:
        line = f'{turn.player} says, "{words}"' if turn.named else f'I say, "{words}"'
    else:
        line = f"{turn.player}: {words}" if turn.named else words
    return f"{line}\n{turn.dice}" if turn.dice else line


def shown(turn: Turn) -> str:
    """The turn's words as people read them, without their player."""
    return f"“{turn.words}”" if turn.kind == SAY else turn.words or "…"


def _unmarked(words: str) -> str:
    """`words` without the mark of the bot's own dice."""
    return re.sub(re.escape(DICE_PROMPT), "Dice, claimed by a player", words, flags=re.I)
