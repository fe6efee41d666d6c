"""`/v1/chat/completions`: checked requests, the interface of a model, and its answer whole or as a stream."""

import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Protocol

from aiohttp import web
from pydantic import Field, field_validator

from bot.core.stop_sequences import StopFilter
from bot.engine.errors import APIError, invalid_value, missing_parameter, unknown_parameter
from bot.engine.requests import StrictModel, read_json_object, validate

# OpenAI's own limits for these parameters (API reference, 2026-11-22).
MAX_STOPS = 4
MAX_TOP_LOGPROBS = 20
# The longest name of a tuned model or checkpoint has about 120 characters.
MAX_MODEL_NAME = 256

FinishReason = Literal["stop", "length", "content_filter"]


class Message(StrictModel):
    """One message of the prompt. Content in parts is joined."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str
    name: str | None = None

    @field_validator("content", mode="before")
    @classmethod
    def _join_parts(cls, value: object) -> object:
        return "".join(_part_text(part) for part in value) if isinstance(value, list) else value


def _part_text(part: object) -> str:
    if isinstance(part, dict) and part.keys() == {"type", "text"} and part["type"] == "text":
        return str(part["text"])
    raise ValueError("only parts of type text are read")


class StreamOptions(StrictModel):
    """`include_usage` adds a last chunk with the usage of the whole answer."""

    include_usage: bool = False


class ChatRequest(StrictModel):
    """A checked request. `extra` holds the parameters that the model takes beyond the engine's own."""

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
    def _as_list(cls, value: object) -> object:
        """A single string becomes a list of one; empty strings are left out."""
        stops = [value] if isinstance(value, str) else value
        return [stop for stop in stops if stop != ""] if isinstance(stops, list) else stops

    @property
    def token_limit(self) -> int | None:
        """The most tokens of the answer; None for no limit."""
        return self.max_completion_tokens if self.max_completion_tokens is not None else self.max_tokens


_OWN_PARAMETERS = frozenset(ChatRequest.model_fields) - {"extra"}


def parse_chat_request(body: dict[str, Any], accepts: Callable[[str], bool]) -> ChatRequest:
    """The checked request, or an `APIError` 400 that names the parameter at fault.

    Parameters that the engine does not know go to `extra` if `accepts` returns true for them. As at OpenAI, `null`
    counts as left out.
    """
    given = {name: value for name, value in body.items() if value is not None}
    extra = {name: given.pop(name) for name in list(given) if name not in _OWN_PARAMETERS}
    for name in extra:
        if not accepts(name):
            raise unknown_parameter(name)
    return validate(ChatRequest, {**given, "extra": extra})


@dataclass(frozen=True, slots=True)
class Delta:
    """A part of an answer.

    `tokens` is its size in the model's tokens. `logprob` is OpenAI's object for the token (`token`, `logprob`,
    `bytes`, `top_logprobs`), if the model has one. With `refusal` the text is a refusal instead of content.
    `finish_reason` is set on the last part if the model did not simply stop. A part with a `queue_place` has no text:
    it says how many requests are answered before this one.
    """

    text: str
    tokens: int = 1
    logprob: dict[str, Any] | None = None
    refusal: bool = False
    finish_reason: FinishReason | None = None
    queue_place: int | None = None


class ChatModel:
    """The base of the engine's models: the stand-in, tuned pocket GPTs, and the scripts of the tests."""

    id: str
    """The name that a request gives in `model`."""
    created: int = 0
    """Unix seconds; 0 for models that ship with the engine."""
    owned_by: str = "fewshot"
    label: str = ""
    """The name that its answers state in `model`, where it is not the one that was asked for."""

    def accepts(self, parameter: str) -> bool:
        """Whether the model takes a parameter that the engine itself does not know."""
        return False

    def count_prompt_tokens(self, request: ChatRequest) -> int:
        """The size of the prompt in the model's tokens. Called after the answer."""
        raise NotImplementedError

    def usage(self, request: ChatRequest, tokens: int) -> dict[str, Any]:
        """OpenAI's `usage` object for an answer of so many tokens."""
        prompt = self.count_prompt_tokens(request)
        return {"prompt_tokens": prompt, "completion_tokens": tokens, "total_tokens": prompt + tokens}

    def generate(self, request: ChatRequest) -> AsyncIterator[Delta]:
        """The answer in parts. Stop sequences and the token limit are applied to them by the engine.

        An `APIError` before the first part becomes an HTTP error, a later one an event inside the stream.
        """
        raise NotImplementedError

    def to_api(self) -> dict[str, object]:
        """OpenAI's model object."""
        return {"id": self.id, "object": "model", "created": self.created, "owned_by": self.owned_by}


class ModelRegistry(Protocol):
    """The models of an engine."""

    def all(self) -> list[ChatModel]:
        """Every model that `/v1/models` lists."""

    def get(self, model_id: str) -> ChatModel:
        """The model of that name. Raises an `APIError` 404."""


REGISTRY = web.AppKey("registry", ModelRegistry)


async def list_models(request: web.Request) -> web.Response:
    """`GET /v1/models`."""
    return web.json_response({"object": "list", "data": [model.to_api() for model in request.app[REGISTRY].all()]})


async def show_model(request: web.Request) -> web.Response:
    """`GET /v1/models/{model}`."""
    return web.json_response(request.app[REGISTRY].get(request.match_info["model"]).to_api())


async def create_completion(request: web.Request) -> web.StreamResponse:
    """`POST /v1/chat/completions`. Errors before the first token have their HTTP status, later ones are events."""
    body = await read_json_object(request)
    model_id = body.get("model")
    if model_id is None:
        raise missing_parameter("model")
    if not isinstance(model_id, str) or len(model_id) > MAX_MODEL_NAME:
        raise invalid_value(f"model must be a text of at most {MAX_MODEL_NAME} characters.", "model")
    model = request.app[REGISTRY].get(model_id)
    completion = Completion(model, parse_chat_request(body, model.accepts))
    return await completion.stream(request) if completion.request.stream else await completion.respond()


class Completion:
    """One answer: its id, its parts up to a stop sequence or the token limit, and its usage."""

    def __init__(self, model: ChatModel, request: ChatRequest) -> None:
        self.request = request
        self._model = model
        self._id = f"chatcmpl-{secrets.token_hex(12)}"
        self._created = int(time.time())
        self._tokens = 0
        self._finish_reason: FinishReason = "stop"

    async def _deltas(self) -> AsyncIterator[Delta]:
        """The parts of the answer that are sent. Afterwards the token count and the finish reason are known."""
        stops, limit = StopFilter(self.request.stop), self.request.token_limit
        async for delta in self._model.generate(self.request):
            if limit is not None and self._tokens + delta.tokens > limit:
                self._finish_reason = "length"
                break
            self._tokens += delta.tokens
            self._finish_reason = delta.finish_reason or self._finish_reason
            if delta.queue_place is not None:
                yield delta
                continue
            text = stops.feed(delta.text)
            if text or (self.request.logprobs and delta.logprob and not stops.stopped):
                yield replace(delta, text=text)
            if stops.stopped:
                self._finish_reason = "stop"
                return
        if text := stops.flush():
            yield Delta(text, tokens=0)

    async def respond(self) -> web.Response:
        """The answer as one `chat.completion` object."""
        deltas = [delta async for delta in self._deltas()]
        content = "".join(delta.text for delta in deltas if not delta.refusal)
        refusal = "".join(delta.text for delta in deltas if delta.refusal) or None
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": None if refusal else content, "refusal": refusal},
            "logprobs": _logprobs([delta.logprob for delta in deltas]) if self.request.logprobs else None,
            "finish_reason": self._finish_reason,
        }
        usage = self._model.usage(self.request, self._tokens)
        return web.json_response(self._object("chat.completion", [choice]) | {"usage": usage})

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """The answer as server-sent events with `chat.completion.chunk` objects, the last one `[DONE]`."""
        deltas = aiter(self._deltas())
        # The first part is awaited before the status line is sent, so that a refused request keeps its status.
        delta = await anext(deltas, None)
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}
        )
        await response.prepare(request)
        try:
            await response.write(self._chunk({"role": "assistant", "content": "", "refusal": None}))
            while delta is not None:
                if delta.queue_place is not None:
                    # A comment of server-sent events, which clients ignore unless they look for it.
                    await response.write(f": queue {delta.queue_place}\n\n".encode())
                else:
                    key = "refusal" if delta.refusal else "content"
                    await response.write(self._chunk({key: delta.text}, logprob=delta.logprob))
                delta = await anext(deltas, None)
            await response.write(self._chunk({}, finish_reason=self._finish_reason))
            if self.request.stream_options.include_usage:
                await response.write(_event(self._chunk_object([], self._model.usage(self.request, self._tokens))))
            await response.write(b"data: [DONE]\n\n")
        except APIError as error:
            await response.write(_event(error.body()))
        await response.write_eof()
        return response

    def _chunk(
        self,
        delta: dict[str, Any],
        *,
        finish_reason: FinishReason | None = None,
        logprob: dict[str, Any] | None = None,
    ) -> bytes:
        choice: dict[str, Any] = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        if self.request.logprobs and logprob is not None:
            choice["logprobs"] = _logprobs([logprob])
        return _event(self._chunk_object([choice], None))

    def _chunk_object(self, choices: list[dict[str, Any]], usage: dict[str, Any] | None) -> dict[str, Any]:
        chunk = self._object("chat.completion.chunk", choices)
        return chunk | {"usage": usage} if self.request.stream_options.include_usage else chunk

    def _object(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        """What whole answers and chunks have in common."""
        model = self._model.label or self.request.model
        return {"id": self._id, "object": kind, "created": self._created, "model": model, "choices": choices}


def _event(data: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def _logprobs(tokens: list[dict[str, Any] | None]) -> dict[str, Any]:
    return {"content": [token for token in tokens if token is not None], "refusal": None}
