"""Files that people upload: size and kind are checked before the text or the picture is used."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

import discord

from bot.core import tables
from bot.core.attached_picture import AttachedPicture, read_picture
from bot.core.errors import InputError, LimitError
from bot.core.i18n import N_, _, ngettext
from bot.core.pdf_text import read_pdf
from bot.core.text import escape_markdown
from bot.ui.errors import DELIVERY_ERRORS
from bot.ui.files import PICTURE_SUFFIXES
from bot.ui.message_text import attachments_of, readable_text

PICTURE_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF")
PDF_MAGIC = b"%PDF"
MAGIC = (*PICTURE_MAGIC, PDF_MAGIC, b"PK\x03\x04", b"\x1f\x8b")
# Bytes of an attachment: what Discord takes from people without a subscription, 10 MiB (2026-11-22).
MAX_ATTACHMENT = 10 * 1024 * 1024
# Attachments that are read of one message or command, attachments that are read at a time, and seconds to fetch one.
MAX_ATTACHMENTS, MAX_READING, FETCH_TIMEOUT = 4, 2, 30.0
# Commands and messages of one person whose files are read at a time.
MAX_PER_PERSON = 2
TEXT_SUFFIXES = (".txt", ".md", ".csv")
READABLE = frozenset({*PICTURE_SUFFIXES, *TEXT_SUFFIXES, ".pdf"})
NOT_READABLE = N_(
    "The file {name} is none that I can read: send a picture (PNG, JPEG, GIF, WebP), a PDF, or a text (.txt, .md, "
    ".csv)."
)


@dataclass(frozen=True, slots=True)
class Attached:
    """What attachments hold: the text of files, the pictures, and a sentence for each file that was cut."""

    text: str = ""
    pictures: tuple[AttachedPicture, ...] = ()
    notes: tuple[str, ...] = ()


NOTHING = Attached()


class AttachmentReader:
    """Reads pictures, PDFs and texts, at most `MAX_READING` at a time: one can take 100 MB of memory.

    One person's files can take 15 seconds each, so that no more than `MAX_PER_PERSON` of their requests may wait.
    """

    def __init__(self) -> None:
        self._reading = asyncio.Semaphore(MAX_READING)
        self._requests = Counter[int]()

    async def read(self, attachments: Sequence[discord.Attachment], user_id: int, *, max_characters: int) -> Attached:
        """The pictures in `attachments`, and the first `max_characters` of the text in them, for the person `user_id`.

        Takes seconds, so the interaction is deferred before. Raises `InputError` that names the file at fault, or
        `LimitError` for a person whose earlier files are still being read.
        """
        if attachments and self._requests[user_id] >= MAX_PER_PERSON:
            raise LimitError("Your earlier files are still being read; wait for them.")
        self._requests[user_id] += 1
        try:
            return await self._read(attachments, max_characters)
        finally:
            self._requests[user_id] -= 1
            self._requests += Counter()  # Drops those at zero.

    async def _read(self, attachments: Sequence[discord.Attachment], max_characters: int) -> Attached:
        if len(attachments) > MAX_ATTACHMENTS:
            raise InputError("Up to {most} files can be read at once.", most=MAX_ATTACHMENTS)
        texts, pictures, notes = list[str](), list[AttachedPicture](), list[str]()
        for file in attachments:
            name = _name(file)
            left = max(max_characters - sum(map(len, texts)), 0)
            if file.size > MAX_ATTACHMENT:
                raise InputError(
                    "The file {name} is too large: up to {most:,} MB can be read.",
                    name=name,
                    most=MAX_ATTACHMENT // 1_000_000,
                )
            async with self._reading:
                data = await _fetch(file)
                if data.startswith(PICTURE_MAGIC):
                    pictures.append(await asyncio.to_thread(read_picture, data, file.filename[:60]))
                    continue
                text, characters, pages = await _text_in(data, file, left)
            if not text.strip():
                raise InputError("The file {name} contains only white space.", name=name)
            texts.append(text[:left])
            if pages or characters > left:
                notes.append(_cut(name, min(characters, left), characters, pages))
        return Attached("\n\n".join(texts), tuple(pictures), tuple(notes))

    async def read_message(self, message: discord.Message, user_id: int, *, max_characters: int) -> Attached:
        """The first `max_characters` of the text of `message` and of its files; its pictures where there is no text.

        It is read for the person `user_id`.

        Without text and pictures, nothing in it can be read. A file of a message with text is named in `notes` if it
        cannot be read; without text, `InputError` is raised.
        """
        text = readable_text(message)[:max_characters]
        files = [file for file in readable(message) if not text or _suffix(file) not in PICTURE_SUFFIXES]
        try:
            attached = await self.read(files, user_id, max_characters=max(max_characters - len(text) - 2, 0))
        except InputError as error:
            if not text:
                raise
            return Attached(text, notes=(str(error),))
        return replace(attached, text="\n\n".join(filter(None, (text, attached.text))))


def readable(message: discord.Message) -> list[discord.Attachment]:
    """The attachments of `message` that `AttachmentReader` reads, by their names; not videos, for example."""
    return [file for file in attachments_of(message) if _suffix(file) in READABLE][:MAX_ATTACHMENTS]


def _suffix(file: discord.Attachment) -> str:
    return PurePath(file.filename.casefold()).suffix


async def _fetch(file: discord.Attachment) -> bytes:
    """The bytes of `file`. Raises `InputError` where it is empty, or cannot be fetched in time."""
    if not file.size:
        raise InputError("The file {name} is empty.", name=_name(file))
    try:
        async with asyncio.timeout(FETCH_TIMEOUT):
            return await file.read()
    except DELIVERY_ERRORS:  # Among them is `TimeoutError`, which is an `OSError`.
        raise InputError(
            "The file {name} could not be fetched from Discord; send it again.", name=_name(file)
        ) from None


async def _text_in(data: bytes, file: discord.Attachment, most: int) -> tuple[str, int, int]:
    """The text in the `data` of `file`, how many characters it has, and how many pages: 0 unless some were not read.

    Of a PDF, the first `most` characters are read.
    """
    name = _name(file)
    if data.startswith(PDF_MAGIC):
        pdf = await read_pdf(data, name, most)
        return pdf.text, pdf.characters, pdf.pages if pdf.read < pdf.pages else 0
    if data.startswith(MAGIC) or (b"\0" in data and _suffix(file) not in TEXT_SUFFIXES):
        raise InputError(NOT_READABLE, name=name)
    text = await asyncio.to_thread(tables.decode, data, name)
    return text, len(text), 0


def _cut(name: str, read: int, characters: int, pages: int) -> str:
    """The sentence about a file that was cut: of a PDF with more `pages` than were read, else of a text."""
    if pages:
        return ngettext(
            "{name}: only the first {read:,} characters of {n:,} page",
            "{name}: only the first {read:,} characters of {n:,} pages",
            pages,
            name=name,
            read=read,
        )
    return _("{name}: only the first {read:,} of {all:,} characters", name=name, read=read, all=characters)


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
    data = await _fetch(file)
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


def _name(file: discord.Attachment) -> str:
    """The file's name as plain text, short."""
    return escape_markdown(file.filename[:60])
