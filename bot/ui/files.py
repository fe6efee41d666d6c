"""Files that the bot sends."""

from collections.abc import Sequence
from io import BytesIO

import discord

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
# Name and bytes of a file, and for pictures a description (alt text). A `bot.ui.pictures.Picture` is one.
OutgoingFile = tuple[str, bytes] | tuple[str, bytes, str]


def to_files(files: Sequence[OutgoingFile]) -> list[discord.File]:
    """The files for discord.py. Raises `ValueError` for a picture without a description."""
    made = []
    for name, data, *rest in files:
        description = next(iter(rest), None)
        if not description and name.endswith(PICTURE_SUFFIXES):
            raise ValueError(f"the picture {name} has no description")
        made.append(discord.File(BytesIO(data), name, description=description))
    return made
