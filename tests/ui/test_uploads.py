"""What people upload is bounded, recognised and taken apart, or refused in one sentence."""

import csv
import io
from dataclasses import dataclass
from typing import Any, cast

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import InputError
from bot.ui.uploads import csv_cell, read_text, rows_of

MOST = 2_000_000


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
    return await read_text(cast(discord.Attachment, cast(Any, file)), most=MOST)


@pytest.mark.parametrize("data", ["Grüße\n".encode(), "Grüße\n".encode("utf-8-sig")])
async def test_a_text_is_read_with_or_without_a_mark(data: bytes) -> None:
    assert await text_of(File(data)) == "Grüße\n"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b" \n\t\n", "blank space"),
        ("Grüße".encode("latin-1"), "UTF-8"),
        ("Grüße".encode("utf-16"), "not a text"),
        (b"\x89PNG\r\n\x1a\n" + b"x" * 100, "not a text"),
        (b"PK\x03\x04" + b"x" * 100, "not a text"),
        (b"%PDF-1.7", "not a text"),
    ],
)
async def test_what_is_no_text_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        await text_of(File(data))


async def test_what_is_too_large_is_refused_before_it_is_read() -> None:
    file = File(b"x" * (MOST + 1))
    with pytest.raises(InputError, match="up to 2,000 kB"):
        await text_of(file)
    assert not file.was_read


async def test_a_files_name_cannot_write_into_the_answer() -> None:
    with pytest.raises(InputError) as caught:
        await text_of(File(b"", filename="**@everyone**" + "x" * 500))
    assert "\\*\\*" in str(caught.value)
    assert len(str(caught.value)) < 200


def test_a_line_is_an_entry_and_blank_ones_are_none() -> None:
    assert rows_of("one\r\n\n  two \n\n", "r.txt", column="review", longest=10) == ["one", "two"]


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
def test_a_csv_gives_its_column_of_reviews_or_its_first(text: str, entries: list[str]) -> None:
    assert rows_of(text, "R.CSV", column="review", longest=100) == entries


def test_an_entry_that_is_too_long_is_named_by_its_number() -> None:
    with pytest.raises(InputError, match="Entry 2 has 2,000,000 characters; up to 6,000"):
        rows_of("short\n" + "x" * 2_000_000, "r.txt", column="review", longest=6_000)
    with pytest.raises(InputError, match="Entry 1"):
        rows_of('"' + "x" * 200_000, "r.csv", column="review", longest=6_000)


@given(st.text())
def test_no_exported_cell_becomes_a_formula(value: str) -> None:
    cell = csv_cell(value)
    assert cell in (value, f"'{value}")
    assert cell.lstrip()[:1] not in ("=", "+", "-", "@")


@given(
    st.lists(st.text(st.characters(exclude_characters="\r\n\x00", exclude_categories=["Cs"]), min_size=1), max_size=5)
)
def test_any_table_that_a_spreadsheet_writes_is_read_back(reviews: list[str]) -> None:
    out = io.StringIO()
    csv.writer(out).writerows([["review"], *([review] for review in reviews)])
    kept = [review.strip() for review in reviews if review.strip()]
    assert rows_of(out.getvalue(), "r.csv", column="review", longest=10_000) == kept
