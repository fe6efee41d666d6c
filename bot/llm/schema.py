"""What a template may hold: the strict form that every JSON file, import and export is checked against."""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bot.core.errors import TemplateError
from bot.core.i18n import N_, _

ReplyKind = Literal["text", "rating", "facts", "json"]
OURS = frozenset({"about", "inputs", "reply", "schema", "messages"})
# The client decides these itself; a template that set them would get another kind of answer than asked for.
NOT_FOR_TEMPLATES = frozenset({"stream", "stream_options", "n", "background"})

# Parameters that are known without the client's types, which take a third of a second to import.
COMMON = frozenset({"temperature", "max_tokens", "max_completion_tokens", "top_p", "stop", "seed", "model"})

# By how many examples a model is shown: none, one, more.
TECHNIQUES = (N_("zero-shot"), N_("one-shot"), N_("few-shot"))


def technique(examples: int) -> str:
    """The English name of the technique that shows a model this many examples (0 or more)."""
    return TECHNIQUES[min(examples, 2)]


class Input(BaseModel):
    """One placeholder as people meet it: what it is, how long it may be (characters), its default."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    about: str = ""
    max: int | None = Field(None, ge=1)
    default: str | None = None


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid")
    role: Literal["system", "developer", "user", "assistant"]
    content: str
    name: Annotated[str, Field(min_length=1)] | None = None


class Parts(BaseModel):
    """The checked parts of a template; `parameters` are those of chat completions, as they stood."""

    model_config = ConfigDict(extra="forbid")
    about: str = ""
    inputs: dict[str, Input] = Field(default_factory=dict)
    reply: ReplyKind = "text"
    json_schema: dict[str, Any] | None = Field(None, alias="schema")
    turns: list[_Message] = Field(alias="messages", min_length=1)
    parameters: dict[str, Any] = Field(default_factory=dict)

    @property
    def messages(self) -> list[dict[str, str]]:
        """The messages as they are sent."""
        return [turn.model_dump(exclude_none=True) for turn in self.turns]

    @model_validator(mode="after")
    def _json_has_a_schema(self) -> Self:
        if (self.reply == "json") != (self.json_schema is not None):
            raise ValueError('a "schema" belongs to "reply": "json", and the other way round')
        return self


@cache
def chat_parameters() -> frozenset[str]:
    """The parameters of chat completions that a template may set, read from the installed client's types."""
    from openai.types.chat.completion_create_params import CompletionCreateParamsBase

    return frozenset(CompletionCreateParamsBase.__annotations__) - OURS - NOT_FOR_TEMPLATES


def _is_parameter(key: object) -> bool:
    return key in COMMON or key in chat_parameters()


def check(data: object, source: str) -> Parts:
    """`data` as checked parts; raises `TemplateError` that names `source` and every problem."""
    if not isinstance(data, Mapping):
        raise TemplateError('The template {source} must be a JSON object with "messages".', source=source)
    parameters = {key: value for key, value in data.items() if key not in OURS and _is_parameter(key)}
    unknown = [str(key) for key in data if key not in OURS and key not in parameters]
    problems = [_("unknown key {key}", key=key) for key in unknown]
    parts = None
    try:
        parts = Parts.model_validate(
            {**{key: value for key, value in data.items() if key in OURS}, "parameters": parameters}
        )
    except ValidationError as error:
        problems += [_worded(issue) for issue in error.errors(include_input=False, include_url=False)]
    if problems or parts is None:
        raise TemplateError(
            "The template {source} cannot be used: {problems}.", source=source, problems="; ".join(problems)
        )
    return parts


def _worded(issue: Any) -> str:
    """One of pydantic's findings as a clause: where, and what."""
    where = ".".join(str(part) for part in issue["loc"])
    what = issue["msg"].removeprefix("Value error, ")
    return f"{where}: {what}" if where else str(what)
