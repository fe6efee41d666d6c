"""`/racing standings`: the season's table, from `racing/standings.jsonl`."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from bot.core.i18n import N_, _
from bot.ui.pictures import Picture, table_picture

PICTURE = "standings.png"
TITLE = N_("The 2023 Pod Racing season")
FILE = Path(__file__).resolve().parents[2] / "racing" / "standings.jsonl"


async def standings_picture() -> Picture:
    """Place over the season, pilot, pod, and the place in each race."""
    heads, rows = table()
    return await table_picture(PICTURE, heads, rows, _(TITLE))


@cache
def _entries() -> list[dict[str, Any]]:
    """The pilots in the order of the season, as the file has them."""
    return [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]


def table() -> tuple[list[str], list[list[str]]]:
    """The headings and the rows. A race has the first word of its name, so that five fit on a phone."""
    entries = _entries()
    races = list(entries[0]["places"])
    # Translators: heads of columns; a pod is what its pilot races in.
    heads = ["", _("Pilot"), _("Pod"), *(race.split()[0] for race in races)]
    rows = [
        [str(entry["season"]), entry["pilot"], entry["pod"], *(str(entry["places"][race]) for race in races)]
        for entry in entries
    ]
    return heads, rows


def winner() -> str:
    """A sentence for people who see no picture."""
    first, second = _entries()[:2]
    return _(
        "**{first}** won the cup in {pod}, before {second} in {other}.",
        first=first["pilot"],
        pod=first["pod"],
        second=second["pilot"],
        other=second["pod"],
    )
