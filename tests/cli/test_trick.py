"""`fewshot trick`: test, import and export tricks in files."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.core.errors import InputError
from bot.server.prompt_files import read_prompt_file, to_promptfoo
from bot.server.trick_form import read_trick
from tests.cli.conftest import Run
from tests.fake_model import FakeModel

PROMPTFOO = """
description: Refuse politely
prompts:
  - '[{"role": "system", "content": "Refuse in {{tone}} words."}, {"role": "user", "content": "{{ask}}"}]'
  - 'A second one: {{ask}}'
providers: [openai:gpt-6-luna]
defaultTest:
  vars: {tone: kind}
tests:
  - vars: {ask: "Lend me a pod?"}
    assert: [{type: equals, value: "Alas, no."}]
  - vars: {ask: "Dance?"}
    assert: [{type: icontains, value: alas}]
  - vars: {ask: "Sing?"}
    assert: [{type: javascript, value: output.length > 3}]
"""
OBJECT = {
    "id": "pmpt_123",
    "object": "prompt",
    "model": "gpt-6-luna",
    "tools": [{"type": "web_search"}],
    "temperature": 0,
    "messages": [{"role": "developer", "content": [{"type": "input_text", "text": "Refuse politely."}]}],
}


async def test_a_promptfoo_file_becomes_a_trick_that_passes_or_fails_its_tests(
    fewshot: Run, fake: FakeModel, tmp_path: Path
) -> None:
    (tmp_path / "refuse.yaml").write_text(PROMPTFOO, encoding="utf-8")
    done = await fewshot("trick", "import", "refuse.yaml")
    assert done.code == 0
    assert "refuse.trick.tests.jsonl: 2 tests" in done.out
    for name in ("providers", "the prompts after the first", "assert: javascript"):
        assert f"left out, because a trick has no such part: {name}" in done.err
    fake.says("Alas, no.")
    passed = await fewshot(
        "trick", "test", "refuse.trick.json", "--tests", "refuse.trick.tests.jsonl", "--judge", "contains"
    )
    assert (passed.code, "100%  all examples" in passed.out) == (0, True)
    system, user = fake.requests[-1]["messages"]
    assert (system["content"], user["content"]) in [
        ("Refuse in kind words.", "Dance?"),
        ("Refuse in kind words.", "Lend me a pod?"),
    ]
    failed = await fewshot("trick", "test", "refuse.yaml", "--repeat", "2")
    assert failed.code == 1
    assert "wrong: Dance?\n  expected: alas\n  answer: Alas, no." in failed.out
    exported = await fewshot("trick", "export", "refuse.trick.json", "--tests", "refuse.trick.tests.jsonl")
    data = yaml.safe_load(exported.out)
    assert data["tests"][0] == {
        "vars": {"ask": "Lend me a pod?"},
        "assert": [{"type": "equals", "value": "Alas, no."}],
    }
    assert data["providers"] == [{"id": "openai:chat:gpt-6-luna"}]


def test_of_an_openai_prompt_object_tools_and_model_are_left_out_and_named() -> None:
    found = read_prompt_file(json.dumps(OBJECT))
    assert found.left_out == ["model", "tools"]
    trick = read_trick(found.template, "refuse")
    assert trick.system == ({"role": "developer", "content": "Refuse politely."},)
    assert (trick.input, dict(trick.parameters)) == ("input", {"temperature": 0})


def test_a_trick_survives_an_export_for_promptfoo_and_an_import() -> None:
    pair = [{"role": "user", "content": "Say {{x}}"}, {"role": "assistant", "content": "{{y}}, no."}]
    inputs = {"x": {"default": "{{a}}"}, "y": {"default": "Alas"}}
    last = {"role": "user", "content": "{{input}}"}
    trick = read_trick({"about": "refuse", "inputs": inputs, "messages": [*pair, last], "temperature": 1}, "refuse")
    found = read_prompt_file(to_promptfoo(trick, [("a", "b")], "exact", "gpt-6-luna"))
    again = read_trick(found.template, "refuse")
    assert (again.examples, again.about, again.input) == (trick.examples, trick.about, trick.input)
    assert [(row.input, row.expected) for row in found.tests] == [("a", "b")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prompts: [file://prompt.txt]", "in another file"),
        ("prompts: []", "has no prompt"),
        ("prompts: &a [*a]", "aliases"),
        ("prompts: !!python/object/apply:os.system ['true']", "not JSON"),
        ("- " * 5_000 + "x", "too many parts"),
        ("just words", "not JSON"),
        ('{"object": "prompt", "messages": [1]}', "messages of the prompt cannot be read"),
    ],
)
def test_a_file_that_is_no_prompt_says_why(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_prompt_file(text)


async def test_a_run_without_a_model_or_a_test_is_one_sentence(fewshot: Run, tmp_path: Path) -> None:
    data: dict[str, Any] = {"about": "x", "messages": [{"role": "user", "content": "{{input}}"}]}
    (tmp_path / "plain.json").write_text(json.dumps(data), encoding="utf-8")
    done = await fewshot("trick", "test", "plain.json")
    assert (done.code, done.err) == (1, "fewshot: There is no test: give a file with --tests.\n")
    missing = await fewshot("trick", "export", "nothing.json")
    assert (missing.code, "cannot be read" in missing.err) == (1, True)
