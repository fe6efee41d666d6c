"""Prompts of other programs as tricks: OpenAI's prompt objects and promptfoo's files, and tricks as promptfoo's files.

A trick has no tools and no model of its own. What a file has and a trick cannot have is left out and named.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.core.errors import InputError
from bot.core.i18n import N_, _
from bot.core.json_text import read_json, without_surrogates
from bot.llm.template import placeholders_in
from bot.server.trick_form import PARAMETERS, Trick

# The name of the input of a prompt that has no message of the user.
INPUT_NAME = "input"
# How promptfoo asserts an expected answer.
ASSERTIONS = ("equals", "contains", "icontains", "starts-with")
# promptfoo's assertion for each judge. A judge without one compares the whole text.
BY_JUDGE = {"contains": "icontains", "within-one": "starts-with"}
# Keys of a prompt object that are about the object, and not about the prompt.
ABOUT_OBJECT = frozenset({"id", "object", "name", "version", "variables", "created_at", "is_default", "description"})
PROMPT_KEYS = frozenset({"messages", "input", "instructions", "text", "prompt"})
FILE_REFERENCE = "file://"
# Levels and parts of a YAML file. Each level makes all that follows slower to read, and 10,000 parts take a second.
MAX_DEPTH, MAX_EVENTS = 32, 20_000
NOT_JSON = N_("The file is not JSON; export a trick to see the form.")


@dataclass(frozen=True, slots=True)
class FileRow:
    """A test in a file, and its line or its place."""

    line: int
    input: str
    expected: str


@dataclass(frozen=True, slots=True)
class PromptFile:
    """The data of a template, the tests of its file, and the names of what was left out."""

    template: Any
    tests: list[FileRow] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def read_prompt_file(text: str) -> PromptFile:
    """The template in a file of Fewshot, in a prompt object of OpenAI or in a file of promptfoo (JSON or YAML).

    The template is not checked. Raises `InputError` for a file that is none of these. YAML is parsed slowly, so call
    it in a thread.
    """
    data = _data(text)
    if isinstance(data, dict) and "prompts" in data:
        return _from_promptfoo(data)
    if isinstance(data, dict) and _is_prompt_object(data):
        return _from_prompt_object(data)
    return PromptFile(data)


def to_promptfoo(trick: Trick, tests: Sequence[tuple[str, str]], judge: str, model: str) -> str:
    """`trick` and its `tests` (inputs with expected answers) as a promptfoo configuration in YAML."""
    import yaml

    template = trick.template()
    kind = BY_JUDGE.get(judge, "equals")
    literal = template.defaults
    config = dict(template.parameters)
    data: dict[str, Any] = {
        "description": trick.about,
        "prompts": [json.dumps(list(template.messages), ensure_ascii=False, indent=2)],
        "providers": [{"id": f"openai:chat:{model}", **({"config": config} if config else {})}],
        **({"defaultTest": {"vars": literal}} if literal else {}),
        "tests": [
            {"vars": {trick.input: text}, "assert": [{"type": kind, "value": expected}]} for text, expected in tests
        ],
    }
    return str(yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=120))


def _data(text: str) -> Any:
    """The data of a JSON or YAML text."""
    try:
        # A half of a surrogate pair can be read from JSON, but no database stores it.
        return read_json(text)
    except (ValueError, RecursionError):
        if text.lstrip()[:1] in ("{", "["):
            raise InputError(NOT_JSON) from None
    import yaml

    text = without_surrogates(text)
    try:
        _check_yaml(text)
        # JSON has no dates, no sets, and only texts as names.
        data = read_json(json.dumps(yaml.safe_load(text), default=str))
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError, TypeError):
        data = None
    if not isinstance(data, dict):
        raise InputError(NOT_JSON)
    return data


def _check_yaml(text: str) -> None:
    """Raises `InputError` for YAML that can expand to much more than its text, or takes long to read.

    Its events are read one by one, so a file that is nested deeply is refused at its beginning.
    """
    import yaml

    depth = 0
    for number, event in enumerate(yaml.parse(text, yaml.SafeLoader)):
        # With aliases, a short text can expand to gigabytes.
        if isinstance(event, yaml.AliasEvent):
            raise InputError("A YAML file with aliases (*name) cannot be imported.")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH or number > MAX_EVENTS:
            raise InputError("The file has too many parts for a trick.")


# --- OpenAI's prompt objects


def _is_prompt_object(data: Mapping[str, Any]) -> bool:
    messages = data.get("messages")
    parts = isinstance(messages, list) and any(
        isinstance(message, dict) and isinstance(message.get("content"), list) for message in messages
    )
    named = data.get("object") == "prompt" or str(data.get("id", "")).startswith("pmpt_")
    return named or parts or "instructions" in data or "input" in data or isinstance(data.get("prompt"), dict)


def _from_prompt_object(data: Mapping[str, Any]) -> PromptFile:
    inner = data.get("prompt")
    if isinstance(inner, dict):
        data = {**data, **inner}
    found = data.get("messages") or data.get("input") or []
    messages = _messages([{"role": "user", "content": found}] if isinstance(found, str) else found)
    if data.get("instructions"):
        messages.insert(0, {"role": "developer", "content": _text(data["instructions"])})
    template = _template(messages, str(data.get("description") or data.get("name") or ""), data)
    variables = data.get("variables")
    if isinstance(variables, dict):
        _add_defaults(template, {name: value for name, value in variables.items() if isinstance(value, str) and value})
    formats = data.get("text")
    shape = formats.get("format") if isinstance(formats, dict) else None
    if isinstance(shape, dict) and shape.get("type") == "json_schema":
        template |= {"reply": "json", "schema": shape.get("schema", {})}
    known = ABOUT_OBJECT | PROMPT_KEYS | PARAMETERS
    return PromptFile(template, [], [name for name in data if name not in known and data[name] not in (None, [], {})])


def _messages(found: Any) -> list[dict[str, str]]:
    if not isinstance(found, list) or not all(isinstance(message, dict) for message in found):
        raise InputError("The messages of the prompt cannot be read.")
    return [{"role": str(message.get("role", "user")), "content": _text(message.get("content"))} for message in found]


def _text(content: Any) -> str:
    """A content as text: a text, or parts of which only texts count."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))


def _template(messages: list[dict[str, str]], about: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The data of a template. A prompt without a last message of the user gets one that is the input."""
    if not messages or messages[-1]["role"] != "user":
        messages = [*messages, {"role": "user", "content": f"{{{{{INPUT_NAME}}}}}"}]
    parameters = {name: data[name] for name in PARAMETERS if data.get(name) is not None}
    first = next((message["content"] for message in messages if message["content"].strip()), "")
    return {"about": about or first[:100], **parameters, "messages": messages}


def _add_defaults(template: dict[str, Any], defaults: Mapping[str, str]) -> None:
    """Let the placeholders of `template` have these defaults, all but the one in its last message."""
    last = placeholders_in([template["messages"][-1]["content"]])
    kept = {name: {"default": value} for name, value in defaults.items() if last[-1:] != (name,)}
    used = placeholders_in(message["content"] for message in template["messages"])
    template["inputs"] = {name: item for name, item in kept.items() if name in used}


# --- promptfoo


def _from_promptfoo(data: Mapping[str, Any]) -> PromptFile:
    prompts = data["prompts"] if isinstance(data["prompts"], list) else [data["prompts"]]
    raw = prompts[0] if prompts else ""
    if isinstance(raw, dict):
        raw = raw.get("raw") or raw.get("id") or ""
    if not isinstance(raw, str) or not raw.strip():
        raise InputError("The file has no prompt.")
    if raw.startswith(FILE_REFERENCE):
        raise InputError("The prompt is in another file ({file}); put it into this one.", file=raw[:100])
    try:
        chat = read_json(raw)
    except (ValueError, RecursionError):
        chat = raw
    messages = _messages(chat if isinstance(chat, list) else [{"role": "user", "content": raw}])
    template = _template(messages, str(data.get("description") or ""), {})
    default = data.get("defaultTest")
    shared = default.get("vars") if isinstance(default, dict) else None
    if isinstance(shared, dict):
        _add_defaults(template, {str(name): _value(value) for name, value in shared.items()})
    left_out = [name for name in data if name not in ("prompts", "tests", "description", "defaultTest", "$schema")]
    if len(prompts) > 1:
        left_out.append(_("the prompts after the first"))
    last = placeholders_in([template["messages"][-1]["content"]])
    name = last[-1] if last else INPUT_NAME
    tests = data.get("tests")
    if isinstance(tests, str):
        left_out.append(f"tests ({tests[:100]})")
        tests = []
    rows = list(_tests(tests if isinstance(tests, list) else [], name))
    unknown = sorted({kind for _row, kind in rows if kind})
    return PromptFile(template, [row for row, kind in rows if row is not None], [*left_out, *unknown])


def _tests(tests: Sequence[Any], name: str) -> Iterator[tuple[FileRow | None, str]]:
    """The tests with an assertion of `ASSERTIONS`; for another one None and the assertion's type."""
    for number, test in enumerate(tests, 1):
        if not isinstance(test, dict):
            continue
        given = test.get("vars")
        asserted = test.get("assert")
        checks = [check for check in asserted if isinstance(check, dict)] if isinstance(asserted, list) else []
        kind = next((check for check in checks if check.get("type") in ASSERTIONS), None)
        text = _value(given.get(name, "")) if isinstance(given, dict) else ""
        if kind is None:
            yield None, f"assert: {checks[0].get('type')}" if checks else ""
        else:
            yield FileRow(number, text.strip(), _value(kind.get("value", "")).strip()), ""


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
