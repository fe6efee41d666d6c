"""A trick: a template of a server's own, told apart into its parts, so that nothing a person typed is a placeholder.

A template expands `{{name}}` wherever it stands. In a trick the instruction and the examples are people's words,
and only the last message has a place for the input; so a text that itself holds `{{…}}` goes into the template
as the default of an input of its own, which is filled in once and never looked at again. That also is what an
export holds, and why it can be imported, and run by `ChatTemplate`, without losing anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bot.core.errors import InputError
from bot.llm.request import Message
from bot.llm.template import PLACEHOLDER, ChatTemplate, Input, ReplyKind, fill, placeholders_in
from bot.server.similarity import nearest

# Examples in a prompt at the most; of more, the nearest to the input.
SHOWN = 8
LONGEST_INPUT = 6_000
# What the inputs of a server's trick are, as a model and an export read it.
INPUT_PROMPT = "the input"
TEXT_PROMPT = "the text it is about"
WORDS_PROMPT = "someone's words, as they stand"
# What a server may set beside the messages: how the model words its answer, not which model, nor how much it costs.
PARAMETERS = frozenset({"temperature", "top_p", "presence_penalty", "frequency_penalty", "stop", "seed"})


@dataclass(frozen=True, slots=True)
class Example:
    """A user's message as it is sent, and the answer to it."""

    given: str
    wanted: str


@dataclass(frozen=True, slots=True)
class Trick:
    """Literal `system` messages, examples, and a last message: `before`, the input, `after`."""

    name: str
    about: str
    system: tuple[Message, ...]
    before: str = ""
    after: str = ""
    input: str = "input"
    longest: int = LONGEST_INPUT
    parameters: Mapping[str, Any] = field(default_factory=dict)
    reply: ReplyKind = "text"
    schema: Mapping[str, Any] | None = None
    examples: tuple[Example, ...] = ()

    def template(self, examples: Sequence[Example] | None = None) -> ChatTemplate:
        """The template with `examples`, or with all."""
        inputs = {self.input: Input(about=INPUT_PROMPT, max=self.longest)}
        held = _Held(inputs)
        messages = [{**message, "content": held(message["content"])} for message in self.system]
        for example in self.examples if examples is None else examples:
            messages.append({"role": "user", "content": held(example.given)})
            messages.append({"role": "assistant", "content": held(example.wanted)})
        last = f"{held(self.before)}{{{{{self.input}}}}}{held(self.after)}"
        messages.append({"role": "user", "content": last})
        return ChatTemplate(self.name, tuple(messages), self.parameters, self.about, inputs, self.reply, self.schema)

    def for_text(self, text: str) -> ChatTemplate:
        """The template for this input: with its examples, or with the nearest eight of more."""
        if len(self.examples) <= SHOWN:
            return self.template()
        places = nearest(self.before + text + self.after, [example.given for example in self.examples], SHOWN)
        return self.template([self.examples[place] for place in places])

    def selector_view(self) -> ChatTemplate:
        """Only what is said of it where a trick is chosen: its purpose and its one input."""
        inputs = {self.input: Input(about=TEXT_PROMPT, max=self.longest)}
        message = {"role": "user", "content": f"{{{{{self.input}}}}}"}
        return ChatTemplate(self.name, (message,), about=self.about, inputs=inputs)

    def framed(self, text: str) -> str:
        """The user's message for an input."""
        return self.before + text + self.after

    def input_of(self, example: Example) -> str | None:
        """The input in an example's message; None where the message is of another form than the last one."""
        given = example.given
        if len(given) < len(self.before) + len(self.after):
            return None
        if not (given.startswith(self.before) and given.endswith(self.after)):
            return None
        return given[len(self.before) : len(given) - len(self.after)]


def trick_of(template: ChatTemplate) -> Trick:
    """The parts of `template`; raises `InputError` where it is not a trick.

    It must have one input without a default, in its last message and nowhere else, and no parameter but those
    a server may set.
    """
    refused = sorted(set(template.parameters) - PARAMETERS)
    if refused:
        raise InputError(
            "A server's trick may not set {refused}; it may set {allowed}.",
            refused=", ".join(refused),
            allowed=", ".join(sorted(PARAMETERS)),
        )
    if not template.messages or template.messages[-1]["role"] != "user":
        raise InputError("The last message of a trick must be the user's, with the input in it.")
    defaults = {name: item.default for name, item in template.inputs.items() if item.default is not None}
    *earlier, last = (message["content"] for message in template.messages)
    wanted = [name for name in placeholders_in([last]) if name not in defaults]
    if len(wanted) != 1 or any(name not in defaults for name in placeholders_in(earlier)):
        raise InputError("A trick has one input, such as {{input}}, in its last message and in no other.")
    parts = PLACEHOLDER.split(last)
    if parts[1::2].count(wanted[0]) != 1:
        raise InputError("The last message of a trick has its input once.")
    pairs = template.examples
    system = template.messages[: len(template.messages) - 1 - 2 * len(pairs)]
    if any(message["role"] not in ("system", "developer") for message in system):
        raise InputError("Between the instruction and the last message stand pairs of input and answer, nothing else.")
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
        longest=min(item.max or LONGEST_INPUT, LONGEST_INPUT),
        parameters=template.parameters,
        reply=template.reply,
        schema=template.schema,
        examples=tuple(Example(fill(u["content"], defaults), fill(a["content"], defaults)) for u, a in pairs),
    )


def main_input(template: ChatTemplate, values: Mapping[str, str]) -> str:
    """The name of the input in the last message; raises `InputError` where there is not exactly one."""
    names = [name for name in placeholders_in([template.messages[-1]["content"]]) if name in values]
    if len(names) != 1:
        raise InputError("This answer did not come of one text, so I cannot take it for an example.")
    return names[0]


def settled(template: ChatTemplate, values: Mapping[str, str]) -> ChatTemplate:
    """`template` as a server may keep it: all `values` but the main input's are defaults.

    Parameters that a server may not set are left out. Raises `InputError` where there is no main input.
    """
    main = main_input(template, values)
    others = {name: Input(default=value) for name, value in values.items() if name != main}
    parameters = {name: value for name, value in template.parameters.items() if name in PARAMETERS}
    return replace(template, inputs={**template.inputs, **others}, parameters=parameters)


def corrected(template: ChatTemplate, values: Mapping[str, str], given: str, wanted: str) -> ChatTemplate:
    """`template` with one more example at its end: for the input `given` the answer `wanted`."""
    main = main_input(template, values)
    defaults = {name: item.default for name, item in template.inputs.items() if item.default is not None}
    question = fill(template.messages[-1]["content"], {**defaults, **values, main: given})
    inputs = dict(template.inputs)
    held = _Held(inputs)
    pair = {"role": "user", "content": held(question)}, {"role": "assistant", "content": held(wanted)}
    return replace(template.with_pairs([*template.examples, pair]), inputs=inputs)


class _Held:
    """Keeps literal texts literal: one that holds a placeholder becomes the default of an input."""

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
    """Texts and the names of placeholders in turn, as one literal text."""
    return "".join(part if place % 2 == 0 else defaults[part] for place, part in enumerate(parts))
