"""`make catalogues`: collect what the bot says into `bot/locales/*.po`, keep what is translated, compile.

What is collected: sentences given to `_`, `N_`, `ngettext` and `pgettext`, the first argument of every error of
ours, and the names and descriptions of all commands as they are registered.
"""

import ast
import sys
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from bot.core.speech import ENGLISH, FOLDER, LANGUAGES
from tests.commands import Said, strings

ROOT = Path(__file__).parent.parent
ROOMS = ("bot", "cogs")
# The corpora that the bot brings along.
CORPORA = ("racing",)
# A fixed moment: the catalogues change when sentences do, and not with the clock.
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
SAYING = {"_": None, "N_": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2)}


def empty(language: str | None) -> Catalog:
    """A catalogue without a sentence."""
    head = "# Made by `make catalogues` from what the bot says; translate here, and run it again."
    dates = {"creation_date": MOMENT, "revision_date": MOMENT}
    return Catalog(locale=language, domain="bot", header_comment=head, project="Fewshot", fuzzy=False, **dates)


def languages() -> list[str]:
    """The languages that have a catalogue; the code itself is the English one."""
    return [language for language in LANGUAGES if language != ENGLISH]


def template() -> Catalog:
    """Everything that is said, untranslated, with the places where it is said."""
    catalog = empty(None)
    keywords = SAYING | dict.fromkeys(errors())
    for room in ROOMS:
        found = extract_from_dir(ROOT / room, [("**.py", "python")], keywords=keywords, comment_tags=("Translators:",))
        for path, _line, message, comments, context in found:
            # Lines shift with every edit; the file says enough.
            catalog.add(message, locations=[(f"{room}/{path}", None)], auto_comments=comments, context=context)
    for said in command_strings():
        catalog.add(said.message, locations=[(said.where, None)], context=said.context or None)
    return catalog


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
    """What the commands show, but for names that are the same in every language: of commands, languages, corpora."""
    same = {*LANGUAGES.values(), *CORPORA}
    return [said for said in strings() if not said.message.startswith("/") and said.message not in same]


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
