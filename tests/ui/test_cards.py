"""A card never passes Discord's limits, whatever it is given, and cuts no fence open."""

from collections.abc import Iterator
from typing import Any

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.answers.prompt_view import prompt_card
from bot.core.text import code_block
from bot.llm.completion import Answer
from bot.llm.request import Request
from bot.ui.cards import BYTES, CHARACTERS, COMPONENTS, Card, notice

TEXTS = st.lists(
    st.text(max_size=300) | st.sampled_from(["x" * 3_900, "🏇" * 1_500, code_block("y" * 2_500), ""]), max_size=60
)


def items_of(layout: discord.ui.LayoutView) -> list[discord.ui.Item[Any]]:
    return list(layout.walk_children())


def texts_of(layout: discord.ui.LayoutView) -> Iterator[str]:
    return (item.content for item in items_of(layout) if isinstance(item, discord.ui.TextDisplay))


@given(st.text(max_size=200), TEXTS)
def test_a_card_never_passes_the_limits(title: str, texts: list[str]) -> None:
    card = Card(title)
    for text in texts:
        card.text(text).line()
    layout = card.layout()
    shown = list(texts_of(layout))
    assert all(shown)
    assert sum(map(len, shown)) <= CHARACTERS
    assert sum(len(text.encode()) for text in shown) <= BYTES
    assert len(items_of(layout)) <= COMPONENTS
    assert card.remaining >= 0


def test_what_fits_is_shown_as_it_is() -> None:
    layout = Card("Title").text("One").text("Two").layout()
    assert list(texts_of(layout)) == ["### Title", "One", "Two"]


def test_what_is_too_long_says_that_it_was_shortened() -> None:
    shown = list(texts_of(Card("").text("word " * 2_000).layout()))
    assert shown[0].endswith("(shortened)")


@pytest.mark.parametrize("size", [3_500, 3_990, 4_100, 9_000])
def test_a_fence_that_is_cut_is_closed(size: int) -> None:
    for text in texts_of(Card("").text(code_block("x" * size)).layout()):
        assert text.count("```") % 2 == 0


def answer(messages: list[dict[str, str]], examples: int = 0) -> Answer:
    request = Request(tuple(messages), {"temperature": 0}, examples=examples)
    return Answer("Fine.", "Fine.", "a-model", request, request.parameters)


def test_a_prompt_of_backticks_alone_is_whole_in_its_file() -> None:
    _, files = prompt_card(answer([{"role": "user", "content": "`" * 3_000}]))
    assert files


def test_a_notice_has_its_lines_and_buttons() -> None:
    layout = notice("Title", ["One", "Two"], discord.ui.Button(label="Press", custom_id="x"))
    assert list(texts_of(layout)) == ["### Title", "One", "Two"]
    assert any(isinstance(item, discord.ui.Button) for item in items_of(layout))


@given(st.lists(st.text(min_size=1) | st.sampled_from(["```\nx\n```", "z" * 6_000]), min_size=1, max_size=40))
def test_a_prompt_that_a_card_shortens_is_whole_in_its_file(contents: list[str]) -> None:
    messages = [{"role": "user", "content": content} for content in contents]
    layout, files = prompt_card(answer(messages))
    shown = "\n".join(texts_of(layout))
    assert len(shown) <= CHARACTERS + COMPONENTS
    assert "zero-shot" in shown
    if len(contents) > 40 or max(map(len, contents)) > 3_200:
        assert files
    for name, data, *_ in files:
        assert name == "prompt.json"
        assert b'"temperature": 0' in data
        assert data.count(b'"role"') == len(contents)


def test_only_the_examples_of_a_prompt_are_called_examples() -> None:
    said = [{"role": role, "content": "x"} for role in ("system", "user", "assistant", "user", "assistant", "user")]
    layout, _ = prompt_card(answer(said, examples=1))
    shown = "\n".join(texts_of(layout))
    assert "user · example 1" in shown
    assert "assistant · example 1" in shown
    assert "example 2" not in shown
