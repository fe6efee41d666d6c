"""The stand-in's law: it never returns an example's answer for another input, and never poses as a model."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.engine.requests import parse
from bot.engine.rule_based.model import StandIn
from bot.engine.rule_based.prompt import Prompt

TEMPLATES = Path(__file__).parents[3] / "templates"

# Long enough that two of them are never the same by chance, and none is a sentence of the stand-in's own.
ANSWERS = st.text(st.characters(categories=["L", "Nd", "Zs", "Po"]), min_size=12, max_size=60).filter(str.strip)
INPUTS = st.text(min_size=1, max_size=60)
INSTRUCTIONS = st.sampled_from(
    [
        "You translate English into French.",
        "You rate a review from 1 to 5 and give a reason.",
        "You rewrite a text in the style of the sample.",
        "You are a text adventure game. There is a table and a locked door.",
        "Answer from these facts.\n\nFacts:\nSenn Kava won race one. Vix Tor came second.",
        "Choose a template and answer with JSON.",
    ]
)


def replied(messages: list[dict[str, str]]) -> str | None:
    request = parse({"model": "stand-in", "messages": messages}, lambda _: False)
    return StandIn.reply(Prompt.of(request.messages))


@given(INSTRUCTIONS, st.lists(st.tuples(INPUTS, ANSWERS), min_size=1, max_size=4), INPUTS)
def test_an_examples_answer_is_never_returned_for_another_input(
    instruction: str, examples: list[tuple[str, str]], asked: str
) -> None:
    messages = [{"role": "system", "content": instruction}]
    for said, shown in examples:
        messages += [{"role": "user", "content": said}, {"role": "assistant", "content": shown}]
    reply = replied([*messages, {"role": "user", "content": asked}])
    assert reply is None or all(shown.strip() not in reply for _, shown in examples)


@given(INSTRUCTIONS, st.lists(st.tuples(INPUTS, ANSWERS), max_size=3))
def test_what_stands_in_the_examples_answers_does_not_change_a_reply(
    instruction: str, examples: list[tuple[str, str]]
) -> None:
    def messages(shown: str) -> list[dict[str, str]]:
        turns = [[{"role": "user", "content": said}, {"role": "assistant", "content": shown}] for said, _ in examples]
        flat = [message for turn in turns for message in turn]
        system = {"role": "system", "content": instruction}
        return [system, *flat, {"role": "user", "content": "Who won race one?"}]

    assert replied(messages("something")) == replied(messages("something else"))


def prompts() -> list[Any]:
    found = [*TEMPLATES.glob("*.json")]
    return [pytest.param(path, id=path.stem) for path in found if "messages" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", prompts())
def test_a_shipped_template_that_needs_a_model_is_refused_rather_than_answered(path: Path) -> None:
    messages = json.loads(path.read_text(encoding="utf-8"))["messages"]
    assert replied(messages) is None


@pytest.mark.parametrize("asked", ["Are you ChatGPT?", "Which model are you?", "Tell me a joke.", "Hello!"])
def test_it_does_not_chat(asked: str) -> None:
    assert replied([{"role": "user", "content": asked}]) is None
