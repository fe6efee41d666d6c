"""The documentation is true where a program can check it: links, anchors, commands, settings, make targets."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bot.cli import cli
from bot.core.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
README_LINES = 160
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)")
# `fewshot …` in a line of a shell block, or alone between backticks.
SHELL_BLOCK = re.compile(r"^ *```(?:sh|bat)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`([^`\n]+)`")
COMMAND = re.compile(r"^(?:\S*[/\\])?fewshot(?: (.*))?$")
MAKE = re.compile(r"^make ([a-z]+)\b")
SETTING = re.compile(r"^# ([A-Z_]+)=", re.MULTILINE)


def page_id(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub makes from a page's headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^ *```.*?^ *```", "", text_of(path), flags=re.S | re.M), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    broken = []
    for target in LINK.findall(text_of(path)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        place = (path.parent / file).resolve() if file else path
        if not place.exists() or (anchor and anchor not in anchors(place)):
            broken.append(target)
    assert broken == []


def test_the_readme_is_short() -> None:
    assert len(text_of(ROOT / "README.md").splitlines()) <= README_LINES


def shell_lines(path: Path) -> Iterator[str]:
    """The lines of shell blocks without comments, and what stands between backticks in the text."""
    text = text_of(path)
    for block in SHELL_BLOCK.findall(text):
        for line in block.splitlines():
            yield re.sub(r"\s+#.*$", "", line).strip()
    yield from INLINE.findall(re.sub(r"^ *```.*?^ *```", "", text, flags=re.S | re.M))


def commands() -> Iterator[tuple[str, str]]:
    """Page and arguments of every `fewshot …` command line in the documentation."""
    for path in PAGES:
        for line in shell_lines(path):
            found = COMMAND.match(line.removeprefix("ExecStart="))
            if found:
                yield page_id(path), found[1] or ""


def problem_of(arguments: str) -> str | None:
    """What is wrong with a command line, which is parsed and not run; None when nothing is.

    Missing arguments are fine, because a text may name a command without them, and so is a file that does not exist.
    """
    command: click.Command = cli
    words = shlex.split(arguments)
    context = click.Context(cli, info_name="fewshot")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name = words.pop(0)
        found = command.get_command(context, name)
        if found is None:
            return f"there is no command {name}"
        command, context = found, click.Context(found, info_name=name, parent=context)
    if not words or words in (["--help"], ["--version"]):
        return None
    try:
        command.parse_args(context, words)
    except click.MissingParameter:
        return None
    except click.BadParameter as error:
        return None if "does not exist" in error.message else error.message
    except click.UsageError as error:
        return error.message
    return None


@pytest.mark.parametrize(("page", "arguments"), sorted(set(commands())))
def test_every_command_line_in_the_documentation_parses(page: str, arguments: str) -> None:
    assert problem_of(arguments) is None, f"{page}: fewshot {arguments}"


@pytest.mark.parametrize(
    "arguments", ["fly", "tune fly", "tune start racing --fast", "db backup a.sqlite3 b.sqlite3", "demo --port high"]
)
def test_a_wrong_command_line_is_found(arguments: str) -> None:
    assert problem_of(arguments)


def test_every_make_target_in_the_documentation_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    named = {found[1] for path in PAGES for line in shell_lines(path) if (found := MAKE.match(line))}
    assert named - targets == set()


def test_every_setting_is_in_the_example_file_and_in_the_documentation() -> None:
    settings = {name.upper() for name in Settings.model_fields}
    example = set(SETTING.findall(text_of(ROOT / ".env.example")))
    table = {name for name in INLINE.findall(text_of(ROOT / "docs" / "deploy.md")) if name in settings}
    assert example == settings
    assert table == settings


def test_every_setting_that_the_documentation_names_exists() -> None:
    """In upper case, with an underscore, between backticks or before `=`: a setting, or one of those listed here."""
    others = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "VLLM_ALLOW_RUNTIME_LORA_UPDATING"}
    settings = {name.upper() for name in Settings.model_fields}
    named = {
        name
        for path in PAGES
        for line in shell_lines(path)
        for name in re.findall(r"\b([A-Z]{2,}_[A-Z_]+)(?==|$)", line)
        if page_id(path) != "CONTRIBUTING.md"
    }
    assert named - settings - others == set()


def test_every_page_is_linked_from_the_readme() -> None:
    targets = {(ROOT / target.partition("#")[0]).resolve() for target in LINK.findall(text_of(ROOT / "README.md"))}
    linked = targets | {
        (page.parent / target.partition("#")[0]).resolve()
        for page in [*targets & set(PAGES), ROOT / "CONTRIBUTING.md"]
        for target in LINK.findall(text_of(page))
    }
    assert [page_id(page) for page in PAGES if page not in linked and page.name != "README.md"] == []


PACKAGES = sorted(path.parent for path in (ROOT / "bot").rglob("__init__.py"))
LISTED = re.compile(r"^`(\w+)`  +\S", re.MULTILINE)


@pytest.mark.parametrize("package", PACKAGES, ids=page_id)
def test_a_package_docstring_lists_modules_that_exist(package: Path) -> None:
    tree = ast.parse(text_of(package / "__init__.py"))
    listed = LISTED.findall(ast.get_docstring(tree) or "")
    modules = {path.stem for path in package.glob("*.py")} | {path.name for path in package.iterdir() if path.is_dir()}
    defined = {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    assert set(listed) - modules - defined == set()


@pytest.mark.parametrize("package", PACKAGES, ids=page_id)
def test_a_package_docstring_names_every_module(package: Path) -> None:
    about = ast.get_docstring(ast.parse(text_of(package / "__init__.py"))) or ""
    modules = {path.stem for path in package.glob("*.py") if not path.stem.startswith("_")}
    assert {name for name in modules if f"`{name}" not in about} == set()
