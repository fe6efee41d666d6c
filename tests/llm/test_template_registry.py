"""All shipped templates load. A broken one is named, and the others can be used."""

import json
import shutil
from pathlib import Path

import pytest

from bot.core.errors import NotFoundError, TemplateError
from bot.llm.template_registry import open_template_registry

SHIPPED = Path(__file__).resolve().parents[2] / "templates"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(SHIPPED, tmp_path / "templates")


def test_every_shipped_template_loads_and_describes_itself() -> None:
    registry = open_template_registry(SHIPPED)
    assert registry.problems == {}
    assert {"translate", "rewrite", "facts", "sentiment", "select"} <= set(registry.templates)
    for template in registry.templates.values():
        assert template.about
        assert all(template.inputs[name].about for name in template.placeholders)


@pytest.mark.parametrize(
    ("shipped", "technique"),
    [("translate", "zero-shot"), ("rewrite", "one-shot"), ("facts", "one-shot"), ("sentiment", "few-shot")],
)
def test_each_technique_of_the_chapter_has_a_template(shipped: str, technique: str) -> None:
    template = open_template_registry(SHIPPED).get(shipped)
    assert template.fill(dict.fromkeys(template.placeholders, "x")).technique == technique


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[]", b'{"messages": []}', b""])
def test_a_broken_file_is_named_and_the_others_serve(folder: Path, content: bytes) -> None:
    (folder / "facts.json").write_bytes(content)
    registry = open_template_registry(folder)
    assert list(registry.problems) == ["facts"]
    assert registry.get("translate").about
    with pytest.raises(TemplateError, match=r"facts\.json"):
        registry.get("facts")


def test_a_template_that_does_not_describe_its_inputs_is_not_shipped(folder: Path) -> None:
    bare = {"messages": [{"role": "user", "content": "{{text}}"}]}
    (folder / "bare.json").write_text(json.dumps(bare), encoding="utf-8")
    assert "does not describe the template itself, text" in open_template_registry(folder).problems["bare"]


def test_a_name_that_is_not_there_is_answered_with_those_that_are(folder: Path) -> None:
    with pytest.raises(NotFoundError, match="translate"):
        open_template_registry(folder).get("poem")


@pytest.mark.parametrize("content", ["{", "[]", '{"haiku": "x"}', '{"haiku": {"about": "x"}}', "[" * 100_000])
def test_broken_styles_are_named_and_the_templates_serve(folder: Path, content: str) -> None:
    (folder / "styles.json").write_text(content, encoding="utf-8")
    registry = open_template_registry(folder)
    assert "styles.json" in registry.problems["styles"]
    assert registry.get("rewrite").about


def test_a_known_style_brings_its_sample_and_a_given_sample_stays() -> None:
    registry = open_template_registry(SHIPPED)
    style = next(iter(registry.styles))
    assert registry.with_sample({"style": f" {style.upper()} "})["sample"] == registry.styles[style].sample
    assert registry.with_sample({"style": style, "sample": "mine"})["sample"] == "mine"
    assert "sample" not in registry.with_sample({"style": "unheard of"})
