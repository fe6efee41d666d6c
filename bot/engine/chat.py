"""`/v1/chat/completions`: a model's pieces as one answer, or as a stream of server-sent events."""

import json
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from bot.engine.body import read_object
from bot.engine.errors import WireError
from bot.engine.limits import Limited
from bot.engine.models import Catalogue, ChatModel, Piece
from bot.engine.requests import ChatRequest, parse

CATALOGUE = web.AppKey("catalogue", Catalogue)


async def completions(request: web.Request) -> web.StreamResponse:
    """Answers one request. Errors before the first word have their HTTP status, later ones a line."""
    body = await read_object(request)
    model_id = body.get("model")
    if not isinstance(model_id, str):
        raise WireError("Name a model.", code="missing_required_parameter", param="model")
    model = request.app[CATALOGUE].get(model_id)
    chat = parse(body, model.accepts)
    answer = Answer(model, chat)
    if chat.stream:
        return await answer.stream(request)
    return web.json_response(await answer.whole())


class Answer:
    """One answer under way: its id, its pieces within the request's limits, and its usage."""

    def __init__(self, model: ChatModel, chat: ChatRequest) -> None:
        self._chat = chat
        self._model = model
        self._pieces = Limited(model.answer(chat), chat.stop, chat.token_limit)
        self._id = f"chatcmpl-{secrets.token_hex(12)}"
        self._created = int(time.time())

    def _usage(self) -> dict[str, Any]:
        return self._model.usage(self._chat, self._pieces.tokens)

    async def whole(self) -> dict[str, Any]:
        """The answer as one `chat.completion` object."""
        pieces = [piece async for piece in self._pieces]
        content = "".join(piece.text for piece in pieces if not piece.refusal)
        refusal = "".join(piece.text for piece in pieces if piece.refusal) or None
        message = {"role": "assistant", "content": None if refusal else content, "refusal": refusal}
        choice = {
            "index": 0,
            "message": message,
            "logprobs": _logprobs([piece.logprob for piece in pieces]) if self._chat.logprobs else None,
            "finish_reason": self._pieces.finish,
        }
        return {
            "id": self._id,
            "object": "chat.completion",
            "created": self._created,
            "model": self._chat.model,
            "choices": [choice],
            "usage": self._usage(),
        }

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """The answer as `chat.completion.chunk` lines, closed by `[DONE]`."""
        pieces = aiter(self._pieces)
        # The first piece is awaited before the status line, so that a refused request keeps its status.
        first = await anext(pieces, None)
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}
        )
        await response.prepare(request)
        try:
            await response.write(self._chunk({"role": "assistant", "content": "", "refusal": None}))
            if first is not None:
                await self._send(response, first, pieces)
            await response.write(self._chunk({}, finish=self._pieces.finish))
            if self._chat.stream_options.include_usage:
                await response.write(self._line(self._envelope([], self._usage())))
            await response.write(b"data: [DONE]\n\n")
        except WireError as error:
            await response.write(self._line(error.body()))
        await response.write_eof()
        return response

    async def _send(self, response: web.StreamResponse, first: Piece, rest: AsyncIterator[Piece]) -> None:
        await response.write(self._piece(first))
        async for piece in rest:
            await response.write(self._piece(piece))

    def _piece(self, piece: Piece) -> bytes:
        delta = {"refusal" if piece.refusal else "content": piece.text}
        return self._chunk(delta, logprob=piece.logprob)

    def _chunk(
        self, delta: dict[str, Any], *, finish: str | None = None, logprob: dict[str, Any] | None = None
    ) -> bytes:
        choice: dict[str, Any] = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        if self._chat.logprobs and logprob is not None:
            choice["logprobs"] = _logprobs([logprob])
        return self._line(self._envelope([choice], None))

    def _envelope(self, choices: list[dict[str, Any]], usage: dict[str, Any] | None) -> dict[str, Any]:
        envelope: dict[str, Any] = {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._chat.model,
            "choices": choices,
        }
        if self._chat.stream_options.include_usage:
            envelope["usage"] = usage
        return envelope

    @staticmethod
    def _line(data: dict[str, Any]) -> bytes:
        return f"data: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def _logprobs(tokens: list[dict[str, Any] | None]) -> dict[str, Any]:
    return {"content": [token for token in tokens if token is not None], "refusal": None}
