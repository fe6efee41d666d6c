"""`ChatTemplate`: a prompt with placeholders, as strict data.

The smallest template is `{"messages": [...]}`. Any parameter of chat completions may be given beside the messages. A
parameter that is not given is not sent, so that the model's default applies. `about`, `inputs`, `reply`, `schema` and
`command` are Fewshot's own keys and never sent.

The examples of a template are its user/assistant pairs between the leading system messages and the last user message.
So every template can be run with none, one, several or all of them.

A placeholder is `{{name}}`. It is replaced in one pass: a value that itself contains `{{text}}` stays as it was typed.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bot.core.errors import TemplateError
from bot.core.i18n import _
from bot.core.json_text import read_json
from bot.llm.client import ChatClient, shared_client
from bot.llm.command import PRIVATE, RAW, Command, CommandOption
from bot.llm.request import Message, Request
from bot.llm.streaming import AnswerStream

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletion

PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_-]*)\s*\}\}")
ReplyKind = Literal["text", "rating", "facts", "json"]
OWN_KEYS = frozenset({"about", "inputs", "reply", "schema", "command", "messages"})
# The client sets these. A template that set them would change the form of the answer.
CLIENT_PARAMETERS = frozenset({"stream", "stream_options", "n", "background"})
# Parameters that are known without the client's types, which take a third of a second to import.
COMMON_PARAMETERS = frozenset({"temperature", "max_tokens", "max_completion_tokens", "top_p", "stop", "seed", "model"})


def placeholders_in(texts: Iterable[str]) -> tuple[str, ...]:
    """The names of the placeholders in `texts`, each once, in the order of their first appearance."""
    return tuple(dict.fromkeys(name for text in texts for name in PLACEHOLDER.findall(text)))


def fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with each placeholder replaced by its value. Raises `KeyError` for one without a value."""
    return PLACEHOLDER.sub(lambda match: values[match[1]], text)


class Input(BaseModel):
    """An input of a template: a description, the maximum length in characters, a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    about: str = ""
    max: int | None = Field(None, ge=1)
    default: str | None = None


def needs_value(inputs: Mapping[str, Input], name: str) -> bool:
    """Whether the input called `name` has no default."""
    return name not in inputs or inputs[name].default is None


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid")
    role: Literal["system", "developer", "user", "assistant"]
    content: str
    name: Annotated[str, Field(min_length=1)] | None = None


class _TemplateData(BaseModel):
    """What a template file may contain. `parameters` are those of chat completions."""

    model_config = ConfigDict(extra="forbid")
    about: str = ""
    inputs: dict[str, Input] = Field(default_factory=dict)
    reply: ReplyKind = "text"
    json_schema: dict[str, Any] | None = Field(None, alias="schema")
    command: Command | None = None
    messages: list[_Message] = Field(min_length=1)
    parameters: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _json_has_a_schema(self) -> Self:
        if (self.reply == "json") != (self.json_schema is not None):
            raise ValueError('a "schema" belongs to "reply": "json", and the other way round')
        return self

    @model_validator(mode="after")
    def _command_fills_the_template(self) -> Self:
        if self.command is not None:
            self._check_command(self.command)
        return self

    def _check_command(self, command: Command) -> None:
        """Raise `ValueError` where the command cannot fill the template."""
        wanted = placeholders_in(message.content for message in self.messages)
        unknown = [name for name in command.options if name not in wanted and name not in self.inputs]
        taken = [name for name in command.options if name in (RAW, PRIVATE)]
        missing = [name for name in wanted if needs_value(self.inputs, name) and name not in command.options]
        problems = [_('"command" has the option {name}, which is no input', name=name) for name in unknown]
        problems += [_('"command" cannot have an option called {name}', name=name) for name in taken]
        problems += [_('"command" has no option for the input {name}', name=name) for name in missing]
        if command.raw and self.reply == "text":
            problems.append(_('"raw" belongs to replies that are not text'))
        if command.menu is not None:
            asked = [name for name, option in command.options.items() if must_be_given(self.inputs, name, option)]
            if asked != [command.menu.input]:
                problems.append(_('"menu" needs an option that it fills; every other one needs a default'))
        if problems:
            raise ValueError("; ".join(problems))


def must_be_given(inputs: Mapping[str, Input], name: str, option: CommandOption) -> bool:
    """Whether a person must give this option of a command, so that its input has a value."""
    return needs_value(inputs, name) and option.autocomplete != "languages"


@cache
def chat_parameters() -> frozenset[str]:
    """The parameters of chat completions that a template may set, read from the installed client's types."""
    from openai.types.chat.completion_create_params import CompletionCreateParamsBase

    return frozenset(CompletionCreateParamsBase.__annotations__) - OWN_KEYS - CLIENT_PARAMETERS


def _validate(data: object, source: str) -> _TemplateData:
    """`data` as template data. Raises `TemplateError` that names `source` and every problem."""
    if not isinstance(data, Mapping) or "messages" not in data:
        raise TemplateError('The template {source} must be a JSON object with "messages".', source=source)
    own = {key: value for key, value in data.items() if key in OWN_KEYS}
    others = {key: value for key, value in data.items() if key not in OWN_KEYS}
    parameters = {key: value for key, value in others.items() if key in COMMON_PARAMETERS or key in chat_parameters()}
    problems = [_("unknown key {key}", key=str(key)) for key in others if key not in parameters]
    try:
        valid = _TemplateData.model_validate({**own, "parameters": parameters})
    except ValidationError as error:
        problems += [_describe(issue) for issue in error.errors(include_input=False, include_url=False)]
    if problems:
        raise TemplateError(
            "The template {source} cannot be used: {problems}.", source=source, problems="; ".join(problems)
        )
    return valid


def _describe(issue: Any) -> str:
    """One validation error of pydantic as a clause: the place and the problem."""
    where = ".".join(str(part) for part in issue["loc"])
    what = issue["msg"].removeprefix("Value error, ")
    return f"{where}: {what}" if where else str(what)


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """A prompt as data. `from_file` and `from_dict` validate it.

    `version` is the number of a server's trick that it was made from, or 0; it is no part of the data.
    """

    name: str
    messages: tuple[Message, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    about: str = ""
    inputs: Mapping[str, Input] = field(default_factory=dict)
    reply: ReplyKind = "text"
    schema: Mapping[str, Any] | None = None
    command: Command | None = None
    version: int = 0

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """The template in a JSON file (UTF-8, with or without a byte order mark).

        Raises `TemplateError` that names the file and every problem.
        """
        path = Path(path)
        try:
            data = read_json(path.read_text(encoding="utf-8-sig"))
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
        """The template in `data`, which is not changed. `source` is the file name for error messages.

        Raises `TemplateError` that names every problem.
        """
        valid = _validate(data, source or name)
        return cls(
            name=name,
            messages=tuple(message.model_dump(exclude_none=True) for message in valid.messages),
            parameters=valid.parameters,
            about=valid.about,
            inputs=valid.inputs,
            reply=valid.reply,
            schema=valid.json_schema,
            command=valid.command,
        )

    def to_dict(self) -> dict[str, Any]:
        """The template as JSON data. `from_dict` of it gives an equal template."""
        data: dict[str, Any] = {}
        if self.about:
            data["about"] = self.about
        if self.inputs:
            data["inputs"] = {name: item.model_dump(exclude_defaults=True) for name, item in self.inputs.items()}
        if self.reply != "text":
            data["reply"] = self.reply
        if self.schema is not None:
            data["schema"] = dict(self.schema)
        if self.command is not None:
            data["command"] = self.command.model_dump(exclude_defaults=True, mode="json")
        return {**data, **self.parameters, "messages": [dict(message) for message in self.messages]}

    @property
    def placeholders(self) -> tuple[str, ...]:
        """The names that need a value, in the order of their first appearance."""
        return placeholders_in(message["content"] for message in self.messages)

    @property
    def defaults(self) -> dict[str, str]:
        """The inputs that need no value, with their defaults."""
        return {name: item.default for name, item in self.inputs.items() if item.default is not None}

    @property
    def examples(self) -> tuple[tuple[Message, Message], ...]:
        """The user/assistant pairs between the leading system messages and the last user message."""
        start, end = self._example_span()
        pairs = self.messages[start:end]
        return tuple(zip(pairs[::2], pairs[1::2], strict=True))

    def with_examples(self, count: int) -> "ChatTemplate":
        """The template with its first `count` examples: 0 or more; all, where `count` is greater than their number."""
        return self.with_pairs(self.examples[: max(count, 0)])

    def with_pairs(self, pairs: Sequence[tuple[Message, Message]]) -> "ChatTemplate":
        """The template with `pairs` of user and assistant messages as its examples."""
        start, end = self._example_span()
        between = tuple(message for pair in pairs for message in pair)
        return replace(self, messages=(*self.messages[:start], *between, *self.messages[end:]))

    def fill(self, values: Mapping[str, str]) -> Request:
        """The request for `values`. Missing values take the defaults of `inputs`. Changes neither template nor values.

        Raises `TemplateError` that names all missing, unknown and overlong values.
        """
        wanted = self.placeholders
        given = self.defaults | dict(values)
        # An input that only a left-out example needs may be given.
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
        """Fill, send, and return the client's own response: `.choices[0].message.content` is the text.

        Without a `client` the process's shared one is used, made from the environment at first need.
        Raises `TemplateError` when it cannot be filled and `ModelError` when the model cannot be asked.
        """
        return await (client or shared_client()).complete(self.fill(values))

    def stream(self, values: Mapping[str, str], client: ChatClient | None = None) -> AnswerStream:
        """Fill, send, and stream the text: `async with` the result, then `async for piece in` it."""
        return (client or shared_client()).stream(self.fill(values))

    def _example_span(self) -> tuple[int, int]:
        """Where the examples begin and end among the messages. Equal where the messages do not pair up."""
        roles = [message["role"] for message in self.messages]
        start = next((i for i, role in enumerate(roles) if role in ("user", "assistant")), len(roles))
        end = len(roles) - 1 if roles and roles[-1] == "user" else len(roles)
        pairs = roles[start:end]
        if len(pairs) % 2 or pairs != ["user", "assistant"] * (len(pairs) // 2):
            return start, start
        return start, end
