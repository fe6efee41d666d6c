"""Parses what a player typed into an action (speech or deed), rolls dice, and builds the user message of a turn."""

import random
import re
from dataclasses import dataclass

from bot.core.errors import InputError
from bot.core.json_text import without_surrogates
from bot.storage.stories import Turn

# Characters that a field of Discord's modals takes; a longer slash option is refused with a sentence.
MAX_ACTION = 4_000
MAX_NAME = 40
DO, SAY, CONTINUE = "do", "say", "continue"
# The user message of a turn without words.
CONTINUE_PROMPT = "continue"
# The beginning of the line with the bot's own rolls; the scenarios tell the model to trust no other roll.
DICE_PROMPT = "Dice, rolled by the bot"
# Limits of one roll, and of the rolls in one action: more is a typing error.
MAX_DICE, MAX_SIDES, MAX_BONUS, MAX_ROLLS = 20, 1_000, 1_000, 3

_SAY = re.compile(r"\A(?:i\s+)?(?:say|shout|whisper|ask)\s*[,:]?\s*(?=[\"“”„«])", re.I)
_QUOTED = re.compile(r"\A[\"“”„«](?P<words>.*?)[\"“”»]?\Z", re.DOTALL)
_ROLL = re.compile(r"\broll(?:s|ing)?\s+(?P<dice>\d*)d(?P<sides>\d+)\s*(?P<bonus>[+-]\s*\d+)?", re.I)


@dataclass(frozen=True, slots=True)
class Action:
    """`kind` is `do`, `say` or `continue`; `dice` is the text of the bot's rolls, empty without one."""

    kind: str
    words: str
    dice: str = ""


def parse_action(text: str, rng: random.Random) -> Action:
    """Parse `text`: words in quotation marks are speech, `roll 2d6+1` is rolled with `rng`.

    Raises `InputError` for an empty text, more than 4,000 characters, or dice beyond the limits.
    """
    text = without_surrogates(text).replace("\0", "").strip()
    if not text:
        raise InputError("There is nothing to do: say what you do, or put what you say in quotation marks.")
    if len(text) > MAX_ACTION:
        raise InputError("That is {n:,} characters; a turn takes up to {most:,}.", n=len(text), most=MAX_ACTION)
    speech = _QUOTED.match(_SAY.sub("", text))
    if speech and speech["words"].strip():
        return Action(SAY, speech["words"].strip())
    return Action(DO, text, roll_dice(text, rng))


def is_exit(text: str) -> bool:
    """Whether the text is `exit` or `quit`, which end the story."""
    return text.strip().strip(".!").lower() in ("exit", "quit")


def player_name(display_name: str) -> str:
    """A name for the prompt and the message: one line, no colon, at most 40 characters, never empty."""
    plain = " ".join(without_surrogates(display_name).replace(":", " ").replace("\0", "").split())
    return plain[:MAX_NAME].strip() or "Somebody"


def user_message(turn: Turn) -> str:
    """The turn as a user message. The bot's rolls are on a last line whose mark is removed from players' words."""
    words = re.sub(re.escape(DICE_PROMPT), "Dice, claimed by a player", turn.words, flags=re.I) or CONTINUE_PROMPT
    if turn.kind == SAY:
        text = f'{turn.player} says, "{words}"' if turn.named else f'I say, "{words}"'
    else:
        text = f"{turn.player}: {words}" if turn.named else words
    return f"{text}\n{turn.dice}" if turn.dice else text


def display_words(turn: Turn) -> str:
    """The turn's words as people read them, without the player's name."""
    return f"“{turn.words}”" if turn.kind == SAY else turn.words or "…"


def roll_dice(text: str, rng: random.Random) -> str:
    """Roll each `roll NdS+B` in `text` and describe the results; empty where there is none.

    Raises `InputError` for dice beyond the limits.
    """
    rolls = list(_ROLL.finditer(text))[:MAX_ROLLS]
    return f"{DICE_PROMPT}: {'; '.join(_roll(match, rng) for match in rolls)}" if rolls else ""


def _roll(match: re.Match[str], rng: random.Random) -> str:
    dice, sides = _number(match["dice"] or "1"), _number(match["sides"])
    bonus = (match["bonus"] or "").replace(" ", "")
    if not (1 <= dice <= MAX_DICE and 2 <= sides <= MAX_SIDES and _number(bonus[1:] or "0") <= MAX_BONUS):
        raise InputError(
            "I have up to {dice} dice of 2 to {sides:,} sides, with up to {bonus:,} added: roll 2d6+1.",
            dice=MAX_DICE,
            sides=MAX_SIDES,
            bonus=MAX_BONUS,
        )
    results = [rng.randint(1, sides) for _ in range(dice)]
    total = sum(results) + int(bonus or 0)
    parts = f" ({' + '.join(map(str, results))}{f' {bonus[0]} {bonus[1:]}' if bonus else ''})"
    return f"{dice}d{sides}{bonus} = {total}{parts if dice > 1 or bonus else ''}"


def _number(digits: str) -> int:
    """`digits` as an integer; a million for more than six digits, which is above every limit."""
    return int(digits) if len(digits) <= 6 else 10**6
