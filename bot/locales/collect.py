"""Collect every sentence that the bot says, and build the catalogues from them.

Collected are: sentences given to `_`, `N_`, `ngettext` and `pgettext`; the first argument of every subclass of
`FewshotError`; the `about` texts of the shipped templates; names and descriptions of all registered commands.
"""

import ast
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from bot.core.i18n import ENGLISH, FOLDER, LANGUAGES
from bot.locales.commands import CommandString, command_strings

ROOT = Path(__file__).parents[2]
PACKAGES = ("bot", "cogs")
# The built-in corpora. Their names are not translated.
CORPORA = ("racing",)
COMMAND_NAME = re.compile(r"/\w+")
# A fixed date, so that a catalogue changes only when a sentence does.
DATE = datetime(2026, 1, 1, tzinfo=UTC)
# The functions that mark a sentence, and how many string arguments each takes.
MARKERS = {"_": 1, "N_": 1, "ngettext": 2, "pgettext": 2}
# The command line, the engine's API and the build tool are English only.
ENGLISH_ONLY = ("bot/cli/", "bot/engine/", "bot/bot.py", "bot/locales/")
# Of these, the modules behind the button Get a model and behind the bases of /finetune.
SHOWN_IN_DISCORD = (
    "bot/engine/lora/bases.py",
    *(f"bot/engine/llama/{name}.py" for name in ("catalog", "download", "gguf", "service", "store")),
)

# A marked sentence: the message (or singular and plural), its context, and comments for translators.
Marked = tuple[str | tuple[str, str], str | None, list[str]]


def empty_catalogue(language: str | None) -> Catalog:
    """A catalogue without entries; `language` is None for the template of all catalogues."""
    comment = "# Made by `make catalogues` from what the bot says; translate here, and run it again."
    # Authors and dates are in the project's history.
    return Catalog(
        locale=language,
        header_comment=comment,
        project="Fewshot",
        version="1",
        msgid_bugs_address="Fewshot",
        last_translator="Fewshot",
        language_team="Fewshot",
        creation_date=DATE,
        revision_date=DATE,
        fuzzy=False,
    )


def languages() -> list[str]:
    """The languages that have a catalogue: all but English, which is in the code."""
    return [language for language in LANGUAGES if language != ENGLISH]


@cache
def all_messages() -> Catalog:
    """Every sentence, untranslated, with the file that it comes from."""
    catalog = empty_catalogue(None)
    errors = error_classes()
    for path in sources():
        # No line numbers: they change with every edit.
        place = [(str(path.relative_to(ROOT)), 0)]
        for message, context, comments in marked_messages(path.read_text(encoding="utf-8"), errors):
            catalog.add(message, locations=place, auto_comments=comments, context=context)
    for name, about in template_descriptions():
        catalog.add(about, locations=[(name, 0)])
    for string in translated_command_strings():
        catalog.add(string.message, locations=[(string.command, 0)], context=string.context or None)
    return catalog


def template_descriptions() -> Iterator[tuple[str, str]]:
    """File and sentences of every shipped template, style and scenario: `about`, and `empty` in `command`."""
    for path in sorted((ROOT / "templates").rglob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        # A file holds one template, or several by name.
        for template in [content] if "messages" in content else content.values():
            if isinstance(template, dict) and "about" in template:
                yield str(path.relative_to(ROOT)), template["about"]
                for sentence in _empty_sentences(template.get("command", {})):
                    yield str(path.relative_to(ROOT)), sentence


def _empty_sentences(command: dict[str, Any]) -> Iterator[str]:
    """What a command of a template answers to blank values, and its lists of suggestions."""
    parts = [*command.get("options", {}).values(), command.get("menu", {})]
    for part in parts:
        if "empty" in part:
            yield part["empty"]
        if isinstance(part.get("autocomplete"), list):
            yield from part["autocomplete"]


def sources() -> Iterator[Path]:
    """Every source file whose sentences can reach a person in Discord."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if name.startswith(SHOWN_IN_DISCORD) or not name.startswith(ENGLISH_ONLY):
                yield path


def marked_messages(source: str, errors: frozenset[str]) -> Iterator[Marked]:
    """Every sentence that `source` marks; `errors` are the names of the error classes whose argument is one.

    Babel's own extractor does not read f-strings before Python 3.12.
    """
    lines = source.split("\n")
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = _name(node.func)
        expected = MARKERS.get(name, 1 if name in errors else 0)
        texts = [
            arg.value for arg in node.args[:expected] if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
        ]
        if not expected or len(texts) < expected or not texts[-1]:
            continue
        above = lines[node.lineno - 2].strip() if node.lineno > 1 else ""
        comments = [above.removeprefix("# ")] if above.startswith("# Translators:") else []
        if name == "ngettext":
            yield (texts[0], texts[1]), None, comments
        else:
            yield texts[-1], texts[0] if name == "pgettext" else None, comments


def _name(called: ast.expr) -> str:
    """The last part of the name of a function; empty for a function without one."""
    return called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""


@cache
def error_classes() -> frozenset[str]:
    """The names of `FewshotError` and of all its subclasses, found in the sources."""
    bases: dict[str, set[str]] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    bases[node.name] = {base.id for base in node.bases if isinstance(base, ast.Name)}
    found, before = {"FewshotError"}, 0
    while len(found) > before:
        before = len(found)
        found |= {name for name, parents in bases.items() if parents & found}
    return frozenset(found)


def translated_command_strings() -> list[CommandString]:
    """The strings of all commands, without names of corpora, languages and commands."""
    untranslated = {*LANGUAGES.values(), *CORPORA}
    return [
        string
        for string in command_strings()
        if string.message not in untranslated and not COMMAND_NAME.fullmatch(string.message)
    ]


def read_catalogue(language: str) -> Catalog:
    """The catalogue of `language` on disk, or an empty one when there is no file yet."""
    path = FOLDER / f"{language}.po"
    if not path.exists():
        return empty_catalogue(language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def updated_catalogue(language: str) -> Catalog:
    """The catalogue on disk with new sentences added and unused ones removed."""
    catalog = read_catalogue(language)
    catalog.update(all_messages(), no_fuzzy_matching=True, update_creation_date=False)
    catalog.obsolete.clear()
    return catalog


def to_mo(catalog: Catalog) -> bytes:
    """The compiled form, read by gettext."""
    buffer = BytesIO()
    write_mo(buffer, catalog)
    return buffer.getvalue()


def to_po(catalog: Catalog) -> bytes:
    """The source form, edited by translators."""
    buffer = BytesIO()
    write_po(buffer, catalog, width=100, sort_output=True, include_lineno=False, omit_header=False)
    return buffer.getvalue()
