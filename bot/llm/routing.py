"""Routing: the model gets a description of every template, and chooses one and its inputs for a request."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.core.errors import ReplyError
from bot.llm.template import ChatTemplate, needs_value

OPTIONAL_PROMPT = "{about} (may be left out)"


@dataclass(frozen=True, slots=True)
class Choice:
    """The template that the model chose, the inputs that it took from the request, and its reason or an empty text."""

    template: str
    inputs: Mapping[str, str]
    why: str


def describe_templates(templates: Mapping[str, ChatTemplate]) -> str:
    """The description of `templates` for the routing prompt: a JSON object a line, with name, purpose and inputs."""
    lines = (
        {
            "template": name,
            "about": template.about,
            "inputs": {key: _describe_input(template, key) for key in template.placeholders},
        }
        for name, template in sorted(templates.items())
    )
    return "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)


def parse_choice(reply: Mapping[str, Any], templates: Mapping[str, ChatTemplate]) -> Choice:
    """The choice in a parsed `reply`. Raises `ReplyError` where it names no template of `templates` or lacks inputs.

    A reply without a reason is accepted. Inputs that only the examples need may be missing:
    `without_unfillable_examples` leaves those examples out.
    """
    name = str(reply["template"]).strip()
    name = name if name in templates else name.casefold()
    template = templates.get(name)
    if template is None:
        raise ReplyError("The model chose “{name}”, which is not one of my tricks.", name=name[:50])
    inputs = reply.get("inputs")
    inputs = inputs if isinstance(inputs, Mapping) else {}
    given = {str(key): str(value) for key, value in inputs.items() if value and key in template.placeholders}
    wanted = template.with_examples(0).placeholders
    missing = [key for key in wanted if key not in given and needs_value(template.inputs, key)]
    if missing:
        left_out = ", ".join(missing)
        raise ReplyError(
            "The model found no {missing} for {name}; add it to your request.", name=name, missing=left_out
        )
    return Choice(name, given, str(reply.get("why") or ""))


def without_unfillable_examples(template: ChatTemplate, inputs: Mapping[str, str]) -> ChatTemplate:
    """`template`, without its examples where `inputs` lack what they need."""
    lacking = any(key not in inputs and needs_value(template.inputs, key) for key in template.placeholders)
    return template.with_examples(0) if lacking else template


def _describe_input(template: ChatTemplate, key: str) -> str:
    """An input in a few words, with its default where it has one."""
    item = template.inputs.get(key)
    if item is None:
        return "text"
    return OPTIONAL_PROMPT.format(about=item.about) if item.default is not None else item.about
