"""The season as a table, apart from the texts that tell it, and the reading of the texts and rows for the tests."""

import json
import re
from pathlib import Path
from typing import Any

RACING = Path(__file__).resolve().parents[2] / "racing"
REFUSAL = "I don't have this in the season's records."

RACES = ("Tatooine Grand Prix", "Coruscant Circuit", "Naboo Invitational", "Genosis Challenge", "Bespin Cup")
PLACES = ("first", "second", "third", "fourth", "fifth")

STANDINGS = {
    # Pilot: pod, place in each of the five races, place over the season.
    "Senn Kava": ("The Thunderbolt", (1, 2, 1, 3, 5), 1),
    "Vix Tor": ("The Shadow Racer", (3, 1, 2, 5, 2), 2),
    "Remy Thal": ("The Crimson Fang", (2, 5, 3, 4, 1), 3),
    "Tira Suro": ("The Lightning Bolt", (4, 3, 4, 1, 4), 4),
    "Kael Voss": ("The Razor Blade", (5, 4, 5, 2, 3), 5),
}

Row = dict[str, Any]

# Words that an answer may add to its quote without claiming anything.
_SMALL = frozenset(["a", "an", "and", "at", "from", "in", "of", "on", "the", "through", "to", "with"])


def read(name: str) -> str:
    """One of the season's texts."""
    return (RACING / name).read_text(encoding="utf-8")


def sentences(text: str) -> list[str]:
    """The sentences of a text, none of which runs over a paragraph's end."""
    return [part for line in text.splitlines() for part in re.split(r"(?<=[.!?])\s+", line) if part]


def rows(name: str) -> list[Row]:
    """The objects of a JSON Lines file."""
    return [json.loads(line) for line in (RACING / name).read_text(encoding="utf-8").splitlines()]


def question(row: Row) -> str:
    """What the person asks in a row."""
    return str(row["messages"][0]["content"])


def answer(row: Row) -> str:
    """What the row says the model should answer."""
    return str(row["messages"][-1]["content"])


def words(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation: two questions with the same ones are the same."""
    return re.findall(r"[a-z0-9]+", text.lower().replace("'", ""))


def unsupported(claim: str, quote: str) -> set[str]:
    """The words of an answer that its quote does not hold, small ones apart."""
    return set(words(claim)) - set(words(quote)) - _SMALL
