"""A routing reply is JSON that names a known template and its inputs; anything else is an error with a sentence."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.core.errors import ReplyError
from bot.llm import ChatClient
from bot.llm.completion import ask
from bot.llm.routing import Choice, describe_templates, parse_choice, without_unfillable_examples
from bot.llm.template_registry import TemplateRegistry, open_template_registry
from tests.fake_model import FakeModel

SHIPPED = Path(__file__).resolve().parents[2] / "templates"


@pytest.fixture(scope="module")
def registry() -> TemplateRegistry:
    return open_template_registry(SHIPPED)


async def chosen(registry: TemplateRegistry, client: ChatClient) -> Choice:
    select = registry.get("select")
    request = select.fill({"tricks": describe_templates(registry.templates), "request": "Say hello in Dutch"})
    answer = await ask(client, request)
    assert isinstance(answer.reply, dict)
    return parse_choice(answer.reply, registry.templates)


def test_the_description_is_a_json_object_a_line_and_names_every_input(registry: TemplateRegistry) -> None:
    lines = [json.loads(line) for line in describe_templates(registry.templates).splitlines()]
    assert [line["template"] for line in lines] == sorted(registry.templates)
    translate = next(line for line in lines if line["template"] == "translate")
    assert set(translate["inputs"]) == {"text", "to"}
    assert "may be left out" in translate["inputs"]["to"]


async def test_a_good_choice_names_template_inputs_and_why(
    fake: FakeModel, client: ChatClient, registry: TemplateRegistry
) -> None:
    fake.says('{"template": "translate", "inputs": {"text": "hello", "to": "Dutch", "mood": "x"}, "why": "Asked for."}')
    assert await chosen(registry, client) == Choice("translate", {"text": "hello", "to": "Dutch"}, "Asked for.")
    assert fake.requests[0]["temperature"] == 0


@pytest.mark.parametrize(
    ("said", "choice"),
    [
        ('{"template": "translate", "inputs": {"text": "hello"}}', Choice("translate", {"text": "hello"}, "")),
        (
            '{"template": " Translate", "inputs": {"text": 5, "to": null}, "why": null}',
            Choice("translate", {"text": "5"}, ""),
        ),
        ("{'template': 'translate', 'inputs': {'text': 'hi'},}", Choice("translate", {"text": "hi"}, "")),
    ],
)
async def test_a_choice_needs_no_reason(
    fake: FakeModel, client: ChatClient, registry: TemplateRegistry, said: str, choice: Choice
) -> None:
    fake.says(said)
    assert await chosen(registry, client) == choice
    assert len(fake.requests) == 1


async def test_a_choice_that_is_not_json_is_repaired_once(
    fake: FakeModel, client: ChatClient, registry: TemplateRegistry
) -> None:
    good = '{"template": "translate", "inputs": {"text": "hello"}, "why": "Asked for."}'
    fake.says("I would use translate.", good)
    assert (await chosen(registry, client)).template == "translate"


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("I would use translate.", "no JSON object"),
        ('{"template": "translate"', "malformed"),
        ('{"inputs": {}, "why": ""}', "does not fit"),
        ('{"template": 5, "inputs": {}, "why": ""}', "does not fit"),
        ('{"template": "none", "inputs": {}, "why": "Nothing fits."}', "not one of my tricks"),
        ('{"template": "poem", "inputs": {}, "why": "?"}', "“poem”"),
        ('{"template": "translate", "inputs": {"to": "Dutch"}, "why": "?"}', "found no text"),
        ('{"template": "translate", "inputs": {"text": ""}, "why": "?"}', "found no text"),
    ],
)
async def test_a_bad_choice_is_one_sentence(
    fake: FakeModel, client: ChatClient, registry: TemplateRegistry, said: str, sentence: str
) -> None:
    fake.says(said)
    with pytest.raises(ReplyError, match=sentence) as caught:
        await chosen(registry, client)
    assert "\n" not in str(caught.value)


def test_what_only_the_examples_need_may_be_left_out(registry: TemplateRegistry) -> None:
    reply: dict[str, Any] = {"template": "rewrite", "inputs": {"text": "Hello", "style": "pirate"}, "why": "?"}
    choice = parse_choice(reply, registry.templates)
    template = without_unfillable_examples(registry.get("rewrite"), choice.inputs)
    assert template.examples == ()
    assert template.fill(choice.inputs).technique == "zero-shot"
    assert without_unfillable_examples(registry.get("rewrite"), {**choice.inputs, "sample": "Arr"}).examples
