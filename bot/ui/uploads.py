"""Files from people: their size is looked at before a byte is read, their bytes before they are believed."""

import csv
import io

import discord

from bot.core.errors import InputError

MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"PK\x03\x04", b"%PDF", b"\x1f\x8b", b"RIFF")


async def read_text(file: discord.Attachment, *, most: int) -> str:
    """The text of an uploaded file of at most `most` bytes, in UTF-8 with or without a byte order mark.

    Raises `InputError` that says what is wrong with it.
    """
    if file.size > most:
        raise InputError(
            "The file {name} is too large: up to {most:,} kB can be read here.", name=_name(file), most=most // 1000
        )
    if not file.size:
        raise InputError("The file {name} is empty.", name=_name(file))
    data = await file.read()
    if data.startswith(MAGIC) or b"\0" in data[:4096]:
        raise InputError("The file {name} is not a text; send a .txt or .csv file.", name=_name(file))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(
            "The file {name} is not in UTF-8; save it with that encoding and send it again.", name=_name(file)
        ) from None
    if not text.strip():
        raise InputError("The file {name} holds nothing but blank space.", name=_name(file))
    return text


def rows_of(text: str, name: str, *, column: str, longest: int) -> list[str]:
    """One entry a line of a .txt, or of the CSV column headed `column` (else its first column).

    Blank lines are passed over. Raises `InputError` for an entry of more than `longest` characters.
    """
    rows = _csv(text, column) if name.lower().endswith(".csv") else text.splitlines()
    entries = [entry.strip() for entry in rows if entry.strip()]
    for number, entry in enumerate(entries, 1):
        if len(entry) > longest:
            raise InputError(
                "Entry {number} has {n:,} characters; up to {most:,} can be read.",
                number=number,
                n=len(entry),
                most=longest,
            )
    return entries


def _csv(text: str, column: str) -> list[str]:
    csv.field_size_limit(10_000_000)  # The upload is bounded already; the sentence about a long entry is ours.
    try:
        table = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    except csv.Error as error:
        raise InputError("The CSV file cannot be read: {problem}.", problem=error) from None
    heads = [cell.strip().lower() for cell in table[0]] if table else []
    if column in heads:
        at = heads.index(column)
        return [row[at] for row in table[1:] if len(row) > at]
    return [row[0] for row in table]


def csv_cell(value: str) -> str:
    """`value` as a cell that no spreadsheet takes for a formula."""
    return f"'{value}" if value.lstrip()[:1] in ("=", "+", "-", "@") or value[:1] in ("\t", "\r") else value


def _name(file: discord.Attachment) -> str:
    """The file's name as plain text, short."""
    return discord.utils.escape_markdown(file.filename[:60])
