"""`make catalogues`: collect what the bot says into `bot/locales/*.po`, keep what is translated, compile.

What is collected: sentences given to `_`, `N_`, `ngettext` and `pgettext`, the first argument of every error of
ours, what the shipped templates say of themselves, and the names and descriptions of all commands as registered.
"""

import ast
import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from bot.core.i18n import ENGLISH, FOLDER, LANGUAGES
from tests.commands import Said, strings

ROOT = Path(__file__).parent.parent
ROOMS = ("bot", "cogs")
# The corpora that the bot brings along.
CORPORA = ("racing",)
COMMAND = re.compile(r"/\w+")
# A fixed moment: the catalogues change when sentences do, and not with the clock.
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
# The functions that mark a sentence, and how many strings each is given.
SAYING = {"_": 1, "N_": 1, "ngettext": 2, "pgettext": 2}
# What is read at a terminal, or by programs that speak the engine's wire, stays English.
ENGLISH_ONLY = ("bot/cli/", "bot/engine/", "bot/bot.py")


def empty(language: str | None) -> Catalog:
    """A catalogue without a sentence."""
    head = "# Made by `make catalogues` from what the bot says; translate here, and run it again."
    # Who wrote what, and when, is in the project's history.
    names = dict.fromkeys(("msgid_bugs_address", "last_translator", "language_team"), "Fewshot")
    dates = {"creation_date": MOMENT, "revision_date": MOMENT}
    return Catalog(locale=language, header_comment=head, project="Fewshot", version="1", fuzzy=False, **names, **dates)


def languages() -> list[str]:
    """The languages that have a catalogue; the code itself is the English one."""
    return [language for language in LANGUAGES if language != ENGLISH]


def template() -> Catalog:
    """Everything that is said, untranslated, with the places where it is said."""
    catalog = empty(None)
    ours = frozenset(errors())
    for path in sources():
        # Lines shift with every edit; the file says enough.
        place = [(str(path.relative_to(ROOT)), None)]
        for message, context, comment in said_in(path.read_text(encoding="utf-8"), ours):
            catalog.add(message, locations=place, auto_comments=comment, context=context)
    for path, about in abouts():
        catalog.add(about, locations=[(path, None)])
    for said in command_strings():
        catalog.add(said.message, locations=[(said.where, None)], context=said.context or None)
    return catalog


def abouts() -> Iterator[tuple[str, str]]:
    """What each shipped template, style and adventure says of itself, and the file that it stands in."""
    for path in sorted((ROOT / "templates").rglob("*.json")):
        template = json.loads(path.read_text(encoding="utf-8"))
        # A file is one template, or several by their names.
        for found in [template] if "messages" in template else template.values():
            if isinstance(found, dict) and "about" in found:
                yield str(path.relative_to(ROOT)), found["about"]


def sources() -> Iterator[Path]:
    """Every file whose sentences may reach somebody in Discord."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if not str(path.relative_to(ROOT)).startswith(ENGLISH_ONLY):
                yield path


def said_in(source: str, ours: frozenset[str]) -> Iterator[tuple[str | tuple[str, str], str | None, list[str]]]:
    """Message, context and the comment for translators of every call in `source` that marks a sentence.

    Babel's own extractor does not look into f-strings before Python 3.12.
    """
    lines = source.split("\n")
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func).rpartition(".")[2]
        wanted = SAYING.get(name, 1 if name in ours else 0)
        given = [
            arg.value for arg in node.args[:wanted] if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
        ]
        if not wanted or len(given) < wanted or not given[-1]:
            continue
        above = lines[node.lineno - 2].strip() if node.lineno > 1 else ""
        comment = [above.removeprefix("# ")] if above.startswith("# Translators:") else []
        if name == "ngettext":
            yield (given[0], given[1]), None, comment
        else:
            yield given[-1], given[0] if name == "pgettext" else None, comment


def errors() -> list[str]:
    """The names of the classes whose first argument is a sentence: ours, by what they inherit from."""
    bases: dict[str, set[str]] = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    bases[node.name] = {base.id for base in node.bases if isinstance(base, ast.Name)}
    ours, before = {"FewshotError"}, 0
    while len(ours) > before:
        before = len(ours)
        ours |= {name for name, parents in bases.items() if parents & ours}
    return sorted(ours)


def command_strings() -> list[Said]:
    """What the commands show, but for names of corpora, languages and single commands."""
    same = {*LANGUAGES.values(), *CORPORA}
    return [said for said in strings() if said.message not in same and not COMMAND.fullmatch(said.message)]


def catalogue(language: str) -> Catalog:
    """The catalogue of `language` as it lies on disk; an empty one where there is none yet."""
    path = FOLDER / f"{language}.po"
    if not path.exists():
        return empty(language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def merged(language: str) -> Catalog:
    """The catalogue with everything that is said now, and nothing that is not said any more."""
    catalog = catalogue(language)
    catalog.update(template(), no_fuzzy_matching=True, update_creation_date=False)
    catalog.obsolete.clear()
    return catalog


def compiled(catalog: Catalog) -> bytes:
    """As gettext reads it."""
    buffer = BytesIO()
    write_mo(buffer, catalog)
    return buffer.getvalue()


def written(catalog: Catalog) -> bytes:
    """As people edit it."""
    buffer = BytesIO()
    write_po(buffer, catalog, width=100, sort_output=True, include_lineno=False, omit_header=False)
    return buffer.getvalue()


def main() -> int:
    """Bring all catalogues up to date; 1 where a sentence is not translated yet."""
    missing = 0
    for language in languages():
        catalog = merged(language)
        (FOLDER / f"{language}.po").write_bytes(written(catalog))
        (FOLDER / f"{language}.mo").write_bytes(compiled(catalog))
        open_ones = sum(1 for message in catalog if message.id and not message.string)
        missing += open_ones
        print(f"{language}: {len(catalog)} sentences, {open_ones} to be translated")
    return int(missing > 0)


if __name__ == "__main__":
    sys.exit(main())
