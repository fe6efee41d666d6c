"""Text for Discord: split with its formatting, escaped, shortened; nothing is lost, and each function is fast."""

import json
import re
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.json_text import read_json, without_surrogates
from bot.core.text import MESSAGE_LIMIT, close_markup, code_block, escape_markdown, has_spoiler, shorten, split_message

WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="`"), max_size=30)
LINES = WORDS | st.sampled_from(["", "```", "```py", "```python title", "````", "    x = 1", "🏇🏽👩‍👩‍👧 é", "a" * 300])
TEXTS = st.lists(LINES, max_size=40).map("\n".join)

# Discord's rules for formatted text, in its order, as a slow recursive parser. It shares nothing with `bot.core.text`.
RULES = [
    ("code", re.compile(r"```(?:[a-z0-9_+\-.#]+?\n)?\n*([^\n].*?)\n*```", re.DOTALL | re.IGNORECASE)),
    ("inline code", re.compile(r"(?<!`)(?:``?)(?!`)(.*?[^`])(?<!`)(?:``?)(?!`)", re.DOTALL)),
    ("spoiler", re.compile(r"\|\|(.+?)\|\|", re.DOTALL)),
    ("bold", re.compile(r"\*\*((?:\\.|[^\\])+?)\*\*(?!\*)", re.DOTALL)),
    ("underline", re.compile(r"__((?:\\.|[^\\])+?)__(?!_)", re.DOTALL)),
    ("strike", re.compile(r"~~(.+?)~~(?!_)", re.DOTALL)),
    ("italic", re.compile(r"\*(?=\S)(.+?)(?<=\S)\*(?!\*)", re.DOTALL)),
]


def rendered(text: str, marks: frozenset[str] = frozenset()) -> Iterator[tuple[str, frozenset[str]]]:
    """The letters of `text` with the formatting that Discord gives them."""
    at = 0
    while at < len(text):
        for name, rule in RULES:
            found = rule.match(text, at)
            if found:
                inner = found[1]
                if "code" in name:
                    yield from ((char, marks | {name}) for char in inner if char.isalnum())
                else:
                    yield from rendered(inner, marks | {name})
                at = found.end()
                break
        else:
            if text[at].isalnum():
                yield text[at], marks
            at += 1


def letters(pieces: list[str]) -> list[tuple[str, frozenset[str]]]:
    return [letter for piece in pieces for letter in rendered(piece)]


def wrapped(opener: str, closer: str = "") -> Callable[[str], str]:
    return lambda text: f"{opener}{text}{closer or opener}"


PLAIN = st.lists(
    st.sampled_from(["word", "Ab1", "sentence ends.", "x" * 90, "日本語", "new\nline", "par\n\nagraph"]),
    min_size=1,
    max_size=20,
).map(" ".join)
CODE = st.lists(st.sampled_from(["a = 1", "    b = 2", "call", "x" * 90]), min_size=1, max_size=30).map("\n".join)


def _in_each(mark: str, others: list[str]) -> st.SearchStrategy[str]:
    """Text in `mark`, with plain text and text in the `others` inside."""
    inside = (
        PLAIN
        if not others
        else st.one_of(PLAIN, *(_in_each(other, [each for each in others if each != other]) for other in others))
    )
    return st.lists(inside, min_size=1, max_size=3).map(" and ".join).map(wrapped(mark))


FORMATTED = st.lists(
    st.one_of(
        PLAIN,
        *(_in_each(mark, [other for other in ("||", "**", "__", "~~") if other != mark]) for mark in ("||", "**")),
        _in_each("*", []),
        PLAIN.map(lambda text: text.replace("\n", " ")).map(wrapped("`")),
        CODE.map(wrapped("```py\n", "\n```")),
        CODE.map(wrapped("```\n", "\n```")),
    ),
    min_size=1,
    max_size=6,
).map("\n".join)


def bare(text: str) -> str:
    """`text` without white space and without code fences with their languages."""
    return re.sub(r"\s+", "", re.sub(r"`{3,}(?:[a-z]+(?=\n))?", "", text))


@given(FORMATTED, st.sampled_from([120, 300, MESSAGE_LIMIT]))
@settings(max_examples=100)
def test_every_letter_keeps_its_formatting(text: str, limit: int) -> None:
    pieces = split_message(text, limit, max_pieces=10_000)
    assert pieces is not None
    assert all(0 < len(piece) <= limit for piece in pieces)
    assert letters(pieces) == list(rendered(text.strip()))


@given(TEXTS, st.sampled_from([120, 300, MESSAGE_LIMIT]))
def test_every_piece_fits_and_nothing_is_lost(text: str, limit: int) -> None:
    pieces = split_message(text, limit, max_pieces=10_000)
    assert pieces is not None
    assert all(0 < len(piece) <= limit for piece in pieces)
    # A mark that is open at a cut is written twice more, so compare what no mark contains.
    kept = [char for char in bare(text) if char.isalnum()]
    assert [char for piece in pieces for char in bare(piece) if char.isalnum()] == kept or "```" in text


@given(st.text(st.sampled_from("ab *_~|`>-#\\\n[]()<>"), max_size=900))
@settings(max_examples=100)
def test_any_mixture_of_marks_is_split_within_the_limit(text: str) -> None:
    pieces = split_message(text, 120, max_pieces=10_000)
    assert pieces is not None
    assert all(0 < len(piece) <= 120 for piece in pieces)
    assert "".join(char for piece in pieces for char in piece if char in "ab") == "".join(c for c in text if c in "ab")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("||", "||"),
        ("a ||", "|| b"),
        ("> ||", "||"),
        ("- one\n- ||", "||\n- two"),
        ("||**", "**||"),
        ("**||", "||**"),
        ("# Title\n||", "||"),
        ("||\n", "\n||"),
        ("__~~||", "||~~__"),
        (">>> ||", "||"),
        ("||a|| b ||", "||"),
        ("\\|| ||", "||"),
    ],
)
@pytest.mark.parametrize("space", [" ", "\n", "\n\n", "", ". "])
def test_nothing_of_a_spoiler_is_outside_its_bars(before: str, after: str, space: str) -> None:
    line = "\n> " if before.startswith(">") and "\n" in space and not before.startswith(">>>") else space
    pieces = split_message(before + line.join(["SECRET"] * 600) + after, max_pieces=10)
    assert pieces is not None
    assert len(pieces) >= 2
    for piece in pieces:
        unescaped = piece.replace("\\||", "")
        assert "SECRET" not in re.sub(r"\|\|.+?\|\|", "", unescaped, flags=re.DOTALL)
        assert len(piece) <= MESSAGE_LIMIT


@given(st.integers(0, 700), st.sampled_from(["||", "||**", "||`", "a ||```py\n"]))
def test_a_spoiler_that_still_grows_is_hidden(length: int, opener: str) -> None:
    shown = close_markup(opener + "SECRET " * length)
    assert "SECRET" not in re.sub(r"\|\|.+?\|\|", "", shown, flags=re.DOTALL)


@pytest.mark.parametrize("prefix", ["", "  ", "    ", "> ", ">   ", "\t"])
@pytest.mark.parametrize("language", ["", "py", "c++"])
def test_a_fence_keeps_its_indentation_and_language(prefix: str, language: str) -> None:
    code = "\n".join(f"{prefix}line {number} = {number}" for number in range(220))
    first = "> - item" if ">" in prefix else "- item"
    pieces = split_message(f"{first}\n{prefix}```{language}\n{code}\n{prefix}```\nend", max_pieces=4)
    assert pieces is not None
    assert len(pieces) > 1
    for number, piece in enumerate(pieces):
        lines = piece.split("\n")
        fences = [line for line in lines if "```" in line]
        assert fences == [f"{prefix}```{language}", f"{prefix}```"]
        assert number == 0 or lines[0] == fences[0]
        inside = lines[lines.index(fences[0]) + 1 : len(lines) - lines[::-1].index(fences[1]) - 1]
        assert all(line.startswith(f"{prefix}line ") for line in inside)


@pytest.mark.parametrize(("line", "repeated"), [("> ", "> "), (">>> ", ">>> "), ("-# ", "-# ")])
def test_a_line_that_is_cut_repeats_its_quote_mark(line: str, repeated: str) -> None:
    pieces = split_message(line + "quoted words " * 400, max_pieces=4)
    assert pieces is not None
    assert all(piece.startswith(repeated) for piece in pieces)


@pytest.mark.parametrize(
    "atom",
    [
        "[a label](https://a.example/x)",
        "<@123456789012345678>",
        "<t:1700000000:R>",
        "<:name:123456789012345678>",
        "https://a.example/a,b;c.d",
    ],
)
@pytest.mark.parametrize("shift", range(0, 40, 7))
def test_no_cut_goes_through_a_link_or_mention(atom: str, shift: int) -> None:
    text = "x" * (MESSAGE_LIMIT - shift) + " " + atom + " " + "y" * 100
    pieces = split_message(text)
    assert pieces is not None
    assert any(atom in piece for piece in pieces)


@pytest.mark.parametrize(
    "text",
    [
        "2 * 3 * 4 " * 300,
        "a_snake_case_name " * 300,
        "C:\\a\\b " * 400,
        "a ** b " * 400,
        "- x\n" * 900,
        "* item\n" * 400,
    ],
)
def test_marks_that_format_nothing_add_nothing(text: str) -> None:
    pieces = split_message(text, max_pieces=10)
    assert pieces is not None
    assert re.sub(r"\s", "", "".join(pieces)) == re.sub(r"\s", "", text)


def test_a_text_with_a_spoiler_is_known() -> None:
    assert has_spoiler("a ||b|| c")
    assert not has_spoiler("a || b")
    assert not has_spoiler("`a || b || c`")
    assert not has_spoiler("a \\|| b || c")


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
    text = "x" * (MESSAGE_LIMIT - shift) + joined + "y" * 100
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
def test_a_text_that_still_grows_is_shown_with_its_code_closed(text: str) -> None:
    closed = close_markup(text)
    assert closed.startswith(text)
    assert close_markup(closed) == closed
    if not set("*_~|") & set(text):  # A closed span of these may contain a fence, which Discord shows as it is.
        assert len(re.findall("`{3,}", closed)) % 2 == 0


def test_a_fence_in_italic_text_begins_no_code() -> None:
    assert close_markup("*a\n```\nb*") == "*a\n```\nb*"


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


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"half \ud83d"', "half \ufffd"),
        (r'"half \udc00 end"', "half \ufffd end"),
        (r'{"\ud83d": ["\ud83d\ud83d", 1.5, null]}', {"\ufffd": ["\ufffd\ufffd", 1.5, None]}),
        (r'"whole \ud83d\ude00"', "whole 😀"),
        ('"raw \ud83d"', "raw \ufffd"),
        (r'"a \\ud83d in a path"', r"a \ud83d in a path"),
        ('{"é": "ü"}', {"é": "ü"}),
    ],
)
def test_json_is_read_without_halves_of_emoji(text: str, value: object) -> None:
    assert read_json(text) == value
    json.dumps(read_json(text), ensure_ascii=False).encode()
