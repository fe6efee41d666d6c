"""Pinned versions, templates, and files that must exist."""

import re
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from bot.llm.template_registry import open_template_registry
from bot.play.scenarios import open_scenarios

ROOT = Path(__file__).resolve().parents[2]
PINS = [
    line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if not line.startswith("#")
]
PINNED = {re.split(r"[=; ]", line)[0] for line in PINS}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def normal(requirement: str) -> str:
    """The normalized name in a requirement."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name is not None
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def needed() -> Iterator[str]:
    """Every package that an installation for development needs, directly or indirectly."""
    groups = PROJECT["optional-dependencies"]
    # torch takes gigabytes, so the extra train is not installed for development.
    extras = [requirement for name in groups if name != "train" for requirement in groups[name]]
    waiting, seen = [*PROJECT["dependencies"], *extras], set[str]()
    while waiting:
        requirement = waiting.pop()
        name = normal(requirement)
        if name in seen or name == "fewshot":
            continue
        seen.add(name)
        yield name
        wanted = re.findall(r"\[([^\]]+)\]", requirement.partition(";")[0])
        waiting += [each for each in metadata.requires(name) or () if applies(each, wanted)]


def applies(requirement: str, extras: list[str]) -> bool:
    """Whether a requirement applies on this machine; that of an extra applies if the extra is requested."""
    marker = requirement.partition(";")[2]
    extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", marker)
    if extra is not None:
        return any(extra[1] in group.split(",") for group in extras)
    return not re.search(r"sys_platform|platform_|python_|implementation_|os_name", marker)


def test_constraints_pin_versions_and_contain_no_address() -> None:
    for line in PINS:
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][^ /@]*( ; .+)?", line), line
    assert "://" not in (ROOT / "constraints.txt").read_text(encoding="utf-8")


def test_the_lock_file_has_the_versions_of_the_constraints_with_hashes() -> None:
    """`make lock` writes it."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    entries = re.findall(
        r"^([a-z0-9-]+==\S+(?: ; [^\\]+)?) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", text, re.M
    )
    assert sorted(pin.strip() for pin, _ in entries) == sorted(PINS), "run: make lock"
    assert "://" not in text


def test_every_installed_package_is_pinned() -> None:
    assert sorted(set(needed()) - PINNED) == []


def test_the_installed_versions_are_the_pinned_ones() -> None:
    versions = dict(line.split("==") for line in PINS if ";" not in line)
    here = {normal(name): metadata.version(name) for name in needed()}
    assert {name: here[name] for name in versions.keys() & here.keys() if here[name] != versions[name]} == {}


def test_every_template_style_and_scenario_loads() -> None:
    assert open_template_registry(ROOT / "templates").problems == {}
    assert open_scenarios(ROOT / "templates" / "adventures").problems == {}


@pytest.mark.parametrize(
    "name",
    ["LICENSE", "CHANGELOG.md", "README.md", "CONTRIBUTING.md", "SECURITY.md", "Makefile", ".env.example", ".ci/run"],
)
def test_the_files_of_a_project_exist(name: str) -> None:
    assert (ROOT / name).stat().st_size > 0
