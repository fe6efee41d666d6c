"""Every sentence that people read in Discord is translated.

It is an argument of `_`, `N_`, `ngettext` or `pgettext`, or the first argument of a subclass of `FewshotError`.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from bot.locales.collect import MARKERS, ROOT, error_classes

# The packages whose sentences people read in Discord.
TRANSLATED = (
    *("cogs", "bot/answers", "bot/ui", "bot/server", "bot/play", "bot/tuning", "bot/llm"),
    *("bot/demo/tour.py", "bot/core/errors.py"),
)
# A sentence: two words with a space between them, the first of at least two letters.
SENTENCE = re.compile(r"[^\W\d_]{2,}[,;:.!?…]?\s+[^\W\d_]+", re.UNICODE)
# Calls whose strings go to the log or to programs, or are translated when commands are registered.
SILENT_CALLS = re.compile(
    r"^(_log\.\w+|re\.\w+|\w*ValueError|TypeError|RuntimeError|AssertionError|app_commands\.\w+|Field|ContextMenu|"
    r"commands\.\w+|warnings\.\w+|\w+\.autocomplete|\w+\.choices|.*\.removeprefix)$"
)
# Keyword arguments of matplotlib.
SILENT_KEYWORDS = frozenset({"textcoords", "loc"})
# Constants that a model, a program or the log reads, by the end of their names.
SILENT_NAMES = re.compile(r"_(PROMPT|PROGRAM|GRAMMAR|LOG)$")
# Keyword arguments that are shown on a button, a field or a card. Single words count there, too.
LABELS = frozenset({"label", "title", "placeholder", "footer", "heading"})
# Calls whose first argument is shown on a card.
CARDS = frozenset({"Card", "text"})
# Files whose strings people do not read in Discord, with the reason.
NOT_SHOWN: dict[str, str] = {
    "bot/tuning/lessons.py": "printed by `fewshot lesson`; the command line is English only",
    "bot/tuning/words.py": "lists of words for the checks, and refusals, which are compared and trained",
}


def test_every_sentence_is_in_the_catalogues() -> None:
    """The failure lists each untranslated sentence with its file and line."""
    found = [f"{path}:{line}: {text!r}" for path, line, text in unmarked()]
    assert not found, "\n".join(["not in a catalogue:", *found])


def unmarked(packages: tuple[str, ...] = TRANSLATED) -> Iterator[tuple[str, int, str]]:
    """Path, line and text of every sentence that is not marked."""
    error_names = error_classes()
    for package in packages:
        place = ROOT / package
        for path in [place] if place.suffix else sorted(place.rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if name not in NOT_SHOWN:
                yield from ((name, line, text) for line, text in _of(path, error_names))


def _of(path: Path, error_names: frozenset[str]) -> Iterator[tuple[int, str]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    silent = set(_silent(tree, error_names))
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.expr)
            and id(node) not in silent
            and (text := _text(node)) is not None
            and SENTENCE.search(text)
        ):
            yield node.lineno, text[:80]
        if isinstance(node, ast.Call) and id(node) not in silent:
            yield from _labels(node)


def _labels(call: ast.Call) -> Iterator[tuple[int, str]]:
    """Single words on buttons, fields and cards; longer texts are found as sentences."""
    given = [keyword.value for keyword in call.keywords if keyword.arg in LABELS]
    if ast.unparse(call.func).rpartition(".")[2] in CARDS:
        given += call.args[:1]
    for value in given:
        text = _text(value)
        if text and re.search(r"[^\W\d_]{2}", text) and not SENTENCE.search(text):
            yield value.lineno, text


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{x}" for part in node.values)
    return None


def _silent(tree: ast.AST, error_names: frozenset[str]) -> Iterator[int]:
    """Ids of nodes whose strings are marked, or that people do not read in Discord."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            yield id(body[0].value)  # a docstring
        if isinstance(node, ast.JoinedStr):
            yield from map(id, node.values)  # already checked as one text
        elif isinstance(node, ast.Assert) and node.msg is not None:
            yield from map(id, ast.walk(node.msg))
        elif isinstance(node, ast.ClassDef):
            for keyword in node.keywords:
                yield from map(id, ast.walk(keyword.value))
        elif isinstance(node, ast.Assign):
            if any(SILENT_NAMES.search(ast.unparse(target)) for target in node.targets):
                yield from map(id, ast.walk(node.value))
        elif isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg in SILENT_KEYWORDS:
                    yield id(keyword.value)
            name = ast.unparse(node.func)
            if name in MARKERS or SILENT_CALLS.match(name):
                yield from map(id, ast.walk(node))
            elif name.rpartition(".")[2] in error_names and node.args and isinstance(node.args[0], ast.Constant):
                yield id(node.args[0])


if __name__ == "__main__":
    import sys

    for path, line, text in unmarked(tuple(sys.argv[1:]) or TRANSLATED):
        print(f"{path}:{line}: {text!r}")
