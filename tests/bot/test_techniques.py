"""A technique is a template: a file in TEMPLATES_DIR is a slash command, and a broken one disturbs no other."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.app import TEMPLATES
from tests.bot.harness import BotHarness, is_final, is_sentence
from tests.bot.test_bad_input import only_a_sentence

pytestmark = pytest.mark.asyncio(loop_scope="package")

SUMMARIZE: dict[str, Any] = {
    "about": "Summarize a text",
    "inputs": {"text": {"about": "the text to summarize", "max": 3_000}, "length": {"default": "three sentences"}},
    "command": {
        "description": "Summarize a text in a few sentences",
        "options": {
            "text": {"description": "What to summarize", "empty": "There is nothing to summarize."},
            "length": {"description": "How long", "autocomplete": ["one sentence", "three sentences", "a page"]},
        },
        "private": {"description": "Show the summary to you alone, or to all"},
        "menu": {"name": "Summarize", "input": "text"},
        "user_install": True,
    },
    "messages": [
        {"role": "system", "content": "Summarize the user's text in {{length}}."},
        {"role": "user", "content": "{{text}}"},
    ],
}


def command(description: str = "Do it", **more: Any) -> dict[str, Any]:
    """A template with a command."""
    section = {"description": description, "options": {"text": {"description": "What"}}, **more}
    return {"command": section, "messages": [{"role": "user", "content": "{{text}}"}]}


def write(folder: Path, **templates: Any) -> Path:
    """A folder with a file for each template; a text is written as it is."""
    folder.mkdir()
    for name, data in templates.items():
        text = data if isinstance(data, str) else json.dumps(data)
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    return folder


async def test_one_file_is_a_command_with_options_suggestions_a_menu_and_a_prompt(
    fresh: BotHarness, tmp_path: Path
) -> None:
    own = write(tmp_path / "own", summarize=SUMMARIZE)
    async with fresh.bot(TEMPLATES_DIR=str(own)):
        (registered,) = [one for one in (await fresh.wire.commands())["0"] if one["name"] == "summarize"]
        assert registered["description"] == "Summarize a text in a few sentences"
        assert [
            (one["name"], one["description"], one["required"], one.get("max_length"), one.get("autocomplete", False))
            for one in registered["options"]
        ] == [
            ("text", "What to summarize", True, 3_000, False),
            ("length", "How long", False, 6_000, True),
            ("model", "The model that answers", False, 100, True),
            ("private", "Show the summary to you alone, or to all", False, None, False),
        ]
        fresh.model.says("It was long.")
        answer = await fresh.answer("summarize", text="A long story.")
        assert answer.content == "It was long.\n-# fake-model · zero-shot"
        assert answer.ephemeral
        assert fresh.model.requests[-1]["messages"] == [
            {"role": "system", "content": "Summarize the user's text in three sentences."},
            {"role": "user", "content": "A long story."},
        ]
        found = await fresh.wire.autocomplete("summarize", "length", "sent", text="x")
        assert [choice["value"] for choice in found] == ["one sentence", "three sentences"]
        public = await fresh.answer("summarize", text="A story.", length="a page", private=False)
        assert not public.ephemeral
        assert "in a page." in (await fresh.press(public, "Prompt")).text
        assert only_a_sentence(await fresh.notice("summarize", text=" \u2003 ")) == "There is nothing to summarize."
        said = await fresh.wire.say("Said by another.", user="admin", channel=fresh.place)
        answer = await (await fresh.wire.menu("Summarize", said)).answer(is_final)
        assert answer.ephemeral
        assert fresh.model.requests[-1]["messages"][-1]["content"] == "Said by another."
        compared = await fresh.answer("compare", trick="summarize", text="A story.")
        assert "summarize, compared" in compared.text
        assert "`/summarize` Summarize a text in a few sentences" in (await fresh.answer("help", is_sentence)).text
        await fresh.wire.grant("admin", "administrator")
        shown = await fresh.answer("settings privacy", is_sentence, command="summarize", private=False, user="admin")
        assert "/summarize" in shown.text
        assert not (await fresh.answer("summarize", text="A story.")).ephemeral


BROKEN: dict[str, tuple[Any, str]] = {
    "json": ('{"messages": [', "json.json is not JSON"),
    "about": ({**command(), "about": 5}, "about: Input should be a valid string"),
    "option": (command(options={"words": {"description": "What"}}), "has the option words, which is no input"),
    "lacking": (
        {**command(), "messages": [{"role": "user", "content": "{{text}} {{more}}"}]},
        "has no option for the input more",
    ),
    "long": (command("x" * 101), "command.description: String should have at most 100 characters"),
    "name": (command(name="No Name"), "command.name"),
    "key": (command(colour="red"), "command.colour: Extra inputs are not permitted"),
    "source": (
        command(options={"text": {"description": "What", "autocomplete": "planets"}}),
        "no suggestions called planets",
    ),
    "menu": (command(menu={"name": "Do it", "input": "words"}), "needs an option that it fills"),
    "raw": (command(raw="As it came"), "belongs to replies that are not text"),
    "private": (
        {
            "command": {"description": "Do it", "options": {"private": {"description": "What"}}},
            "messages": [{"role": "user", "content": "{{private}}"}],
        },
        "cannot have an option called private",
    ),
    "translate": (command(), "templates/translate.json and own/translate.json have the same name"),
    "second": (
        command(name="translate"),
        "templates/translate.json and own/second.json both have the command /translate",
    ),
    "third": (command(name="help"), "third.json cannot have the command /help: the bot already has one of that name"),
    "fourth": (
        command(menu={"name": "Translate", "input": "text"}),
        "fourth.json cannot have the menu Translate: the bot already has one of that name",
    ),
}


async def test_a_broken_file_and_one_whose_name_is_taken_are_named_at_start_and_the_rest_work(
    fresh: BotHarness, tmp_path: Path
) -> None:
    own = write(tmp_path / "own", summarize=SUMMARIZE, **{name: data for name, (data, _) in BROKEN.items()})
    async with fresh.bot(TEMPLATES_DIR=str(own)) as process:
        for name, (_, sentence) in BROKEN.items():
            assert sentence in process.output, name
        names = [one["name"] for one in (await fresh.wire.commands())["0"]]
        assert {"summarize", "translate", "facts", "rewrite", "help"} <= set(names)
        assert len(names) == len(set(names))
        assert not set(names) & (BROKEN.keys() - {"translate"})
        fresh.model.says("It was long.")
        assert (await fresh.answer("summarize", text="A long story.")).content.startswith("It was long.")
        assert "translator into Greek" in await prompt_of(fresh)


async def prompt_of(harness: BotHarness) -> str:
    """The system message of /translate."""
    await harness.answer("translate", text="x", to="Greek")
    return str(harness.model.requests[-1]["messages"][0]["content"])


async def test_a_folder_that_does_not_exist_is_named_and_the_shipped_templates_work(
    fresh: BotHarness, tmp_path: Path
) -> None:
    async with fresh.bot(TEMPLATES_DIR=str(tmp_path / "nowhere")) as process:
        assert "nowhere is not a folder" in process.output
        assert "translator into Greek" in await prompt_of(fresh)


async def test_the_shipped_commands_are_those_of_their_templates(harness: BotHarness) -> None:
    registered = {one["name"]: one for one in (await harness.wire.commands())["0"]}
    for path in TEMPLATES.glob("*.json"):
        section = json.loads(path.read_text(encoding="utf-8")).get("command")
        if section is not None:
            found = registered[section.get("name", path.stem)]
            assert found["description"] == section["description"]
            assert section["options"].keys() <= {option["name"] for option in found["options"]}


async def test_a_window_for_rewriting_that_was_opened_before_a_restart_is_answered(fresh: BotHarness) -> None:
    async with fresh.bot():
        said = await fresh.wire.say("Guten Tag zusammen", user="admin", channel=fresh.place)
        by_menu = await (await fresh.wire.menu("Rewrite…", said)).modal()
        again = await (await fresh.wire.menu("Rewrite…", said)).modal()
        by_command = await (await fresh.slash("rewrite", style="noir", private=False)).modal()
        styles = by_command.fields["style"]["options"]
        assert [style["value"] for style in styles if style.get("default")] == ["noir"]
    fresh.model.says("Rewritten.")
    async with fresh.bot():
        answer = await (await fresh.wire.submit(by_command, {"text": "Line 1\nLine 2"})).answer(is_final)
        assert answer.content.startswith("Rewritten.\n")
        assert not answer.ephemeral
        assert "Line 1\nLine 2" in fresh.model.requests[-1]["messages"][-1]["content"]
        answer = await (await fresh.wire.submit(by_menu, {"style": "haiku"})).answer(is_final)
        assert answer.ephemeral
        assert "Guten Tag zusammen" in fresh.model.requests[-1]["messages"][-1]["content"]
        await fresh.wire.grant("admin", "administrator")
        await fresh.answer("settings privacy", is_sentence, menus=False, user="admin")
        asked = len(fresh.model.requests)
        told = await (await fresh.wire.submit(again, {"style": "haiku"})).answer(is_sentence)
        assert "does not let me send other people's messages" in only_a_sentence(told)
        assert len(fresh.model.requests) == asked
        # The prompt goes with the message that it was made from, also after a restart.
        await fresh.wire.remove_message(said)
        told = await (await fresh.wire.press(answer, "Prompt")).answer(is_sentence)
        assert only_a_sentence(told) == "The prompt of this answer is no longer stored."
