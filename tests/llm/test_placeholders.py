"""Filling is one pass, pure, and names everything that stands in its way."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import TemplateError
from bot.llm import ChatTemplate
from bot.llm.placeholders import PLACEHOLDER, fill, names_in

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,8}", fullmatch=True)
VALUES = st.text() | st.sampled_from(["{{text}}", "{{to}}", r"\1 \g<0>", "@everyone", "{{", "}}"])
# Text between placeholders; without braces, so that it cannot make one with its neighbours.
PLAIN = st.text(st.characters(exclude_characters="{}"))


@given(st.lists(st.tuples(PLAIN, NAMES)), PLAIN, st.data())
def test_each_placeholder_becomes_its_value_and_nothing_else_changes(
    parts: list[tuple[str, str]], end: str, data: st.DataObject
) -> None:
    values = {name: data.draw(VALUES) for _, name in parts}
    text = "".join(f"{plain}{{{{{name}}}}}" for plain, name in parts) + end
    assert fill(text, values) == "".join(plain + values[name] for plain, name in parts) + end


@given(st.dictionaries(NAMES, VALUES, min_size=1))
def test_filling_a_template_touches_neither_it_nor_the_values(values: dict[str, str]) -> None:
    content = " ".join(f"{{{{ {name} }}}}" for name in values)
    template = ChatTemplate.from_dict({"messages": [{"role": "user", "content": content}]})
    before = copy.deepcopy((template, values))
    first, second = template.fill(values), template.fill(values)
    assert first == second
    assert first.messages[0]["content"] == " ".join(values.values())
    assert (template, values) == before


@given(st.text())
def test_a_text_without_placeholders_stays_as_it_is(text: str) -> None:
    if not PLACEHOLDER.search(text):
        assert fill(text, {}) == text
        assert names_in([text]) == ()


def test_a_value_is_never_expanded_again() -> None:
    template = ChatTemplate.from_dict({"messages": [{"role": "user", "content": "{{text}} in {{to}}"}]})
    request = template.fill({"text": "{{to}} {{text}} {{secret}}", "to": "{{text}}"})
    assert request.messages[0]["content"] == "{{to}} {{text}} {{secret}} in {{text}}"


def test_all_missing_unknown_and_overlong_values_are_one_error() -> None:
    template = ChatTemplate.from_dict(
        {"inputs": {"c": {"max": 3}}, "messages": [{"role": "user", "content": "{{a}} {{b}} {{c}}"}]}, name="mine"
    )
    with pytest.raises(TemplateError) as caught:
        template.fill({"c": "long", "d": "?"})
    sentence = str(caught.value)
    assert "mine" in sentence
    for named in ("value for a", "value for b", "input called d", "c is longer than 3"):
        assert named in sentence
    assert "long" not in sentence.replace("longer", "")


def test_a_default_stands_in_for_what_is_left_out_and_only_for_that() -> None:
    data = {"inputs": {"to": {"default": "French"}}, "messages": [{"role": "user", "content": "{{to}}"}]}
    template = ChatTemplate.from_dict(data)
    assert template.fill({}).messages[0]["content"] == "French"
    assert template.fill({"to": "Dutch"}).messages[0]["content"] == "Dutch"
    assert template.fill({"to": ""}).messages[0]["content"] == ""


def test_what_only_an_example_needs_may_be_given_without_it() -> None:
    turns = [
        {"role": "user", "content": "Show me."},
        {"role": "assistant", "content": "{{sample}}"},
        {"role": "user", "content": "{{text}}"},
    ]
    template = ChatTemplate.from_dict({"inputs": {"sample": {}, "text": {}}, "messages": turns})
    assert len(template.with_examples(0).fill({"sample": "s", "text": "t"}).messages) == 1
