"""Texts are split for Discord: every piece fits, renders on its own, and nothing that was said is lost."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.text import (
    FENCE,
    MESSAGE_LIMIT,
    close_markup,
    code_block,
    escape_markdown,
    shorten,
    split_message,
    without_surrogates,
)

WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="`"), max_size=30)
LINES = WORDS | st.sampled_from(["", "```", "```py", "```python title", "````", "    x = 1", "🏇🏽👩‍👩‍👧 é", "a" * 300])
TEXTS = st.lists(LINES, max_size=40).map("\n".join)


def bare(text: str) -> str:
    """`text` without blank space and without the lines of fences."""
    return re.sub(r"\s+", "", FENCE.sub("", text))


def open_fences(text: str) -> int:
    """How many fences stand open at the end of `text`: 0 or 1."""
    is_open = False
    for _, language in FENCE.findall(text):
        is_open = not is_open if not is_open or not language.strip() else is_open
    return int(is_open)


@given(TEXTS, st.sampled_from([120, 300, MESSAGE_LIMIT]))
def test_every_piece_fits_and_nothing_is_lost(text: str, limit: int) -> None:
    pieces = split_message(text, limit, most=1_000)
    assert pieces is not None
    assert all(0 < len(piece) <= limit for piece in pieces)
    assert bare("\n".join(pieces)) == bare(text)


@given(TEXTS, st.sampled_from([120, 300, MESSAGE_LIMIT]))
def test_every_piece_closes_the_fences_that_it_opens(text: str, limit: int) -> None:
    pieces = split_message(close_markup(text), limit, most=1_000)
    assert pieces is not None
    assert [open_fences(piece) for piece in pieces] == [0] * len(pieces)


@given(TEXTS, st.integers(1, 5))
def test_what_does_not_fit_into_so_many_messages_is_none(text: str, most: int) -> None:
    pieces = split_message(text, 120, most)
    assert pieces is None or len(pieces) <= most
    assert pieces is not None or len(text) > 120


def test_a_short_text_is_one_piece_as_it_stands() -> None:
    assert split_message(" Hello\n\n```py\nx\n``` ") == ["Hello\n\n```py\nx\n```"]
    assert split_message("  \n ") == []


def test_a_cut_goes_between_paragraphs() -> None:
    pieces = split_message("\n\n".join(f"{n} " + "word " * 150 for n in range(4)))
    assert pieces is not None
    assert [piece[0] for piece in pieces] == ["0", "2"]


def test_a_fence_that_is_cut_opens_again_in_its_language() -> None:
    code = "\n".join(f"line {n}" for n in range(400))
    pieces = split_message(f"Look:\n```python\n{code}\n```\nDone.")
    assert pieces is not None
    assert len(pieces) == 2
    assert pieces[0].endswith("\n```")
    assert pieces[1].startswith("```python\nline ")
    assert pieces[1].endswith("Done.")


@pytest.mark.parametrize("joined", ["👩‍👩‍👧‍👦", "🏇🏽", "❤️", "1️⃣", "é"])
@pytest.mark.parametrize("shift", range(8))
def test_no_cut_goes_through_an_emoji(joined: str, shift: int) -> None:
    text = "x" * (MESSAGE_LIMIT - 9 - shift) + joined + "y" * 100
    pieces = split_message(text)
    assert pieces is not None
    assert any(joined in piece for piece in pieces)


@given(st.text())
def test_a_text_in_a_fence_cannot_leave_it(text: str) -> None:
    """Discord ends a code block at the next three backticks, however many began it."""
    whole = code_block(text, "md")
    assert whole.startswith("```md\n")
    assert whole.endswith("\n```")
    assert "```" not in whole[3:-3]
    assert whole[6:-4].replace("\u200b", "") == text.replace("\u200b", "")


@given(TEXTS)
def test_a_text_that_still_grows_is_shown_with_its_fence_closed(text: str) -> None:
    assert open_fences(close_markup(text)) == 0
    assert close_markup(text).startswith(text)


@given(st.text(), st.integers(1, 50))
def test_a_shortened_text_is_one_line_within_its_limit(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert len(short) <= limit
    assert "\n" not in short
    assert short.endswith("…") or short == " ".join(text.split())


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        (
            "**bold** _it_ ~~gone~~ ||spoiler|| `code` \\",
            r"\*\*bold\*\* \_it\_ \~\~gone\~\~ \|\|spoiler\|\| \`code\` \\",
        ),
        (
            "# Heading\n> quote\n>>> all\n  - item\n-# small",
            "\\# Heading\n\\> quote\n\\>>> all\n  \\- item\n\\-# small",
        ),
        ("[here](https://a.example/x_y)", r"[here\](https://a.example/x_y)"),
        (
            "see https://a.example/a_b_c, and <https://b.example/x_y>",
            "see https://a.example/a_b_c, and <https://b.example/x_y>",
        ),
        ("5 > 3 - 2, a]b, #1", "5 > 3 - 2, a]b, #1"),
    ],
)
def test_markdown_is_escaped_and_addresses_are_not(text: str, escaped: str) -> None:
    assert escape_markdown(text) == escaped


SHAPES = ["[](", "<", "<a:/", "http://", "https://[", "\n", " \n", "\t", "]", "](", "> ", "-", "\\", "<a:/x"]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_long_text_of_any_shape_is_escaped_in_linear_time(shape: str) -> None:
    """In quadratic time a text of this length would take minutes."""
    text = shape * (400_000 // len(shape))
    assert len(escape_markdown(text)) >= len(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Bonjour \ud83d", "Bonjour \ufffd"),
        ("\ude00 \ud83d\ude00", "\ufffd \U0001f600"),
        ("café 日本語 \U0001f600", "café 日本語 \U0001f600"),
        ("\ud83d\ud83d\ude00x", "\ufffd\U0001f600x"),
    ],
)
def test_half_a_character_is_replaced_and_whole_ones_stay(text: str, wanted: str) -> None:
    assert without_surrogates(text) == wanted
