"""Every file imports only what this table allows for its package."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The packages that a package may import, beside itself. "bot" stands for the top level of `bot/` with `bot.cli`,
# `bot.demo` and `bot.locales`: they may import every package except the cogs, which are loaded by name.
PACKAGES = ("answers", "core", "engine", "llm", "play", "server", "storage", "tuning", "ui")
ALLOWED = {
    "cogs": {"bot.core", "bot.ui", "bot.answers", "bot.llm", "bot.play", "bot.tuning", "bot.server"},
    "bot": {
        f"bot.{name}" for name in ["answers", "core", "engine", "llm", "play", "server", "storage", "tuning", "ui"]
    },
    "bot.answers": {"bot.core", "bot.ui", "bot.llm", "bot.server"},
    "bot.ui": {"bot.core"},
    "bot.llm": {"bot.core"},
    "bot.play": {"bot.core", "bot.llm", "bot.server", "bot.storage"},
    # `bot.tuning.providers` starts the local engine, which is a provider like the others; a parameter that only carries
    # this one function through the composition root would say the same at more places.
    "bot.tuning": {"bot.core", "bot.engine", "bot.llm", "bot.server", "bot.storage"},
    "bot.server": {"bot.core", "bot.llm", "bot.storage"},
    "bot.engine": {"bot.core"},
    "bot.storage": {"bot.core"},
    "bot.core": set[str](),
    "migrations": {"bot.storage"},
}
TOP_LEVEL = {"bot", "bot.cli", "bot.demo", "bot.locales"}
# The part of the top level that a cog may import.
FOR_COGS = {"bot.services"}
# Libraries that only some packages may import.
LIBRARIES = {
    "discord": {"cogs", "bot", "bot.ui", "bot.answers"},
    "sqlalchemy": {"bot.storage", "migrations"},
    "alembic": {"bot.storage", "migrations"},
    "aiosqlite": {"bot.storage"},
    "sqlite3": {"bot.storage"},
    "openai": {"bot.llm", "bot.tuning"},
    "simcord": {"bot"},
}
SOURCES = sorted(path for name in ("bot", "cogs", "migrations") for path in (ROOT / name).rglob("*.py"))


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path) for path in SOURCES}


def package_of(module: str) -> str:
    """The package of a module; the top-level modules of `bot` share one."""
    if not module.startswith("bot."):
        return module.partition(".")[0]
    package = ".".join(module.split(".")[:2])
    return package if package in ALLOWED else "bot"


def imports(source: str) -> Iterator[str]:
    """Every imported module, also inside functions and under TYPE_CHECKING."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports here are absolute"
            for name in node.names:
                whole = f"{node.module}.{name.name}"
                yield whole if whole in MODULES else str(node.module)


def forbidden(module: str, source: str) -> Iterator[str]:
    """The imports of a module that the table does not allow."""
    package = package_of(module)
    for imported in imports(source):
        top = imported.partition(".")[0]
        target = package_of(imported)
        if top in LIBRARIES:
            allowed = package in LIBRARIES[top]
        elif top not in ("bot", "cogs", "migrations", "tests"):
            allowed = True
        elif package == "cogs" and target in ("cogs", "bot"):
            allowed = imported in FOR_COGS or same_feature(module, imported)
        else:
            allowed = target == package or target in ALLOWED[package]
        if not allowed:
            yield imported


def same_feature(module: str, imported: str) -> bool:
    """Whether both are in one cog; modules with a leading underscore are shared by all cogs."""
    return imported.split(".")[:2] == module.split(".")[:2] or imported.startswith("cogs._")


def test_every_file_imports_only_what_its_package_may() -> None:
    found = {module_of(path): set(forbidden(module_of(path), path.read_text(encoding="utf-8"))) for path in SOURCES}
    assert {module: imported for module, imported in found.items() if imported} == {}


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("cogs.ask", "from cogs.translate import Translate"),
        ("cogs.ask", "from cogs import translate"),
        ("cogs.ask", "from bot.storage import calls"),
        ("cogs.ask", "from bot.app import run"),
        ("cogs.ask", "import sqlalchemy"),
        ("cogs.help", "from bot.engine.launch import connected"),
        ("bot.app", "import cogs.ask"),
        ("bot.ui.cards", "from bot.llm import ChatClient"),
        ("bot.ui.cards", "def late():\n    from bot.services import Services"),
        ("bot.llm.client", "import discord.utils"),
        ("bot.core.text", "from bot.ui import cards"),
        ("bot.engine.chat", "import openai"),
        ("bot.server.model_gateway", "from sqlalchemy import select"),
        ("bot.play.story", "from tests.fake_model import FakeModel"),
        ("migrations.versions.0001", "from bot.llm import ChatClient"),
    ],
)
def test_an_import_outside_the_table_is_found(module: str, source: str) -> None:
    assert list(forbidden(module, source))


def test_every_folder_of_the_bot_is_a_package_of_the_table() -> None:
    folders = {f"bot.{path.parent.name}" for path in (ROOT / "bot").glob("*/__init__.py")}
    assert folders <= ALLOWED.keys() | TOP_LEVEL
