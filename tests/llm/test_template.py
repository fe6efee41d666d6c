"""A template is strict data: every problem is named at once. Filling it is one pass and changes nothing else."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import TemplateError
from bot.llm import ChatTemplate
from bot.llm.template import COMMON_PARAMETERS, PLACEHOLDER, chat_parameters, fill, placeholders_in

# The chapter's own form: messages and parameters, and nothing of ours.
CHAPTER: dict[str, Any] = {
    "temperature": 0,
    "max_tokens": 50,
    "stop": "\n",
    "messages": [
        {"role": "system", "content": "You translate from {{from}} to {{to}}."},
        {"role": "user", "content": "Good day"},
        {"role": "assistant", "content": "Guten Tag"},
        {"role": "user", "content": "Thank you"},
        {"role": "assistant", "content": "Danke"},
        {"role": "user", "content": "Goodbye"},
        {"role": "assistant", "content": "Auf Wiedersehen"},
        {"role": "user", "content": "{{text}}"},
    ],
}


def written(folder: Path, content: str | bytes, name: str = "mine.json") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_the_chapters_form_loads_unchanged(tmp_path: Path) -> None:
    template = ChatTemplate.from_file(written(tmp_path, json.dumps(CHAPTER)))
    assert template.name == "mine"
    assert list(template.messages) == CHAPTER["messages"]
    assert template.parameters == {"temperature": 0, "max_tokens": 50, "stop": "\n"}
    assert template.placeholders == ("from", "to", "text")


def test_messages_alone_are_a_template() -> None:
    template = ChatTemplate.from_dict({"messages": [{"role": "user", "content": "Hello"}]})
    assert template.parameters == {}
    assert template.fill({}).messages == ({"role": "user", "content": "Hello"},)


def test_a_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    path = written(tmp_path, json.dumps(CHAPTER).encode("utf-8-sig"))
    assert len(ChatTemplate.from_file(path).messages) == 8


def test_every_problem_and_the_file_are_named_in_one_error(tmp_path: Path) -> None:
    bad = {
        "mesages": [],
        "temprature": 1,
        "reply": "poem",
        "inputs": {"text": {"about": "it", "maximum": 5}},
        "messages": [{"role": "pirate", "content": "Arr"}, {"role": "user"}],
    }
    with pytest.raises(TemplateError) as caught:
        ChatTemplate.from_file(written(tmp_path, json.dumps(bad), "broken.json"))
    sentence = str(caught.value)
    for named in ("broken.json", "mesages", "temprature", "reply", "maximum", "messages.0.role", "messages.1.content"):
        assert named in sentence


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("{not json", "not JSON"),
        (b"\xff\xfe{\x00", "not UTF-8"),
        ("[" * 100_000, "too deep"),
        ("[]", "JSON object"),
        ('"messages"', "JSON object"),
        ("{}", "messages"),
        ('{"messages": []}', "messages"),
        ('{"messages": [{"role": "user", "content": 5}]}', "messages.0.content"),
        ('{"reply": "json", "messages": [{"role": "user", "content": "x"}]}', "schema"),
        ('{"schema": {}, "messages": [{"role": "user", "content": "x"}]}', "schema"),
        ('{"stream": true, "messages": [{"role": "user", "content": "x"}]}', "stream"),
    ],
)
def test_a_file_that_is_no_template_is_one_sentence_with_its_name(
    tmp_path: Path, content: str | bytes, named: str
) -> None:
    with pytest.raises(TemplateError) as caught:
        ChatTemplate.from_file(written(tmp_path, content, "odd.json"))
    assert "odd.json" in str(caught.value)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"gone\.json"):
        ChatTemplate.from_file(tmp_path / "gone.json")


def test_loading_does_not_touch_the_callers_dict() -> None:
    data = copy.deepcopy(CHAPTER)
    ChatTemplate.from_dict(data).fill({"from": "a", "to": "b", "text": "c"})
    assert data == CHAPTER


def test_from_dict_of_to_dict_is_an_equal_template() -> None:
    data = {
        **CHAPTER,
        "about": "Translate",
        "inputs": {"text": {"about": "what", "max": 50}, "to": {"about": "into", "default": "French"}},
        "reply": "json",
        "schema": {"type": "object"},
    }
    template = ChatTemplate.from_dict(data, name="mine")
    assert ChatTemplate.from_dict(json.loads(json.dumps(template.to_dict())), name="mine") == template


@pytest.mark.parametrize(("asked", "kept"), [(0, 0), (1, 1), (3, 3), (99, 3), (-1, 0)])
def test_any_number_of_examples_can_be_shown(asked: int, kept: int) -> None:
    template = ChatTemplate.from_dict(CHAPTER).with_examples(asked)
    assert len(template.examples) == kept
    assert [message["content"] for message in template.messages[1:-1:2]] == ["Good day", "Thank you", "Goodbye"][:kept]
    assert template.messages[0]["role"] == "system"
    assert template.messages[-1]["content"] == "{{text}}"


@pytest.mark.parametrize(("count", "name"), [(0, "zero-shot"), (1, "one-shot"), (2, "few-shot"), (3, "few-shot")])
def test_the_technique_is_named_by_the_number_of_examples(count: int, name: str) -> None:
    template = ChatTemplate.from_dict(CHAPTER).with_examples(count)
    request = template.fill({"from": "English", "to": "German", "text": "Yes"})
    assert (request.technique, request.examples) == (name, count)


def test_a_conversation_that_does_not_pair_up_has_no_examples() -> None:
    turns = [{"role": role, "content": role} for role in ("user", "user", "assistant", "user")]
    template = ChatTemplate.from_dict({"messages": turns})
    assert template.examples == ()
    assert len(template.with_examples(0).messages) == 4


def test_the_parameters_are_those_of_the_installed_client() -> None:
    assert chat_parameters() >= COMMON_PARAMETERS
    assert not {"messages", "stream", "n"} & chat_parameters()


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
        assert placeholders_in([text]) == ()


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


def test_a_default_replaces_only_a_missing_value() -> None:
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
