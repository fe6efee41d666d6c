"""Functions have return types, files have docstrings, and only listed files catch every exception."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.distribution import APART, LONGEST

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(path for name in ("bot", "cogs", "migrations", "tests") for path in (ROOT / name).rglob("*.py"))
OURS = [path for path in FILES if path.parts[len(ROOT.parts)] != "tests"]
# Files that may catch every exception, with the reason.
BROAD = {
    "bot/storage/group_commit.py": "an exception of a job goes to its caller, and the writer task continues",
    "bot/cli/__init__.py": "the command line prints a sentence, and the traceback with LOG_LEVEL=DEBUG",
    "bot/ui/actions.py": "discord.py would only log it, and the person would get no answer",
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree_of(path)))


def functions(path: Path) -> Iterator[Function]:
    return (node for node in nodes_of(path) if isinstance(node, Function))


def test_every_function_has_a_return_type() -> None:
    assert [(name_of(path), each.name) for path in FILES for each in functions(path) if each.returns is None] == []


def test_every_file_has_a_docstring() -> None:
    assert [name_of(path) for path in FILES if not ast.get_docstring(tree_of(path))] == []


def test_only_listed_files_catch_every_exception() -> None:
    found = [name_of(path) for path in FILES for node in nodes_of(path) if broad(node)]
    assert sorted(found) == sorted(BROAD)
    assert len(BROAD) <= 3


def broad(node: ast.AST) -> bool:
    """Whether a handler catches every exception without raising it again."""
    if not isinstance(node, ast.ExceptHandler):
        return False
    kinds = ast.walk(node.type) if node.type else iter([ast.Name("BaseException")])
    everything = any(isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException") for kind in kinds)
    last = node.body[-1]
    return everything and not (isinstance(last, ast.Raise) and last.exc is None)


def test_no_function_uses_global() -> None:
    found = [name_of(path) for path in FILES for node in nodes_of(path) if isinstance(node, ast.Global)]
    assert found == []


def test_no_string_is_an_absolute_path() -> None:
    constants = [
        (name_of(path), node.value) for path in OURS for node in nodes_of(path) if isinstance(node, ast.Constant)
    ]
    assert [(name, text) for name, text in constants if isinstance(text, str) and absolute(text)] == []


def absolute(text: str) -> bool:
    """Whether a text begins like an absolute path on this machine or on Windows; `/v1/models` does not."""
    first = re.match(r"/([\w.-]+)/?", text)
    return bool(first and Path("/", first[1]).exists()) or re.match(r"[A-Za-z]:\\|~/", text) is not None


def test_no_comment_is_a_todo() -> None:
    todo = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    found = [
        (name_of(path), token.string)
        for path in FILES
        if todo.search(text := path.read_text(encoding="utf-8"))  # tokenizing takes a hundred times as long
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT and todo.search(token.string)
    ]
    assert found == []


def test_the_files_that_are_distributed_by_name_exist() -> None:
    assert [name for name in (*LONGEST, *APART) if not (ROOT / name).exists()] == []
