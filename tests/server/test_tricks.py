"""A trick told apart and put together again is the same, whatever people typed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.app import TEMPLATES
from bot.core.errors import InputError
from bot.llm.template import ChatTemplate
from bot.llm.template_registry import open_template_registry
from bot.server.similarity import likeness, nearest
from bot.server.trick_form import Example, Trick, to_trick, with_correction, with_defaults

pytestmark = pytest.mark.both_databases

# What people type, placeholders of every kind among it.
WORDS = st.lists(
    st.sampled_from(
        ["{{input}}", "{{ input }}", "{{words_1}}", "{{", "}}", "{{x}}", "good", "day", " ", "\n", "é", "{}"]
    ),
    max_size=6,
).map("".join)
EXAMPLES = st.lists(st.builds(Example, WORDS, WORDS), max_size=4).map(tuple)


def tricks() -> st.SearchStrategy[Trick]:
    system = WORDS.map(lambda text: ({"role": "system", "content": text},))
    return st.builds(Trick, st.just("a"), st.just("about"), system, WORDS, WORDS, examples=EXAMPLES)


@given(tricks())
def test_a_trick_survives_conversion_to_a_template_and_a_file(trick: Trick) -> None:
    data = json.loads(json.dumps(trick.template().to_dict()))
    assert to_trick(ChatTemplate.from_dict(data, name="a")) == trick


@given(tricks(), WORDS)
def test_only_the_input_is_filled_in_and_all_else_stands_as_it_was_typed(trick: Trick, text: str) -> None:
    sent = trick.template().fill({"input": text}).messages
    examples = [words for example in trick.examples for words in (example.given, example.wanted)]
    assert [message["content"] for message in sent] == [trick.system[0]["content"], *examples, trick.user_message(text)]


@given(tricks(), WORDS, WORDS)
def test_a_correction_is_the_last_example_as_it_was_typed(trick: Trick, text: str, wanted: str) -> None:
    values = {"input": text}
    mended = with_correction(trick.template(), values, text, wanted)
    assert [message["content"] for message in mended.fill(values).messages[-3:]] == [
        trick.user_message(text),
        wanted,
        trick.user_message(text),
    ]
    assert to_trick(with_defaults(mended, values)).examples == (
        *trick.examples,
        Example(trick.user_message(text), wanted),
    )


@pytest.mark.parametrize("name", ["sentiment", "facts", "translate", "rewrite"])
def test_every_shipped_trick_can_become_a_servers_own(name: str) -> None:
    """On the same input both send the same messages."""
    template = open_template_registry(TEMPLATES).get(name)
    values = {key: f"some {key}" for key in template.placeholders}
    trick = to_trick(with_defaults(template, values))
    (text,) = [values[key] for key in template.placeholders if key == trick.input]
    assert trick.template().fill({trick.input: text}).messages == template.fill(values).messages


def test_a_prompt_without_one_input_is_no_trick() -> None:
    template = ChatTemplate.from_dict({"messages": [{"role": "user", "content": "Tell me a joke."}]})
    with pytest.raises(InputError, match="was not made from one text"):
        with_defaults(template, {})


def test_the_nearest_share_words_or_their_stems_and_keep_their_order() -> None:
    texts = ["a red bicycle", "the replacement came late", "blue skies", "they replaced it", "a green bicycle"]
    assert nearest("Was it replaced in time?", texts, 2) == [1, 3]
    assert nearest("my bicycle", texts, 2) == [0, 4]


@given(st.text(max_size=40), st.lists(st.text(max_size=20), max_size=12), st.integers(0, 12))
def test_as_many_are_nearest_as_are_wanted_and_there(text: str, texts: list[str], count: int) -> None:
    places = nearest(text, texts, count)
    assert len(places) == min(count, len(texts))
    assert places == sorted(set(places))


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_likeness_is_a_share_and_the_same_both_ways(one: str, other: str) -> None:
    assert -1e-9 <= likeness(one, other) <= 1 + 1e-9
    assert likeness(one, other) == pytest.approx(likeness(other, one))


def test_the_same_words_are_all_alike_and_others_not_at_all() -> None:
    assert likeness("Alas, no.", "alas no") == pytest.approx(1)
    assert likeness("yes", "often") == 0
