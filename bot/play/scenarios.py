"""Scenarios: the files in `templates/adventures`, and the copy of one that a story stores.

A scenario is a chat template with a `title`: a system message, three to five example turns, and last the pair whose
answer is the opening. A story stores a copy, its frame, so that the file can be changed or deleted.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bot.core.errors import NotFoundError, TemplateError
from bot.core.json_text import read_json
from bot.llm.request import Message
from bot.llm.template import ChatTemplate

MIN_EXAMPLES, MAX_EXAMPLES = 3, 5
# Characters; a thread's name takes 100.
MAX_TITLE = 80


@dataclass(frozen=True, slots=True)
class Frame:
    """The beginning of every prompt of a story. `examples` counts its example turns."""

    messages: tuple[Message, ...]
    parameters: Mapping[str, Any]
    examples: int

    @property
    def opening(self) -> str:
        """The first message of the story."""
        return str(self.messages[-1]["content"])

    def to_json(self) -> str:
        """The frame as JSON, as the database stores it."""
        data = {"messages": self.messages, "parameters": dict(self.parameters), "examples": self.examples}
        return json.dumps(data, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a stored frame."""
        data = read_json(text)
        return cls(tuple(data["messages"]), data["parameters"], data["examples"])


@dataclass(frozen=True, slots=True)
class Scenario:
    """A story that can be started: the name of its file, its title, one sentence about it, its frame."""

    name: str
    title: str
    about: str
    frame: Frame


@dataclass(frozen=True, slots=True)
class Scenarios:
    """All scenarios by name, and the templates `summary` and `recap` in `prompts`.

    `problems` has a sentence for each file that could not be used.
    """

    by_name: Mapping[str, Scenario]
    prompts: Mapping[str, ChatTemplate]
    problems: Mapping[str, str]

    def prompt(self, name: str) -> ChatTemplate:
        """The template `summary` or `recap`. Raises `TemplateError` where its file is broken."""
        if name not in self.prompts:
            if name in self.problems:
                raise TemplateError(self.problems[name])
            raise TemplateError("There is no prompt called {name}.", name=name)
        return self.prompts[name]

    def get(self, name: str) -> Scenario:
        """The scenario with this name or title, in any case. Raises `NotFoundError`, which lists the titles."""
        wanted = name.strip().casefold()
        for scenario in self.by_name.values():
            if wanted in (scenario.name.casefold(), scenario.title.casefold()):
                return scenario
        titles = ", ".join(sorted(scenario.title for scenario in self.by_name.values()))
        raise NotFoundError("There is no such scenario; there are {titles}.", titles=titles)

    def suggested(self, typed: str) -> list[Scenario]:
        """The scenarios whose title, name or description contains `typed`, by title: at most 25, Discord's limit."""
        wanted = typed.strip().casefold()
        found = [one for one in self.by_name.values() if wanted in f"{one.title} {one.name} {one.about}".casefold()]
        return sorted(found, key=lambda one: one.title)[:25]


def open_scenarios(folder: Path) -> Scenarios:
    """Read the scenarios in `folder`, and the templates in its subfolder `memory`.

    A broken file is named in `problems`; the others are used.
    """
    scenarios: dict[str, Scenario] = {}
    prompts: dict[str, ChatTemplate] = {}
    problems: dict[str, str] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            scenarios[path.stem] = _scenario(path)
        except TemplateError as error:
            problems[path.stem] = str(error)
    for name in ("summary", "recap"):
        try:
            prompts[name] = ChatTemplate.from_file(folder / "memory" / f"{name}.json")
        except TemplateError as error:
            problems[name] = str(error)
    return Scenarios(scenarios, prompts, problems)


def _scenario(path: Path) -> Scenario:
    """Read one scenario. Raises `TemplateError`."""
    try:
        data = read_json(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise TemplateError("The scenario {file} cannot be read: {why}.", file=path.name, why=error.strerror) from None
    except ValueError:
        raise TemplateError("The scenario {file} is not JSON in UTF-8.", file=path.name) from None
    title = data.pop("title", None) if isinstance(data, dict) else None
    if not isinstance(title, str) or not 0 < len(title) <= MAX_TITLE:
        raise TemplateError(
            'The scenario {file} needs a "title" of up to {most} characters.', file=path.name, most=MAX_TITLE
        )
    template = ChatTemplate.from_dict(data, name=path.stem, source=path.name)
    examples = len(template.examples) - 1
    if template.messages[0]["role"] != "system" or template.messages[-1]["role"] != "assistant":
        raise TemplateError(
            "The scenario {file} must begin with a system message and end with its opening.", file=path.name
        )
    if not MIN_EXAMPLES <= examples <= MAX_EXAMPLES:
        raise TemplateError(
            "The scenario {file} needs {least} to {most} example turns before its opening.",
            file=path.name,
            least=MIN_EXAMPLES,
            most=MAX_EXAMPLES,
        )
    return Scenario(path.stem, title, template.about, Frame(template.messages, template.parameters, examples))
