"""The shipped templates, read once at start. A file that is broken is named; the others still serve."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.core.errors import NotFoundError, TemplateError
from bot.core.i18n import _
from bot.llm.template import ChatTemplate

STYLES = "styles.json"
# Templates that serve the bot itself: nobody chooses among them, or compares them.
NOT_TRICKS = frozenset({"select", "questions", "support", "tuned", "with_facts"})


@dataclass(frozen=True, slots=True)
class Style:
    """A style to rewrite in: what it is, and a sample text in it."""

    about: str
    sample: str


@dataclass(frozen=True, slots=True)
class TemplateRegistry:
    """Templates and styles by name; `problems` are the sentences about files that could not be used."""

    templates: Mapping[str, ChatTemplate]
    styles: Mapping[str, Style]
    problems: Mapping[str, str]

    @property
    def tricks(self) -> dict[str, ChatTemplate]:
        """The templates that people use by themselves."""
        return {name: template for name, template in self.templates.items() if name not in NOT_TRICKS}

    def get(self, name: str) -> ChatTemplate:
        """The template called `name`.

        Raises `TemplateError` where its file is broken, `NotFoundError` where there is none.
        """
        if name in self.templates:
            return self.templates[name]
        if name in self.problems:
            raise TemplateError(self.problems[name])
        known = ", ".join(sorted(self.templates))
        raise NotFoundError("There is no template called {name}; there are {known}.", name=name, known=known)

    def with_sample(self, inputs: Mapping[str, str]) -> dict[str, str]:
        """`inputs`, with the sample of the style that they name, where they name one of ours and give no sample."""
        style = self.styles.get(inputs.get("style", "").strip().casefold())
        return {**inputs, "sample": style.sample} if style and not inputs.get("sample") else dict(inputs)


def open_template_registry(folder: Path) -> TemplateRegistry:
    """All `*.json` in `folder`. Shipped templates must describe every placeholder as an input.

    Reads files, so call it off the event loop or before it matters.
    """
    templates: dict[str, ChatTemplate] = {}
    problems: dict[str, str] = {}
    for path in sorted(folder.glob("*.json")):
        if path.name == STYLES:
            continue
        try:
            templates[path.stem] = _described(ChatTemplate.from_file(path), path.name)
        except TemplateError as error:
            problems[path.stem] = str(error)
    try:
        styles = _styles(folder / STYLES)
    except TemplateError as error:
        styles, problems["styles"] = {}, str(error)
    return TemplateRegistry(templates, styles, problems)


def _described(template: ChatTemplate, file: str) -> ChatTemplate:
    """`template`, if it says what it is and what its inputs are, as people meet it by them."""
    missing = [name for name in template.placeholders if name not in template.inputs]
    if not template.about:
        # Translators: one of the things that "The template … does not describe …" names.
        missing.insert(0, _("the template itself"))
    if missing:
        raise TemplateError("The template {file} does not describe {missing}.", file=file, missing=", ".join(missing))
    return template


def _styles(path: Path) -> dict[str, Style]:
    """The styles in `path`; raises `TemplateError`."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return {name: Style(item["about"], item["sample"]) for name, item in data.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise TemplateError(
            '{file} cannot be used: every style needs an "about" and a "sample".', file=path.name
        ) from None
