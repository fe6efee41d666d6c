"""The catalogues: whole, up to date, with the same placeholders, and fit for Discord."""

import ast
import re
from collections.abc import Iterator
from string import Formatter

import pytest
from babel.messages.catalog import Catalog, Message
from discord import app_commands

from bot.core.i18n import FOLDER
from bot.ui.translator import COMMAND, OPTION
from tests.catalogues import catalogue, command_strings, compiled, languages, merged, sources, written
from tests.commands import AnyCommand, registered

# What Discord takes as the name of a command or an option: https://docs.discord.com/developers/interactions/
NAME_RULE = re.compile(r"^[-_'\w]{1,32}$", re.UNICODE)
DESCRIPTION = 100
# What it takes on a window's title and labels, and in an empty field.
LABEL, PLACEHOLDER = 45, 100
DRAWN = {"label": LABEL, "title": LABEL, "placeholder": PLACEHOLDER}
# A mention of one of our commands inside a sentence.
MENTION = re.compile(r"(?<![\w/<])/([a-z]+(?: [a-z]+)*)")


@pytest.mark.parametrize("language", languages())
def test_a_catalogue_holds_all_that_is_said_and_nothing_else(language: str) -> None:
    """`make catalogues` has nothing to add, to take out, or to compile."""
    path = FOLDER / language
    assert path.with_suffix(".po").read_bytes() == written(merged(language)), "run: make catalogues"
    assert path.with_suffix(".mo").read_bytes() == compiled(catalogue(language)), "run: make catalogues"


@pytest.mark.parametrize("language", languages())
def test_every_sentence_is_translated(language: str) -> None:
    """None is missing, and none is a machine's guess."""
    assert not [message.id for message in _messages(language) if message.fuzzy or not all(_strings(message))]


@pytest.mark.parametrize("language", languages())
def test_a_translation_has_the_placeholders_of_its_sentence(language: str) -> None:
    """Nothing is lost, and nothing is asked for that is not given."""
    wrong = [
        (message.id, text)
        for message in _messages(language)
        for text in _strings(message)
        # One of a thing need not name the number.
        if _fields(text) not in [_fields(given) for given in _ids(message)]
    ]
    assert not wrong


@pytest.mark.parametrize("language", languages())
def test_names_and_descriptions_are_what_discord_takes(language: str) -> None:
    """Names are short, in lower case and without spaces; descriptions are not longer than they may be."""
    known = catalogue(language)
    for said in command_strings():
        text = _string(known.get(said.message, said.context or None))
        if said.context:
            assert NAME_RULE.match(text), said
            assert text == text.lower(), said
        else:
            assert 1 <= len(text) <= DESCRIPTION, said


@pytest.mark.parametrize("language", languages())
def test_labels_fit_where_they_are_drawn(language: str) -> None:
    """Discord refuses a whole window for one label that is too long."""
    known = catalogue(language)
    long = [
        (message, text)
        for message, most in drawn()
        if len(re.sub(r"{.*?}", "", text := _string(known.get(message)))) > most
    ]
    assert not long


def drawn() -> Iterator[tuple[str, int]]:
    """Every label, title and placeholder that is a sentence of its own, and how long it may be."""
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg in DRAWN and isinstance(node.value, ast.Call):
                call = node.value
                if ast.unparse(call.func) == "_" and isinstance(call.args[0], ast.Constant):
                    yield str(call.args[0].value), DRAWN[node.arg]


@pytest.mark.parametrize("language", languages())
def test_no_two_commands_or_options_have_one_name(language: str) -> None:
    """Side by side, each is told from the others."""
    known = catalogue(language)

    def name(of: AnyCommand) -> str:
        return _named(of.name, known, "" if isinstance(of, app_commands.ContextMenu) else COMMAND)

    tops = [command for command in registered() if " " not in command.qualified_name]
    families: list[list[str]] = [[name(command) for command in tops]]
    for command in registered():
        if isinstance(command, app_commands.Group):
            families.append([name(child) for child in command.commands])
        elif isinstance(command, app_commands.Command):
            families.append([_named(option.display_name, known, OPTION) for option in command.parameters])
    assert not [family for family in families if len(set(family)) < len(family)]


@pytest.mark.parametrize("language", languages())
def test_a_sentence_names_commands_as_its_reader_finds_them(language: str) -> None:
    """A German reader is sent to the German name of a command."""
    known = catalogue(language)
    names = {command.qualified_name: _path(command, known) for command in registered()}
    wrong = []
    for message in _messages(language):
        for mention in MENTION.findall(_ids(message)[0]):
            words = mention.split()
            path = next((p for n in range(len(words), 0, -1) if (p := " ".join(words[:n])) in names), None)
            if path and not all(f"/{names[path]}" in text for text in _strings(message)):
                wrong.append((message.id, names[path]))
    assert not wrong


def _path(command: AnyCommand, known: Catalog) -> str:
    return " ".join(_named(word, known) for word in command.qualified_name.split())


def _named(word: str, known: Catalog, context: str = COMMAND) -> str:
    """A command's name in the language, or its own where it has none."""
    found = known.get(word, context or None)
    return word if found is None else _string(found)


def _messages(language: str) -> list[Message]:
    return [message for message in catalogue(language) if message.id]


def _ids(message: Message) -> tuple[str, ...]:
    return (message.id,) if isinstance(message.id, str) else tuple(message.id)


def _strings(message: Message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string)


def _string(message: Message | None) -> str:
    assert message is not None, "not in the catalogue"
    return _strings(message)[0]


def _fields(text: str) -> set[tuple[str | None, str | None]]:
    return {(name, spec) for _text, name, spec, _conversion in Formatter().parse(text) if name is not None}
