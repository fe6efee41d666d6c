"""Files that people upload: size and kind are checked before the text is used."""

import asyncio

import discord

from bot.core import tables
from bot.core.errors import InputError
from bot.core.text import escape_markdown

MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"PK\x03\x04", b"%PDF", b"\x1f\x8b", b"RIFF")


async def read_text(file: discord.Attachment, *, max_bytes: int) -> str:
    """The text of an uploaded file of at most `max_bytes` bytes, in any encoding that `tables.decode` reads.

    Raises `InputError` that says what is wrong with it.
    """
    if file.size > max_bytes:
        raise InputError(
            "The file {name} is too large: up to {most:,} kB can be read here.",
            name=_name(file),
            most=max_bytes // 1000,
        )
    if not file.size:
        raise InputError("The file {name} is empty.", name=_name(file))
    data = await file.read()
    if data.startswith(MAGIC):
        raise InputError("The file {name} is not a text; send a .txt or .csv file.", name=_name(file))
    text = await asyncio.to_thread(tables.decode, data, _name(file))
    if not text.strip():
        raise InputError("The file {name} contains only white space.", name=_name(file))
    return text


async def read_entries(file: discord.Attachment, *, max_bytes: int, column: str, max_length: int) -> list[str]:
    """The entries of an uploaded .txt (its lines) or table (its column of texts).

    `column` is the header that the table should have. Raises `InputError` that says what is wrong with the file, such
    as an entry with more than `max_length` characters.
    """
    text = await read_text(file, max_bytes=max_bytes)
    return await asyncio.to_thread(tables.entries, text, file.filename, column=column, max_length=max_length)


def csv_cell(value: str) -> str:
    """`value` as a cell that no spreadsheet takes for a formula."""
    return f"'{value}" if value.lstrip()[:1] in ("=", "+", "-", "@") or value[:1] in ("\t", "\r") else value


def _name(file: discord.Attachment) -> str:
    """The file's name as plain text, short."""
    return escape_markdown(file.filename[:60])
