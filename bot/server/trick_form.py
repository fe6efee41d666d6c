"""What a trick is: an instruction and examples for one input, and which templates may become one.

A template replaces every `{{name}}`. The instruction and the examples of a trick are literal texts by people; only the
last message has a placeholder, for the input. So a literal text that contains `{{…}}` becomes the default value of a
further input, because values are not filled again. Exports have this form too, and `ChatTemplate` can run them.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bot.core.errors import InputError
from bot.core.text import shorten
from bot.llm.request import Message
from bot.llm.template import PLACEHOLDER, ChatTemplate, Input, ReplyKind, fill, placeholders_in
from bot.server.similarity import nearest

MAX_EXAMPLES = 20
# Characters of an example's input and of its answer: a Discord message. Eight of both fit into any prompt.
MAX_EXAMPLE_LENGTH = 2_000
MAX_INSTRUCTION_LENGTH, MAX_ABOUT_LENGTH = 4_000, 100
# Examples in one prompt; where a trick has more, the most similar to the input.
EXAMPLES_IN_PROMPT = 8
MAX_INPUT_LENGTH = 6_000
# What an export and the routing prompt say about the inputs of a trick.
INPUT_PROMPT = "the input"
TEXT_PROMPT = "the text it is about"
WORDS_PROMPT = "someone's words, as they stand"
# The parameters that a server may set, with the range of the numbers: how the model words its answer, not which model
# it is nor what it costs. `stop` and `seed` have types of their own.
RANGES: Mapping[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
}
PARAMETERS = frozenset({*RANGES, "stop", "seed"})
MAX_STOPS, MAX_STOP_LENGTH = 4, 100
# Bounds of an imported file's structure, checked before its contents are read: 20 examples are 40 messages.
MAX_MESSAGES, MAX_KEYS, MAX_KEY_LENGTH = 64, 64, 64
# The JSON Schema keywords that a server's trick may use. Every one of them is checked in time linear in the reply:
# there are no regular expressions, no references and no combinations of schemas.
TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
BOUNDS = frozenset({"minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum"})
KEYWORDS = frozenset(
    {"type", "properties", "required", "enum", "items", "additionalProperties", "title", "description", *BOUNDS}
)
SCHEMA_DEPTH, SCHEMA_NODES, SCHEMA_VALUES, MAX_SCHEMA_LENGTH = 6, 100, 50, 10_000


@dataclass(frozen=True, slots=True)
class Example:
    """The user message of an example, and the answer to it."""

    given: str
    wanted: str


@dataclass(frozen=True, slots=True)
class Trick:
    """Literal `system` messages, examples, and the last message: `before`, the input, `after`.

    `version` counts the changes of a server's trick from 1; it is 0 for one that no server stores.
    """

    name: str
    about: str
    system: tuple[Message, ...]
    before: str = ""
    after: str = ""
    input: str = "input"
    max_length: int = MAX_INPUT_LENGTH
    parameters: Mapping[str, Any] = field(default_factory=dict)
    reply: ReplyKind = "text"
    schema: Mapping[str, Any] | None = None
    examples: tuple[Example, ...] = ()
    version: int = 0

    def template(self, examples: Sequence[Example] | None = None) -> ChatTemplate:
        """The template with `examples`, or with all."""
        inputs = {self.input: Input(about=INPUT_PROMPT, max=self.max_length)}
        literal = _Literals(inputs)
        messages = [{**message, "content": literal(message["content"])} for message in self.system]
        for example in self.examples if examples is None else examples:
            messages.append({"role": "user", "content": literal(example.given)})
            messages.append({"role": "assistant", "content": literal(example.wanted)})
        last = f"{literal(self.before)}{{{{{self.input}}}}}{literal(self.after)}"
        messages.append({"role": "user", "content": last})
        return ChatTemplate(
            self.name,
            tuple(messages),
            self.parameters,
            self.about,
            inputs,
            self.reply,
            self.schema,
            version=self.version,
        )

    def for_text(self, text: str) -> ChatTemplate:
        """The template for this input: with all examples, or with the `EXAMPLES_IN_PROMPT` most similar ones."""
        if len(self.examples) <= EXAMPLES_IN_PROMPT:
            return self.template()
        given = [example.given for example in self.examples]
        places = nearest(self.user_message(text), given, EXAMPLES_IN_PROMPT)
        return self.template([self.examples[place] for place in places])

    def selector_view(self) -> ChatTemplate:
        """The trick in the routing prompt: its purpose and its one input."""
        inputs = {self.input: Input(about=TEXT_PROMPT, max=self.max_length)}
        message = {"role": "user", "content": f"{{{{{self.input}}}}}"}
        return ChatTemplate(self.name, (message,), about=self.about, inputs=inputs)

    def user_message(self, text: str) -> str:
        """The user message for an input."""
        return self.before + text + self.after

    def input_of(self, example: Example) -> str | None:
        """The input in an example's user message; None where it does not have the form of the last message."""
        given, end = example.given, len(example.given) - len(self.after)
        if end < len(self.before) or not (given.startswith(self.before) and given.endswith(self.after)):
            return None
        return given[len(self.before) : end]


def read_trick(data: Any, name: str) -> Trick:
    """The trick called `name` in the JSON `data` of a file.

    Raises `InputError` or `TemplateError` that says what is wrong with it.
    """
    check_size(data)
    trick = to_trick(ChatTemplate.from_dict(data, name=name))
    check_count(trick)
    for example in trick.examples:
        check_example(example)
    fixed = sum(len(message["content"]) for message in trick.system)
    if max(fixed, len(trick.before) + len(trick.after)) > MAX_INSTRUCTION_LENGTH:
        raise InputError("The instruction is too long: up to {n:,} characters.", n=MAX_INSTRUCTION_LENGTH)
    if not trick.about.strip():
        raise InputError('The file must say in "about" what the trick is for.')
    return replace(trick, about=shorten(trick.about, MAX_ABOUT_LENGTH))


def check_count(trick: Trick) -> None:
    """Raise `InputError` for a trick with too many examples."""
    if (count := len(trick.examples)) > MAX_EXAMPLES:
        raise InputError("A trick has up to {most} examples; this one has {n}.", most=MAX_EXAMPLES, n=count)


def check_example(example: Example) -> Example:
    """`example`, stripped. Raises `InputError` where a side is empty or too long."""
    given, wanted = example.given.strip(), example.wanted.strip()
    if not given or not wanted:
        raise InputError("An example needs both: an input and the answer to it.")
    if max(len(given), len(wanted)) > MAX_EXAMPLE_LENGTH:
        raise InputError("An example's input and answer have up to {n:,} characters each.", n=MAX_EXAMPLE_LENGTH)
    return Example(given, wanted)


def to_trick(template: ChatTemplate) -> Trick:
    """The parts of `template`; raises `InputError` where it is not a trick.

    A trick has one input without a default, in its last message and nowhere else. It sets only the parameters and
    uses only the JSON Schema keywords that a server may use.
    """
    refused = sorted(set(template.parameters) - PARAMETERS)
    if refused:
        raise InputError(
            "A server's trick may not set {refused}; it may set {allowed}.",
            refused=", ".join(refused),
            allowed=", ".join(sorted(PARAMETERS)),
        )
    _check_parameters(template.parameters)
    if template.schema is not None:
        check_schema(template.schema)
    if not template.messages or template.messages[-1]["role"] != "user":
        raise InputError("The last message of a trick must be the user's, with the input in it.")
    defaults = template.defaults
    *earlier, last = (message["content"] for message in template.messages)
    wanted = [name for name in placeholders_in([last]) if name not in defaults]
    if len(wanted) != 1 or any(name not in defaults for name in placeholders_in(earlier)):
        raise InputError("A trick has one input, such as {{input}}, in its last message and in no other.")
    parts = PLACEHOLDER.split(last)
    if parts[1::2].count(wanted[0]) != 1:
        raise InputError("The last message of a trick must contain its input exactly once.")
    pairs = template.examples
    system = template.messages[: len(template.messages) - 1 - 2 * len(pairs)]
    if any(message["role"] not in ("system", "developer") for message in system):
        raise InputError("Between the instruction and the last message there may only be pairs of input and answer.")
    at = parts[1::2].index(wanted[0])
    before, after = parts[: 2 * at + 1], parts[2 * at + 2 :]
    item = template.inputs.get(wanted[0], Input())
    return Trick(
        name=template.name,
        about=template.about,
        system=tuple({**message, "content": fill(message["content"], defaults)} for message in system),
        before=_joined(before, defaults),
        after=_joined(after, defaults),
        input=wanted[0],
        max_length=min(item.max or MAX_INPUT_LENGTH, MAX_INPUT_LENGTH),
        parameters=template.parameters,
        reply=template.reply,
        schema=template.schema,
        examples=tuple(Example(fill(u["content"], defaults), fill(a["content"], defaults)) for u, a in pairs),
    )


def main_input(template: ChatTemplate, values: Mapping[str, str]) -> str:
    """The name of the input in the last message; raises `InputError` where there is not exactly one."""
    names = [name for name in placeholders_in([template.messages[-1]["content"]]) if name in values]
    if len(names) != 1:
        raise InputError("This answer was not made from one text, so it cannot become an example.")
    return names[0]


def with_defaults(template: ChatTemplate, values: Mapping[str, str]) -> ChatTemplate:
    """`template` as a server may store it: all `values` but the main input's become defaults.

    Parameters that a server may not set are left out. Raises `InputError` where there is no main input.
    """
    main = main_input(template, values)
    others = {name: Input(default=value) for name, value in values.items() if name != main}
    parameters = {name: value for name, value in template.parameters.items() if name in PARAMETERS}
    return replace(template, inputs={**template.inputs, **others}, parameters=parameters)


def with_correction(template: ChatTemplate, values: Mapping[str, str], given: str, wanted: str) -> ChatTemplate:
    """`template` with one more example at the end: the answer `wanted` for the input `given`."""
    main = main_input(template, values)
    question = fill(template.messages[-1]["content"], {**template.defaults, **values, main: given})
    inputs = dict(template.inputs)
    literal = _Literals(inputs)
    pair = {"role": "user", "content": literal(question)}, {"role": "assistant", "content": literal(wanted)}
    return replace(template.with_pairs([*template.examples, pair]), inputs=inputs, version=0)


def check_schema(schema: Any) -> None:
    """Raises `InputError` for a schema with keywords or sizes that a server may not use (see `KEYWORDS`)."""
    if len(json.dumps(schema)) > MAX_SCHEMA_LENGTH:
        raise InputError("The schema of a trick is too long: up to {n:,} characters.", n=MAX_SCHEMA_LENGTH)
    nodes = 0

    def check(node: Any, depth: int) -> None:
        nonlocal nodes
        nodes += 1
        if not isinstance(node, Mapping):
            raise _bad_schema()
        if depth > SCHEMA_DEPTH or nodes > SCHEMA_NODES:
            raise InputError(
                "The schema of a trick is too large: up to {nodes} parts, {depth} levels deep.",
                nodes=SCHEMA_NODES,
                depth=SCHEMA_DEPTH,
            )
        unknown = sorted(set(node) - KEYWORDS)
        if unknown:
            raise InputError(
                "The schema of a server's trick may not use {refused}; it may use {allowed}.",
                refused=", ".join(shorten(str(name), MAX_KEY_LENGTH) for name in unknown[:5]),
                allowed=", ".join(sorted(KEYWORDS)),
            )
        if not all(_is_schema_value(name, value) for name, value in node.items()):
            raise _bad_schema()
        for part in node.get("properties", {}).values():
            check(part, depth + 1)
        if "items" in node:
            check(node["items"], depth + 1)

    check(schema, 1)


def _is_schema_value(keyword: str, value: Any) -> bool:
    """Whether `value` has the type of a keyword of JSON Schema."""
    if keyword == "type":
        names = value if isinstance(value, list) else [value]
        return 0 < len(names) <= len(TYPES) and all(isinstance(name, str) and name in TYPES for name in names)
    if keyword == "required":
        return _is_list(value) and all(isinstance(name, str) for name in value)
    if keyword == "enum":
        return _is_list(value) and all(
            item is None or isinstance(item, str | bool) or _is_number(item) for item in value
        )
    if keyword == "properties":
        return isinstance(value, Mapping) and len(value) <= SCHEMA_VALUES
    if keyword in BOUNDS:
        whole = keyword not in ("minimum", "maximum")
        return _is_number(value) and (not whole or (value == int(value) and value >= 0))
    if keyword == "additionalProperties":
        return isinstance(value, bool)
    return keyword == "items" or isinstance(value, str)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and 0 < len(value) <= SCHEMA_VALUES


def _is_number(value: Any) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole or (isinstance(value, float) and math.isfinite(value))


def _bad_schema() -> InputError:
    return InputError("The schema of the trick is not a JSON Schema; export a trick to see the form.")


def _check_parameters(parameters: Mapping[str, Any]) -> None:
    """Raises `InputError` for a parameter of another type or outside of its range."""
    for name, value in parameters.items():
        if name in RANGES:
            low, high = RANGES[name]
            if not _is_number(value) or not low <= value <= high:
                raise InputError(
                    "{name} must be a number from {low} to {high}.", name=name, low=str(low), high=str(high)
                )
        elif name == "seed" and (not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**63):
            raise InputError("seed must be a whole number.")
        elif name == "stop":
            stops = value if isinstance(value, list) else [value]
            texts = all(isinstance(stop, str) and 0 < len(stop) <= MAX_STOP_LENGTH for stop in stops)
            if not texts or not 0 < len(stops) <= MAX_STOPS:
                raise InputError(
                    "stop must be a text, or up to {n} texts, of up to {longest} characters.",
                    n=MAX_STOPS,
                    longest=MAX_STOP_LENGTH,
                )


def check_size(data: Any) -> None:
    """Raises `InputError` for a file with more parts than a trick can have, before each of them is checked."""
    if not isinstance(data, dict):
        return
    lists = [part for name in ("messages", "inputs") if isinstance(part := data.get(name), list | dict)]
    if len(data) > MAX_KEYS or any(len(part) > MAX_MESSAGES for part in lists):
        raise InputError("The file has too many messages for a trick: up to {n} are allowed.", n=MAX_MESSAGES)
    names = [*data, *(name for part in lists if isinstance(part, dict) for name in part)]
    names += [name for part in lists for each in part if isinstance(each, dict) for name in each]
    if len(names) > MAX_KEYS * MAX_MESSAGES or any(len(name) > MAX_KEY_LENGTH for name in names):
        raise InputError("The file has names that are too long for a trick.")


class _Literals:
    """Makes a text safe for a template: one that contains a placeholder becomes the default of an input."""

    def __init__(self, inputs: dict[str, Input]) -> None:
        self._inputs = inputs

    def __call__(self, text: str) -> str:
        if not PLACEHOLDER.search(text):
            return text
        name = f"words_{len(self._inputs)}"
        while name in self._inputs:
            name += "_"
        self._inputs[name] = Input(about=WORDS_PROMPT, default=text)
        return f"{{{{{name}}}}}"


def _joined(parts: Sequence[str], defaults: Mapping[str, str]) -> str:
    """`parts`, which are texts and names of placeholders in turn, as one literal text."""
    return "".join(part if place % 2 == 0 else defaults[part] for place, part in enumerate(parts))
