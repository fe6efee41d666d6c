"""What people upload is bounded, recognised and taken apart, or refused in one sentence."""

import asyncio
import base64
from dataclasses import dataclass
from io import BytesIO
from types import SimpleNamespace
from typing import Any, cast

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bot.core.errors import InputError, LimitError
from bot.core.tables import csv_cell
from bot.ui.uploads import MAX_ATTACHMENT, Attached, AttachmentReader, read_entries, read_text, readable
from tests.pdf_files import pdf

MAX_BYTES = 2_000_000


@dataclass
class File:
    """An attachment as Discord describes it: the size is known before a byte is read."""

    data: bytes
    filename: str = "reviews.txt"
    was_read: bool = False
    claimed: int | None = None

    @property
    def size(self) -> int:
        return len(self.data) if self.claimed is None else self.claimed

    async def read(self) -> bytes:
        self.was_read = True
        return self.data


async def attached(*files: File, most: int = 100) -> Attached:
    return await AttachmentReader().read(cast(list[discord.Attachment], list(files)), 1, max_characters=most)


def image(kind: str, size: tuple[int, int] = (40, 30), mode: str = "RGB", **options: Any) -> bytes:
    """A picture whose left half is red and whose right half is blue."""
    picture = Image.new("RGB", size, "red")
    picture.paste("blue", (size[0] // 2, 0, *size))
    buffer = BytesIO()
    picture.convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


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


ANIMATED = image("GIF", save_all=True, append_images=[Image.new("RGB", (40, 30), "green")])
# Its header says 6,000 × 6,000 pixels; drawing them would take a second.
HUGE = image("GIF")[:6] + (6_000).to_bytes(2, "little") * 2 + image("GIF")[10:]
UPRIGHT = Image.Exif()
UPRIGHT[0x0112] = 6  # turned by 90 degrees, as a phone that is held upright stores a photo


@pytest.mark.parametrize(
    ("data", "kind", "size"),
    [
        (image("PNG"), "png", (40, 30)),
        (image("JPEG"), "jpeg", (40, 30)),
        (image("WEBP"), "jpeg", (40, 30)),
        (ANIMATED, "png", (40, 30)),
        (image("PNG", mode="RGBA"), "png", (40, 30)),
        (image("JPEG", mode="CMYK"), "jpeg", (40, 30)),
        (image("JPEG", (4_096, 1_024)), "jpeg", (2_048, 512)),
        (image("JPEG", exif=UPRIGHT), "jpeg", (30, 40)),
    ],
    ids=["png", "jpeg", "webp", "animated", "alpha", "cmyk", "large", "turned"],
)
async def test_a_picture_is_sent_as_png_or_jpeg_upright_and_not_too_large(
    data: bytes, kind: str, size: tuple[int, int]
) -> None:
    (picture,) = (await attached(File(data, "a_b.png"))).pictures
    head, _comma, encoded = picture.url.partition(",")
    sent = base64.b64decode(encoded)
    assert head == f"data:image/{kind};base64"
    assert (picture.name, picture.size, picture.width, picture.height) == ("a_b.png", len(sent), *size)
    with Image.open(BytesIO(sent)) as opened:
        assert opened.size == size
        assert not opened.getexif()
        pixel = opened.convert("RGB").getpixel((1, 1))
    assert isinstance(pixel, tuple)
    red, _green, blue = pixel
    assert red > 200
    assert blue < 60


async def test_texts_and_pdfs_are_cut_and_the_cut_is_said() -> None:
    both = await attached(File("Grüße\n".encode("utf-16"), "a.txt"), File(pdf("Hello", "World"), "b.pdf"))
    assert (both.text, both.notes) == ("Grüße\n\n\nHello\n\nWorld", ())
    long = await attached(File(b"x" * 2_000, "long_*.md"))
    assert (long.text, long.notes) == ("x" * 100, (r"long\_\*.md: only the first 100 of 2,000 characters",))
    book = await attached(File(pdf(*["word " * 8] * 400), "book.pdf"))
    assert len(book.text) == 100
    assert book.notes == ("book.pdf: only the first 100 characters of 400 pages",)
    vast = await attached(File(pdf("Chapter 1", *[""] * 9_999), "vast.pdf"))
    assert (vast.text, vast.notes) == ("Chapter 1", ("vast.pdf: only the first 9 characters of 10,000 pages",))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b" \n", "white space"),
        (b"PK\x03\x04word", "none that I can read"),
        ("素晴らしい".encode("shift_jis"), "UTF-8"),
        (image("PNG")[:60], "is broken"),
        (HUGE, "6,000 × 6,000 pixels; up to 25 million"),
        (b"RIFF1234WAVEfmt ", "not a picture"),
        (pdf("secret", encrypted=True), "is encrypted"),
        (pdf(""), "has no text"),
        (pdf("Hello")[:200], "is broken"),
    ],
)
async def test_an_attachment_that_cannot_be_used_is_refused_in_a_sentence(data: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        await attached(File(data, "a.bin"))


@pytest.mark.parametrize("status", [403, 404, 429, 500])
async def test_a_file_that_discord_does_not_give_is_to_be_sent_again(status: int) -> None:
    class Gone(File):
        async def read(self) -> bytes:
            response = cast(Any, SimpleNamespace(status=status, reason="no"))
            raise discord.HTTPException(response, "failed to get asset")

    with pytest.raises(InputError, match="could not be fetched from Discord"):
        await attached(Gone(b"text", "a.txt"))
    with pytest.raises(InputError, match="could not be fetched from Discord"):
        await text_of(Gone(b"text", "a.txt"))


async def test_an_attachment_that_is_too_large_is_not_fetched() -> None:
    file = File(image("PNG"), "a.png", claimed=MAX_ATTACHMENT + 1)
    with pytest.raises(InputError, match="up to 10 MB"):
        await attached(file)
    assert not file.was_read
    message = cast(discord.Message, SimpleNamespace(attachments=[File(b"", "a.mp4"), file]))
    assert readable(message) == [file]


@given(st.text())
def test_no_exported_cell_becomes_a_formula(value: str) -> None:
    cell = csv_cell(value)
    assert cell in (value, f"'{value}")
    assert cell.lstrip()[:1] not in ("=", "+", "-", "@")


async def test_one_person_cannot_hold_up_the_files_of_others() -> None:
    may_go_on = asyncio.Event()

    class Slow(File):
        async def read(self) -> bytes:
            await may_go_on.wait()
            return self.data

    reader = AttachmentReader()

    def read(user_id: int) -> asyncio.Task[Attached]:
        file = cast(discord.Attachment, cast(Any, Slow(b"a text")))
        return asyncio.create_task(reader.read([file], user_id, max_characters=100))

    waiting = [read(1), read(1), read(2)]
    await asyncio.sleep(0)
    with pytest.raises(LimitError, match="earlier files"):
        await read(1)
    may_go_on.set()
    assert [(await task).text for task in waiting] == ["a text"] * 3
    assert (await read(1)).text == "a text"
