"""What people upload is bounded, recognised and taken apart, or refused in one sentence."""

from dataclasses import dataclass
from typing import Any, cast

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import InputError
from bot.ui.uploads import csv_cell, read_entries, read_text

MAX_BYTES = 2_000_000


@dataclass
class File:
    """An attachment as Discord describes it: the size is known before a byte is read."""

    data: bytes
    filename: str = "reviews.txt"
    was_read: bool = False

    @property
    def size(self) -> int:
        return len(self.data)

    async def read(self) -> bytes:
        self.was_read = True
        return self.data


async def text_of(file: File) -> str:
    return await read_text(cast(discord.Attachment, cast(Any, file)), max_bytes=MAX_BYTES)


async def entries_of(text: str, name: str, max_length: int = 100) -> list[str]:
    file = cast(discord.Attachment, cast(Any, File(text.encode(), name)))
    return await read_entries(file, max_bytes=3_000_000, column="review", max_length=max_length)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
async def test_a_text_is_read_in_the_encodings_that_programs_write(encoding: str) -> None:
    assert await text_of(File("Grüße\n".encode(encoding))) == "Grüße\n"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b" \n\t\n", "white space"),
        ("素晴らしい".encode("shift_jis"), "UTF-8"),
        (b"Gr\x00\x01e", "not a text"),
        (b"\x89PNG\r\n\x1a\n" + b"x" * 100, "not a text"),
        (b"PK\x03\x04" + b"x" * 100, "not a text"),
        (b"%PDF-1.7", "not a text"),
    ],
)
async def test_what_is_no_text_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        await text_of(File(data))


async def test_what_is_too_large_is_refused_before_it_is_read() -> None:
    file = File(b"x" * (MAX_BYTES + 1))
    with pytest.raises(InputError, match="up to 2,000 kB"):
        await text_of(file)
    assert not file.was_read


async def test_a_files_name_cannot_write_into_the_answer() -> None:
    with pytest.raises(InputError) as caught:
        await text_of(File(b"", filename="**@everyone**" + "x" * 500))
    assert "\\*\\*" in str(caught.value)
    assert len(str(caught.value)) < 200


async def test_a_line_is_an_entry_and_blank_ones_are_none() -> None:
    assert await entries_of("one\r\n\n  two \n\n", "r.txt") == ["one", "two"]


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ('stars,Review\n5,"good, really"\n1,bad\n', ["good, really", "bad"]),
        ("good\nbad\n", ["good", "bad"]),
        ('"two\nlines",5\n', ["two\nlines"]),
        ("review\n\n", []),
        ("stars,review\n5\n", []),
    ],
)
async def test_a_csv_gives_its_column_of_reviews_or_its_only_texts(text: str, entries: list[str]) -> None:
    assert await entries_of(text, "R.CSV") == entries


async def test_an_entry_that_is_too_long_is_named_by_its_number() -> None:
    with pytest.raises(InputError, match="Entry 2 has 2,000,000 characters; up to 6,000"):
        await entries_of("short\n" + "x" * 2_000_000, "r.txt", 6_000)
    with pytest.raises(InputError, match="Entry 1"):
        await entries_of('"' + "x" * 200_000, "r.csv", 6_000)


@given(st.text())
def test_no_exported_cell_becomes_a_formula(value: str) -> None:
    cell = csv_cell(value)
    assert cell in (value, f"'{value}")
    assert cell.lstrip()[:1] not in ("=", "+", "-", "@")
