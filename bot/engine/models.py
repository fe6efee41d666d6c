"""What the engine asks of a model, and of the catalogue that a request finds it in.

A model is anything that turns a checked request into pieces of text: the stand-in, a tuned pocket GPT,
or a script of the tests. Stop strings and the token limit are kept for all of them by `bot.engine.chat`.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from bot.engine.requests import ChatRequest

FinishReason = Literal["stop", "length", "content_filter"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an answer, in order.

    `tokens` is its size in the model's own tokens. `logprob` is the wire's object for the token
    (`token`, `logprob`, `bytes`, `top_logprobs`), where asked for. With `refusal` the text is a refusal
    rather than content. `finish` in the last piece tells why the model stopped, when it is not "stop".
    """

    text: str
    tokens: int = 1
    logprob: dict[str, Any] | None = None
    refusal: bool = False
    finish: FinishReason | None = None


class ChatModel(Protocol):
    """One model of the engine."""

    @property
    def id(self) -> str:
        """The name that a request gives in `model`."""

    @property
    def created(self) -> int:
        """When the model came to be, in Unix seconds; 0 for those that ship with the engine."""

    @property
    def owned_by(self) -> str:
        """The owner that `/v1/models` shows."""

    def accepts(self, parameter: str) -> bool:
        """Whether a parameter that the engine itself does not know is passed on in `request.extra`."""

    def usage(self, request: ChatRequest, tokens: int) -> dict[str, Any]:
        """The wire's `usage` object for an answer of so many of the model's own tokens."""

    def answer(self, request: ChatRequest) -> AsyncIterator[Piece]:
        """The answer, piece by piece.

        A `WireError` before the first piece becomes an HTTP error, after it a line inside the stream.
        """


class Catalogue(Protocol):
    """Where a request finds its model."""

    def all(self) -> list[ChatModel]:
        """Every model that `/v1/models` lists."""

    def get(self, model_id: str) -> ChatModel:
        """The model of that name, or a `WireError` 404."""


def card(model: ChatModel) -> dict[str, object]:
    """A model as `/v1/models` shows it."""
    return {"id": model.id, "object": "model", "created": model.created, "owned_by": model.owned_by}
