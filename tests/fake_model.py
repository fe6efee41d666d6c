"""A scripted model server: the engine's real HTTP server with a model whose replies a test sets.

    async with FakeModel() as fake:
        fake.says("Bonjour")
        client = AsyncOpenAI(base_url=fake.url, api_key=fake.token)
        ...
        assert fake.requests[0]["messages"][-1]["content"] == "Good morning"

`fake.moderator` is its moderation endpoint: `fake.moderator.flags["knife"] = ["violence"]`.

As a process, for benchmarks: `python -m tests.fake_model --port 8900 --text "…" --pieces 40 --delay 0.01`
prints one line of JSON with `url` and `token`; `GET /calls` lists each request's last message and the monotonic times
of its arrival and last byte, `POST /delay` sets the seconds before each piece.
"""

import argparse
import asyncio
import contextlib
import contextvars
import json
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Self

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.engine.chat import ChatModel, ChatRequest, Delta, FinishReason
from bot.engine.errors import APIError, unknown_model
from bot.engine.requests import read_json_object
from bot.engine.server import create_app, listening

Text = str | Callable[[dict[str, Any]], str]


@dataclass(frozen=True)
class Reply:
    """One scripted reply.

    The text is sent in `pieces` parts with `delay` seconds before each. `error` is sent instead of the text, or inside
    the stream after `stop_after` parts. Without `error`, after `stop_after` parts the connection is closed (`cut`) or
    the server sends nothing more.
    """

    text: Text = "ok"
    pieces: int = 1
    delay: float = 0.0
    error: APIError | None = None
    stop_after: int | None = None
    cut: bool = False
    refusal: bool = False
    finish: FinishReason | None = None
    # Places in a queue, told before the reply as the engine does.
    places: tuple[int, ...] = ()


@dataclass
class Call:
    """One received request. Times are monotonic seconds."""

    body: dict[str, Any]
    headers: dict[str, str]
    arrived: float
    last_byte: float | None = None
    cancelled: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class FakeModel:
    """A model server on loopback that records every chat request and accepts any model name and parameter."""

    token: str = "test-token"
    port: int = 0
    models: list[str] = field(default_factory=lambda: ["fake-model"])
    calls: list[Call] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    # Overrides fields of `usage`, e.g. {"prompt_tokens_details": {"cached_tokens": 3}}.
    usage: dict[str, Any] = field(default_factory=dict)
    # Whether pictures are accepted; without it they are refused in the engine's words.
    sees_pictures: bool = False
    # Names that the server gives in its answers, and the last days of models.
    versions: dict[str, str] = field(default_factory=dict)
    last_days: dict[str, str] = field(default_factory=dict)
    running: int = 0
    most_running: int = 0

    def __post_init__(self) -> None:
        self._default = Reply()
        self._next: deque[Reply] = deque()
        self._gate = asyncio.Event()
        self._gate.set()
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        app = create_app(self, token=self.token)
        app.middlewares.append(self._record)
        app.router.add_get("/calls", self._show_calls)
        app.router.add_post("/delay", self._set_delay)
        self.moderator = Moderator(app, self.token)
        self.port = await self._stack.enter_async_context(listening(app, "127.0.0.1", self.port))
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._gate.set()
        await self._stack.aclose()

    @property
    def url(self) -> str:
        """The base URL for a client, with its /v1."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The bodies of all chat requests, in order of arrival."""
        return [call.body for call in self.calls]

    def says(self, *texts: Text, **how: Any) -> None:
        """Reply with these texts, one per request; the last one repeats. `how`: any field of `Reply`.

        A text may be a function of the request's body.
        """
        replies = [Reply(text, **how) for text in texts]
        self._next.extend(replies[:-1])
        if self._next:
            self._next.append(replies[-1])
        self._default = replies[-1]

    def once(self, text: Text = "ok", *, times: int = 1, **how: Any) -> None:
        """Reply like this to the next `times` requests, after the replies queued so far."""
        self._next.extend([Reply(text, **how)] * times)

    def fails(self, status: int = 500, *, times: int = 1, retry_after: float | None = None, **error: Any) -> None:
        """Respond to the next requests with an HTTP error; `error`: any keyword of `APIError`."""
        headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        message = error.pop("message", f"The test asked for a {status}.")
        kind = error.pop("kind", "rate_limit_error" if status == 429 else "server_error")
        failure = APIError(message, status=status, kind=kind, headers=headers, **error)
        self.once(error=failure, times=times)

    def refuses(self, *parameters: str) -> None:
        """Respond with 400 to every request that has one of these parameters."""
        self.refused.update(parameters)

    def declines(self, text: str = "I cannot help with that.", *, times: int = 1) -> None:
        """Reply in the field `refusal`."""
        self.once(text, times=times, refusal=True)

    def hangs(self, *, after: int = 0, times: int = 1, text: str = "one two three four", pieces: int = 4) -> None:
        """Send nothing more after `after` parts, until the client disconnects."""
        self.once(text, times=times, pieces=pieces, stop_after=after)

    def breaks_off(self, *, after: int = 2, times: int = 1, text: str = "one two three four", pieces: int = 4) -> None:
        """Close the connection after `after` parts (0: before the status line)."""
        self.once(text, times=times, pieces=pieces, stop_after=after, cut=True)

    def errs_in_stream(self, message: str = "The server had an error.", *, after: int = 2, times: int = 1) -> None:
        """Send an `{"error": …}` line inside the stream after `after` parts."""
        error = APIError(message, status=500, kind="server_error", code="server_error")
        self.once("one two three four", times=times, pieces=4, stop_after=after, error=error)

    def says_nothing(self, *, times: int = 1) -> None:
        """Reply with empty content."""
        self.once("", times=times)

    def holds(self) -> None:
        """Hold every reply until `release`."""
        self._gate.clear()

    def release(self) -> None:
        """Send the replies that `holds` held."""
        self._gate.set()

    def all(self) -> list[ChatModel]:
        return [_Scripted(name, self) for name in self.models]

    def get(self, model_id: str) -> ChatModel:
        if model_id == "no-such-model":
            raise unknown_model(model_id)
        return _Scripted(model_id, self, label=self.versions.get(model_id, ""))

    def next_reply(self, body: dict[str, Any]) -> Reply:
        """The next reply, for a request with this body."""
        for name in sorted(self.refused & body.keys()):
            message = f"Unsupported parameter: '{name}' is not supported with this model."
            return Reply(error=APIError(message, code="unsupported_parameter", param=name))
        reply = self._next.popleft() if self._next else self._default
        return reply if isinstance(reply.text, str) else replace(reply, text=reply.text(body))

    async def passed(self) -> None:
        """Return once replies are not held."""
        await self._gate.wait()

    @web.middleware
    async def _record(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        day = self.last_days.get(request.path.rpartition("/")[2])
        if day is not None:
            return web.json_response({"id": request.path, "object": "model", "shutdown_date": day})
        if not request.path.endswith("/chat/completions"):
            return await handler(request)
        call = Call(await read_json_object(request), dict(request.headers), time.monotonic())
        self.calls.append(call)
        if self.sees_pictures:
            request._read_bytes = json.dumps(
                {**call.body, "messages": [_texts(m) for m in call.body["messages"]]}
            ).encode()
        _current.set((request, call))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            response = await handler(request)
        except asyncio.CancelledError:
            call.cancelled = True
            raise
        finally:
            self.running -= 1
            call.ended.set()
        call.last_byte = time.monotonic()
        return response

    async def _show_calls(self, request: web.Request) -> web.Response:
        calls = [
            {
                "user": call.body["messages"][-1]["content"],
                "arrived": call.arrived,
                "last_byte": call.last_byte,
            }
            for call in self.calls
        ]
        return web.json_response(calls)

    async def _set_delay(self, request: web.Request) -> web.Response:
        self._default = replace(self._default, delay=await request.json())
        return web.Response()


# The categories of OpenAI's moderation endpoint (2026-11-22).
CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)


class Moderator:
    """`/v1/moderations`: `flags` maps a word to the categories it is flagged with. With `down` it responds with 500."""

    def __init__(self, app: web.Application, token: str) -> None:
        self.flags: dict[str, list[str]] = {}
        self.seen: list[str] = []
        self.models: list[str] = []
        self.down = False
        self._token = token
        app.router.add_post("/v1/moderations", self.answer)

    async def answer(self, request: web.Request) -> web.Response:
        """Respond in the endpoint's format."""
        assert request.headers["Authorization"] == f"Bearer {self._token}"
        body = await read_json_object(request)
        if self.down:
            return web.json_response({"error": {"message": "down"}}, status=500)
        given = body["input"] if isinstance(body["input"], str) else json.dumps(body["input"])
        self.seen.append(given)
        self.models.append(body["model"])
        found = {name for word, names in self.flags.items() if word in given for name in names}
        result = {
            "flagged": bool(found),
            "categories": {name: name in found for name in CATEGORIES},
            "category_scores": {name: float(name in found) for name in CATEGORIES},
            "category_applied_input_types": {name: ["text"] for name in CATEGORIES},
        }
        return web.json_response({"id": "modr-1", "model": body["model"], "results": [result]})


_current: contextvars.ContextVar[tuple[web.Request, Call]] = contextvars.ContextVar("current")


@dataclass(frozen=True)
class _Scripted(ChatModel):
    """The model for every requested name."""

    id: str
    fake: FakeModel
    created: int = 0
    owned_by: str = "tests"
    label: str = ""

    def accepts(self, parameter: str) -> bool:
        return True

    def usage(self, request: ChatRequest, tokens: int) -> dict[str, Any]:
        prompt = sum(len(message.content.split()) for message in request.messages)
        counted = {"prompt_tokens": prompt, "completion_tokens": tokens, "total_tokens": prompt + tokens}
        return counted | self.fake.usage

    async def generate(self, request: ChatRequest) -> AsyncIterator[Delta]:
        http, call = _current.get()
        reply = self.fake.next_reply(call.body)
        for place in reply.places:
            yield Delta("", tokens=0, queue_place=place)
        await self.fake.passed()
        if reply.error is not None and reply.stop_after is None:
            raise reply.error
        parts = _split(str(reply.text), reply.pieces)
        for number, part in enumerate(parts):
            if number == reply.stop_after:
                await _stop(http, reply)
            if reply.delay:
                await asyncio.sleep(reply.delay)
            finish = reply.finish if number == len(parts) - 1 else None
            yield Delta(part, tokens=max(1, len(part.split())), refusal=reply.refusal, finish_reason=finish)
        if reply.stop_after is not None:
            await _stop(http, reply)


def _texts(message: dict[str, Any]) -> dict[str, Any]:
    """`message` without its pictures, which the engine's requests cannot have."""
    if isinstance(message["content"], str):
        return message
    return {**message, "content": [part for part in message["content"] if part["type"] == "text"]}


async def _stop(http: web.Request, reply: Reply) -> None:
    if reply.error is not None:
        raise reply.error
    if reply.cut and http.transport is not None:
        http.transport.abort()
    await asyncio.Event().wait()


def _split(text: str, pieces: int) -> list[str]:
    size = max(1, -(-len(text) // pieces))
    return [text[at : at + size] for at in range(0, len(text), size)]


async def _serve(options: argparse.Namespace) -> None:
    async with FakeModel(token=options.token, port=options.port) as fake:
        fake.says(options.text, pieces=options.pieces, delay=options.delay)
        print(json.dumps({"url": fake.url, "token": fake.token}), flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="A model server with one fixed answer.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token", default=secrets.token_urlsafe(16))
    parser.add_argument("--text", default="All is well on the track today, and the pods are ready. " * 4)
    parser.add_argument("--pieces", type=int, default=40)
    parser.add_argument("--delay", type=float, default=0.0)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
