"""The translation catalogues are complete, up to date, keep all placeholders, and fit Discord's limits."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from string import Formatter

import pytest
from babel.messages.catalog import Catalog, Message
from discord import app_commands

from bot.core.i18n import FOLDER
from bot.locales.collect import (
    languages,
    read_catalogue,
    sources,
    to_mo,
    to_po,
    translated_command_strings,
    updated_catalogue,
)
from bot.locales.commands import AnyCommand, registered_commands
from bot.ui.locale import COMMAND, OPTION

# Discord's rule for names of commands and options: https://docs.discord.com/developers/interactions/
NAME_RULE = re.compile(r"^[-_'\w]{1,32}$", re.UNICODE)
MAX_DESCRIPTION = 100
# The keyword arguments that Discord limits in modals and menus, with their limits in characters.
LIMITS = {"label": 45, "title": 45, "placeholder": 100}
# A command named inside a sentence.
MENTION = re.compile(r"(?<![\w/<])/([a-z]+(?: [a-z]+)*)")


@pytest.mark.parametrize("language", languages())
def test_a_catalogue_is_up_to_date(language: str) -> None:
    """`make catalogues` would change nothing."""
    path = FOLDER / language
    assert path.with_suffix(".po").read_bytes() == to_po(updated_catalogue(language)), "run: make catalogues"
    assert path.with_suffix(".mo").read_bytes() == to_mo(read_catalogue(language)), "run: make catalogues"


@pytest.mark.parametrize("language", languages())
def test_every_sentence_is_translated(language: str) -> None:
    """No translation is missing or marked as fuzzy."""
    assert not [message.id for message in _messages(language) if message.fuzzy or not all(_strings(message))]


@pytest.mark.parametrize("language", languages())
def test_a_translation_has_the_placeholders_of_its_sentence(language: str) -> None:
    """Each translation uses exactly the placeholders of one of its English forms."""
    wrong = [
        (message.id, text)
        for message in _messages(language)
        for text in _strings(message)
        # The singular may leave the number out.
        if _fields(text) not in [_fields(given) for given in _ids(message)]
    ]
    assert not wrong


@pytest.mark.parametrize("language", languages())
def test_names_and_descriptions_are_valid_for_discord(language: str) -> None:
    """Names are lower case, without spaces, at most 32 characters; descriptions at most 100."""
    catalog = read_catalogue(language)
    for string in translated_command_strings():
        text = _string(catalog.get(string.message, string.context or None))
        if string.context:
            assert NAME_RULE.match(text), string
            assert text == text.lower(), string
        else:
            assert 1 <= len(text) <= MAX_DESCRIPTION, string


@pytest.mark.parametrize("language", languages())
def test_labels_titles_and_placeholders_fit_discords_limits(language: str) -> None:
    """Discord refuses a whole modal for one label that is too long."""
    catalog = read_catalogue(language)
    long = [
        (message, text)
        for message, limit in limited_texts()
        if len(re.sub(r"{.*?}", "", text := _string(catalog.get(message)))) > limit
    ]
    assert not long


@cache
def limited_texts() -> list[tuple[str, int]]:
    """Every translated label, title and placeholder, with its limit in characters."""
    return list(_limited_texts())


def _limited_texts() -> Iterator[tuple[str, int]]:
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg in LIMITS and isinstance(node.value, ast.Call):
                call = node.value
                if ast.unparse(call.func) == "_" and isinstance(call.args[0], ast.Constant):
                    yield str(call.args[0].value), LIMITS[node.arg]


@pytest.mark.parametrize("language", languages())
def test_translated_names_of_commands_and_options_are_unique(language: str) -> None:
    """No two commands of a group, and no two options of a command, get the same name."""
    catalog = read_catalogue(language)

    def name(command: AnyCommand) -> str:
        context = "" if isinstance(command, app_commands.ContextMenu) else COMMAND
        return _translated(command.name, catalog, context)

    top_level = [command for command in registered_commands() if " " not in command.qualified_name]
    siblings: list[list[str]] = [[name(command) for command in top_level]]
    for command in registered_commands():
        if isinstance(command, app_commands.Group):
            siblings.append([name(child) for child in command.commands])
        elif isinstance(command, app_commands.Command):
            siblings.append([_translated(option.display_name, catalog, OPTION) for option in command.parameters])
    assert not [names for names in siblings if len(set(names)) < len(names)]


@pytest.mark.parametrize("language", languages())
def test_a_sentence_uses_the_translated_name_of_a_command(language: str) -> None:
    """A German sentence names a command by its German name."""
    catalog = read_catalogue(language)
    names = {command.qualified_name: _path(command, catalog) for command in registered_commands()}
    wrong = []
    for message in _messages(language):
        for mention in MENTION.findall(_ids(message)[0]):
            words = mention.split()
            path = next((p for n in range(len(words), 0, -1) if (p := " ".join(words[:n])) in names), None)
            if path and not all(f"/{names[path]}" in text for text in _strings(message)):
                wrong.append((message.id, names[path]))
    assert not wrong


def _path(command: AnyCommand, catalog: Catalog) -> str:
    return " ".join(_translated(word, catalog) for word in command.qualified_name.split())


def _translated(word: str, catalog: Catalog, context: str = COMMAND) -> str:
    """A command's name in the catalogue's language, or the English one."""
    found = catalog.get(word, context or None)
    return word if found is None else _string(found)


def _messages(language: str) -> list[Message]:
    return [message for message in read_catalogue(language) if message.id]


def _ids(message: Message) -> tuple[str, ...]:
    return (message.id,) if isinstance(message.id, str) else tuple(message.id)


def _strings(message: Message) -> tuple[str, ...]:
    assert message.string is not None
    return (message.string,) if isinstance(message.string, str) else tuple(message.string)


def _string(message: Message | None) -> str:
    assert message is not None, "not in the catalogue"
    return _strings(message)[0]


def _fields(text: str) -> set[tuple[str | None, str | None]]:
    return {(name, spec) for _text, name, spec, _conversion in Formatter().parse(text) if name is not None}
