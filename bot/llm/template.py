"""`ChatTemplate`: a prompt with placeholders, as strict data.

The smallest template is `{"messages": [...]}`. Any parameter of chat completions may stand beside the
messages and is sent only because it stands there; what is left out keeps the model's default. `about`,
`inputs`, `reply` and `schema` are ours and never sent.

The examples of a template are its user/assistant pairs between the leading system messages and the last
user message, so every template can be run with none, one, several or all of them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from bot.core.errors import TemplateError
from bot.core.i18n import _
from bot.llm.client import ChatClient, shared
from bot.llm.placeholders import fill, names_in
from bot.llm.request import Message, Request
from bot.llm.schema import Input, ReplyKind, check
from bot.llm.streaming import AnswerStream

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletion


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """A prompt as data. Made by `from_file` or `from_dict`, which check it; frozen from then on."""

    name: str
    messages: tuple[Message, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    about: str = ""
    inputs: Mapping[str, Input] = field(default_factory=dict)
    reply: ReplyKind = "text"
    schema: Mapping[str, Any] | None = None

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """The template in a JSON file (UTF-8, with or without a byte order mark).

        Raises `TemplateError` that names the file and everything that is wrong with it.
        """
        path = Path(path)
        try:
            data = json.loads(path.read_text(encoding="utf-8-sig"))
        except OSError as error:
            raise TemplateError(
                "The template {file} cannot be read: {reason}.", file=path.name, reason=error.strerror
            ) from None
        except UnicodeDecodeError:
            raise TemplateError("The template {file} is not UTF-8.", file=path.name) from None
        except json.JSONDecodeError as error:
            raise TemplateError(
                "The template {file} is not JSON: {problem}, line {line}.",
                file=path.name,
                problem=error.msg,
                line=error.lineno,
            ) from None
        except RecursionError:
            raise TemplateError(
                "The template {file} is not JSON that can be read: it nests too deep.", file=path.name
            ) from None
        return cls.from_dict(data, name=path.stem, source=path.name)

    @classmethod
    def from_dict(cls, data: object, *, name: str = "template", source: str = "") -> Self:
        """The template in `data`, which is not changed; `source` is the file named in errors.

        Raises `TemplateError` that names every problem at once.
        """
        parts = check(data, source or name)
        return cls(
            name=name,
            messages=tuple(dict(message) for message in parts.messages),
            parameters=parts.parameters,
            about=parts.about,
            inputs=parts.inputs,
            reply=parts.reply,
            schema=parts.json_schema,
        )

    def to_dict(self) -> dict[str, Any]:
        """The template as JSON data; `from_dict` of it gives an equal template."""
        data: dict[str, Any] = {}
        if self.about:
            data["about"] = self.about
        if self.inputs:
            data["inputs"] = {name: item.model_dump(exclude_defaults=True) for name, item in self.inputs.items()}
        if self.reply != "text":
            data["reply"] = self.reply
        if self.schema is not None:
            data["schema"] = dict(self.schema)
        return {**data, **self.parameters, "messages": [dict(message) for message in self.messages]}

    @property
    def placeholders(self) -> tuple[str, ...]:
        """The names that want a value, in the order of their appearance."""
        return names_in(message["content"] for message in self.messages)

    @property
    def examples(self) -> tuple[tuple[Message, Message], ...]:
        """The user/assistant pairs between the leading system messages and the last user message."""
        start, end = self._example_span()
        pairs = self.messages[start:end]
        return tuple(zip(pairs[::2], pairs[1::2], strict=True))

    def with_examples(self, count: int) -> "ChatTemplate":
        """The template with its first `count` examples (0 or more; more than there are gives all)."""
        return self.with_pairs(self.examples[: max(count, 0)])

    def with_pairs(self, pairs: Sequence[tuple[Message, Message]]) -> "ChatTemplate":
        """The template with `pairs` of user and assistant messages in place of its examples."""
        start, end = self._example_span()
        between = tuple(message for pair in pairs for message in pair)
        return replace(self, messages=(*self.messages[:start], *between, *self.messages[end:]))

    def fill(self, values: Mapping[str, str]) -> Request:
        """The request for `values`, in one pass; defaults of `inputs` stand in for what is left out.

        Raises `TemplateError` that names all missing, unknown and overlong values. Pure: neither the
        template nor `values` is touched.
        """
        wanted = self.placeholders
        given = {name: item.default for name, item in self.inputs.items() if item.default is not None}
        given.update(values)
        # An input may be wanted only by an example that this rung of the ladder leaves out.
        unknown = [name for name in values if name not in wanted and name not in self.inputs]
        problems = [_("it needs a value for {name}", name=name) for name in wanted if name not in given]
        problems += [_("it has no input called {name}", name=name) for name in unknown]
        problems += [
            _("{name} is longer than {most:,} characters", name=name, most=item.max)
            for name, item in self.inputs.items()
            if item.max is not None and len(given.get(name, "")) > item.max
        ]
        if problems:
            raise TemplateError(
                "The template {name} cannot be filled: {problems}.", name=self.name, problems="; ".join(problems)
            )
        filled = tuple({**message, "content": fill(message["content"], given)} for message in self.messages)
        return Request(filled, self.parameters, self.name, len(self.examples), self, dict(values))

    async def completion(self, values: Mapping[str, str], client: ChatClient | None = None) -> "ChatCompletion":
        """Fill, send, and give the client's own response: `.choices[0].message.content` is the text.

        Without a `client` the process's shared one is used, made from the environment at first need.
        Raises `TemplateError` when it cannot be filled and `ModelError` when the model cannot be asked.
        """
        return await (client or shared()).complete(self.fill(values))

    def stream(self, values: Mapping[str, str], client: ChatClient | None = None) -> AnswerStream:
        """Like `completion`, as the text comes: `async with` it, then `async for piece in` it."""
        return (client or shared()).stream(self.fill(values))

    def _example_span(self) -> tuple[int, int]:
        """Where the examples begin and end among the messages; the check made sure that they pair up."""
        roles = [message["role"] for message in self.messages]
        start = next((i for i, role in enumerate(roles) if role in ("user", "assistant")), len(roles))
        end = len(roles) - 1 if roles and roles[-1] == "user" else len(roles)
        pairs = roles[start:end]
        if len(pairs) % 2 or pairs != ["user", "assistant"] * (len(pairs) // 2):
            return start, start
        return start, end
