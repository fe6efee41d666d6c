"""An answer as it comes.

Read from raw server-sent bytes: the client's own stream objects build a typed model for every piece, which
doubles a command's CPU time (5.9 ms against 3.0 ms for a bare bot, measured 2026-11-22). What those objects
would have caught is looked for here: an error inside the stream, and a stream that ends before it is done.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from time import perf_counter
from typing import Any, Self

import openai

from bot.core.errors import ModelError
from bot.llm.errors import FOREIGN, worded
from bot.llm.prices import Usage
from bot.llm.stopping import Stopper

# What can end a stream early: the transport's own errors, an error inside the stream, a line that is not JSON
# or not of the wire's form (an object that is a list, a text that is a number).
BREAKS: tuple[type[Exception], ...] = (*FOREIGN, ValueError, TypeError, AttributeError)
# Opens the stream of bytes, inside a stack that closes connection and place in the queue.
Opener = Callable[[AsyncExitStack], Awaitable["Chunks"]]


class Chunks:
    """The bytes of one open response, what was really sent for them, and where to stop locally."""

    def __init__(self, chunks: AsyncIterator[bytes], sent: Mapping[str, Any], stop: tuple[str, ...]) -> None:
        self.chunks, self.sent, self.stop = chunks, sent, stop


class AnswerStream:
    """`async with client.stream(request) as stream: async for piece in stream: …`

    Afterwards `text`, `usage`, `finish` (`stop`, `length`, `broken`, …), `model` and `seconds` tell the rest.
    A stream that breaks after its first words ends with `finish` "broken" and keeps them; before, it raises
    `ModelError`. Leaving the block early closes the connection, which stops the model.
    """

    def __init__(self, opener: Opener) -> None:
        self._opener, self._stack = opener, AsyncExitStack()
        self._pieces: list[str] = []
        self._ended = False
        self._error: Exception | None = None
        self.usage: Usage | None = None
        self.finish: str | None = None
        self.refusal = ""
        self.model = ""
        self.sent: Mapping[str, Any] = {}
        self.seconds = 0.0

    @property
    def text(self) -> str:
        """All that has come so far."""
        return "".join(self._pieces)

    async def __aenter__(self) -> Self:
        self._started = perf_counter()
        try:
            await self._stack.__aenter__()
            self._open = await self._opener(self._stack)
        except FOREIGN as error:
            await self._stack.aclose()
            raise worded(error) from error
        except BaseException:
            await self._stack.aclose()
            raise
        self.sent = self._open.sent
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.seconds = perf_counter() - self._started
        await self._stack.aclose()

    async def __aiter__(self) -> AsyncIterator[str]:
        """The pieces, none of them empty; what arrives together comes as one."""
        stopper = Stopper(self._open.stop)
        async for text in self._texts():
            if piece := stopper.feed(text):
                self._pieces.append(piece)
                yield piece
            if stopper.stopped:
                self.finish = "stop"
                return
        if piece := stopper.rest():
            self._pieces.append(piece)
            yield piece
        # What breaks after the reason for the end takes nothing away but the usage.
        if self.finish is None:
            self._broke()

    async def _texts(self) -> AsyncIterator[str]:
        """The text in each chunk of bytes, to the end of the stream or to where it breaks."""
        rest = b""
        try:
            async for chunk in self._open.chunks:
                *lines, rest = (rest + chunk).split(b"\n")
                if text := self._text_of(lines):
                    yield text
                if self._ended:
                    return
        except BREAKS as error:
            self._error = error
        if text := self._text_of([rest]):
            yield text

    def _text_of(self, lines: Iterable[bytes]) -> str:
        """The text in these lines; a line that cannot be read, or is an error, ends the stream behind it."""
        text = ""
        for line in lines:
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                self._ended, self.finish = True, self.finish or "stop"
                break
            try:
                text += self._read(json.loads(data))
            except BREAKS as error:
                self._ended, self._error = True, error
                break
        return text

    def _read(self, chunk: Mapping[str, Any]) -> str:
        """The text in one chunk; notes model, usage and the reason it ended on the way."""
        if error := chunk.get("error"):
            raise _InStream(error if isinstance(error, dict) else {"message": str(error)})
        self.model = chunk.get("model") or self.model
        if usage := chunk.get("usage"):
            self.usage = usage_of(usage)
        text = ""
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or {}
            self.finish = choice.get("finish_reason") or self.finish
            self.refusal += delta.get("refusal") or ""
            text += delta.get("content") or ""
        return text

    def _broke(self) -> None:
        """Keep what has come; with nothing to keep, say so."""
        if not self._pieces:
            if isinstance(self._error, FOREIGN):
                raise worded(self._error) from self._error
            raise ModelError("The model's answer broke off before its first word. Try again.") from self._error
        self.finish = "broken"


class _InStream(openai.APIError):
    """An error that a server sent inside a stream it had begun with 200."""

    FOR_LOG = "error in the stream"

    def __init__(self, body: dict[str, Any]) -> None:
        self.message, self.body = self.FOR_LOG, body
        self.code = body.get("code")
        Exception.__init__(self, self.message)


def usage_of(data: Mapping[str, Any]) -> Usage:
    """A server's `usage` object as ours; what it leaves out counts as nothing."""
    details = data.get("prompt_tokens_details") or {}
    return Usage(
        int(data.get("prompt_tokens") or 0),
        int(details.get("cached_tokens") or 0),
        int(data.get("completion_tokens") or 0),
    )
