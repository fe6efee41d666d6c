"""Honest dice: `roll 2d6+1` in an action is rolled by the bot, never by the model."""

import random
import re

from bot.core.errors import InputError

# What stands before the bot's own rolls in a turn; the scenarios tell the model to trust nothing else.
DICE_PROMPT = "Dice, rolled by the bot"
# More dice than a hand holds, and more sides than a die has, are a slip of the keyboard.
MOST_DICE, MOST_SIDES, MOST_BONUS, MOST_ROLLS = 20, 1_000, 1_000, 3

_ROLL = re.compile(r"\broll(?:s|ing)?\s+(?P<dice>\d*)d(?P<sides>\d+)\s*(?P<bonus>[+-]\s*\d+)?", re.I)


def rolled(text: str, chance: random.Random) -> str:
    """The rolls that `text` asks for, in words; empty where it asks for none.

    Raises `InputError` for dice that nobody has.
    """
    rolls = list(_ROLL.finditer(text))[:MOST_ROLLS]
    return f"{DICE_PROMPT}: {'; '.join(_roll(match, chance) for match in rolls)}" if rolls else ""


def _roll(match: re.Match[str], chance: random.Random) -> str:
    dice, sides = _number(match["dice"] or "1"), _number(match["sides"])
    bonus = (match["bonus"] or "").replace(" ", "")
    if not (1 <= dice <= MOST_DICE and 2 <= sides <= MOST_SIDES and _number(bonus[1:] or "0") <= MOST_BONUS):
        raise InputError(
            "I have up to {dice} dice of 2 to {sides:,} sides, with up to {bonus:,} added: roll 2d6+1.",
            dice=MOST_DICE,
            sides=MOST_SIDES,
            bonus=MOST_BONUS,
        )
    faces = [chance.randint(1, sides) for _ in range(dice)]
    total = sum(faces) + int(bonus or 0)
    parts = f" ({' + '.join(map(str, faces))}{f' {bonus[0]} {bonus[1:]}' if bonus else ''})"
    return f"{dice}d{sides}{bonus} = {total}{parts if dice > 1 or bonus else ''}"


def _number(digits: str) -> int:
    """`digits` as a number; more of them than any limit has are one number that is too large."""
    return int(digits) if len(digits) <= 6 else 10**6
