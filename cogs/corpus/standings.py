"""The season's table: read from the file beside its texts, and drawn."""

import json
from functools import cache
from pathlib import Path

from bot.ui.charts import table_picture

TITLE = "The 2023 Pod Racing season"
FILE = Path(__file__).resolve().parents[2] / "racing" / "standings.jsonl"


async def standings_picture() -> bytes:
    """A PNG: place over the season, pilot, pod, and the place in each race."""
    heads, rows = table()
    return await table_picture(heads, rows, TITLE)


@cache
def table() -> tuple[list[str], list[list[str]]]:
    """The heads and the rows. A race goes by the first word of its name, so that five of them fit on a phone."""
    entries = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
    races = list(entries[0]["places"])
    heads = ["", "Pilot", "Pod", *(race.split()[0] for race in races)]
    rows = [
        [str(entry["season"]), entry["pilot"], entry["pod"], *(str(entry["places"][race]) for race in races)]
        for entry in entries
    ]
    return heads, rows


def winner() -> str:
    """A sentence that says the same to those who see no picture."""
    _, rows = table()
    first, second = rows[0], rows[1]
    return f"**{first[1]}** won the cup in {first[2]}, before {second[1]} in {second[2]}."
