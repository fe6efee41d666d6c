"""Functions declare what they return, files have a docstring, and only listed places catch every error."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeGuard

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(path for name in ("bot", "cogs", "migrations", "tests") for path in (ROOT / name).rglob("*.py"))
OURS = [path for path in FILES if path.parts[len(ROOT.parts)] != "tests"]
# Where anything at all may be caught, and why.
BROAD = {
    "bot/storage/group_commit.py": "what a job raises belongs to the one who queued it, and the writer lives on",
    "bot/cli/__init__.py": "a person at a terminal gets a sentence, and the traceback where they ask for it",
    "bot/ui/actions.py": "discord.py would only log it, and the one who pressed would wait for ever",
}
# Paths of the system that a program may look at, and why.
OF_THE_SYSTEM = {"/etc/localtime": "the one place that tells a machine's time zone"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(tree_of(path)) if isinstance(node, Function))


def test_every_function_says_what_it_returns() -> None:
    assert [(named(path), each.name) for path in FILES for each in functions(path) if each.returns is None] == []


def test_every_file_says_what_it_is_for() -> None:
    assert [named(path) for path in FILES if not ast.get_docstring(tree_of(path))] == []


def test_only_the_places_that_are_listed_catch_everything() -> None:
    found = [named(path) for path in FILES for node in ast.walk(tree_of(path)) if broad(node)]
    assert sorted(found) == sorted(BROAD)
    assert len(BROAD) <= 3


def broad(node: ast.AST) -> bool:
    """Whether a handler takes every error and ends it there; one that raises it again only cleans up."""
    if not isinstance(node, ast.ExceptHandler):
        return False
    kinds = ast.walk(node.type) if node.type else iter([ast.Name("BaseException")])
    everything = any(isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException") for kind in kinds)
    last = node.body[-1]
    return everything and not (isinstance(last, ast.Raise) and last.exc is None)


def test_nothing_is_global() -> None:
    found = [named(path) for path in FILES for node in ast.walk(tree_of(path)) if isinstance(node, ast.Global)]
    assert found == []


def test_no_path_is_absolute() -> None:
    texts = [(named(path), node.value) for path in OURS for node in ast.walk(tree_of(path)) if is_text(node)]
    assert [(name, text) for name, text in texts if absolute(text) and text not in OF_THE_SYSTEM] == []


def is_text(node: ast.AST) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def absolute(text: str) -> bool:
    """Whether a text begins like a path on this machine or on Windows; `/v1/models` does not."""
    first = re.match(r"/([\w.-]+)/?", text)
    return bool(first and Path("/", first[1]).exists()) or re.match(r"[A-Za-z]:\\|~/", text) is not None


def test_nothing_is_left_to_be_done() -> None:
    found = [
        (named(path), token.string)
        for path in FILES
        for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
        if token.type == tokenize.COMMENT and re.search(r"\b(TODO|FIXME|XXX|HACK)\b", token.string)
    ]
    assert found == []
