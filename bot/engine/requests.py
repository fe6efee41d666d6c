"""The body of `/v1/chat/completions`, checked, and the error that names what is wrong."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator

from bot.engine.body import Strict, first_problem
from bot.engine.errors import unknown_parameter

# OpenAI's own limits for these parameters (API reference, 2026-11-22).
MAX_STOPS = 4
MAX_TOP_LOGPROBS = 20


class Message(Strict):
    """One message of the prompt. Content given in parts is joined."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str
    name: str | None = None

    @field_validator("content", mode="before")
    @classmethod
    def _joined(cls, value: object) -> object:
        return "".join(_part_text(part) for part in value) if isinstance(value, list) else value


def _part_text(part: object) -> str:
    if isinstance(part, dict) and part.keys() == {"type", "text"} and part["type"] == "text":
        return str(part["text"])
    raise ValueError("only parts of type text are read")


class StreamOptions(Strict):
    """`include_usage` adds a last chunk with the usage of the whole answer."""

    include_usage: bool = False


class ChatRequest(Strict):
    """A checked request. `extra` holds what the model takes beyond the engine's own parameters."""

    model: str
    messages: Annotated[list[Message], Field(min_length=1)]
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    stop: list[str] = Field(default_factory=list, max_length=MAX_STOPS)
    n: Literal[1] = 1
    seed: int | None = None
    user: str | None = None
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    logprobs: bool = False
    top_logprobs: Annotated[int, Field(ge=0, le=MAX_TOP_LOGPROBS)] | None = None
    extra: dict[str, Any] = Field(default_factory=dict)

    @field_validator("stop", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        """A single string is a list of one; empty strings stop nothing."""
        stops = [value] if isinstance(value, str) else value
        return [stop for stop in stops if stop != ""] if isinstance(stops, list) else stops

    @property
    def token_limit(self) -> int | None:
        """How many tokens the answer may have; None is no limit."""
        return self.max_completion_tokens if self.max_completion_tokens is not None else self.max_tokens


OWN_PARAMETERS = frozenset(ChatRequest.model_fields) - {"extra"}


def parse(body: dict[str, Any], accepts: Callable[[str], bool]) -> ChatRequest:
    """The checked request, or a `WireError` 400 that names the parameter at fault.

    Parameters that the engine does not know go to `extra` when `accepts` says so. `null` counts as left
    out, as it does at OpenAI.
    """
    given = {name: value for name, value in body.items() if value is not None}
    extra = {name: given.pop(name) for name in list(given) if name not in OWN_PARAMETERS}
    for name in extra:
        if not accepts(name):
            raise unknown_parameter(name)
    try:
        return ChatRequest(**given, extra=extra)
    except ValidationError as error:
        raise first_problem(error) from None
