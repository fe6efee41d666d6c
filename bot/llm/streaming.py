"""An answer as it comes.

Read from raw server-sent bytes: the client's own stream objects build a typed model for every piece, which
doubles a command's CPU time (5.9 ms against 3.0 ms for a bare bot, measured 2026-11-22). What those objects
would have caught is looked for here: an error inside the stream, and a stream that ends before it is done.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from time import perf_counter
from typing import Any, Self

from bot.core.errors import ModelError
from bot.core.stop_sequences import StopFilter
from bot.llm.errors import MALFORMED_RESPONSE, InStreamError, provider_errors, to_user_error
from bot.llm.usage import Usage

# What ends a stream at one of its lines: an error, a line that is not JSON or not of the wire's form (an object that
# is a list, a text that is a number).
UNREADABLE: tuple[type[Exception], ...] = (InStreamError, *MALFORMED_RESPONSE)
# Opens the stream of bytes, inside a stack that closes connection and place in the queue.
Opener = Callable[[AsyncExitStack], Awaitable["Chunks"]]


class Chunks:
    """The bytes of one open response, what was really sent for them, where to stop locally, and for how many seconds
    the model may say nothing.
    """

    def __init__(
        self, chunks: AsyncIterator[bytes], sent: Mapping[str, Any], stop: tuple[str, ...], silence: float
    ) -> None:
        self.chunks, self.sent, self.stop, self.silence = chunks, sent, stop, silence


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
        except provider_errors() as error:
            await self._stack.aclose()
            raise to_user_error(error) from error
        except BaseException:
            await self._stack.aclose()
            raise
        self.sent, self._heard = self._open.sent, asyncio.get_running_loop().time()
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.seconds = perf_counter() - self._started
        await self._stack.aclose()

    async def __aiter__(self) -> AsyncIterator[str]:
        """The pieces, none of them empty; what arrives together comes as one."""
        stops = StopFilter(self._open.stop)
        async for text in self._texts():
            if piece := stops.feed(text):
                self._pieces.append(piece)
                yield piece
            if stops.stopped:
                self.finish = "stop"
                return
        if piece := stops.flush():
            self._pieces.append(piece)
            yield piece
        # What breaks after the reason for the end takes nothing away but the usage.
        if self.finish is None:
            self._broke()

    async def _texts(self) -> AsyncIterator[str]:
        """The text in each chunk of bytes, to the end of the stream or to where it breaks."""
        rest = b""
        try:
            while chunk := await self._next():
                *lines, rest = (rest + chunk).split(b"\n")
                if text := self._text_of(lines):
                    yield text
                if self._ended:
                    return
        except (*provider_errors(), *MALFORMED_RESPONSE) as error:
            self._error = error
        if text := self._text_of([rest]):
            yield text

    async def _next(self) -> bytes:
        """The next chunk of bytes, nothing at the end.

        Raises `TimeoutError` where no line of data has come for too long: there are servers that keep a connection
        alive with comments when nobody is at work on the answer any more.
        """
        async with asyncio.timeout_at(self._heard + self._open.silence):
            return await anext(self._open.chunks, b"")

    def _text_of(self, lines: Iterable[bytes]) -> str:
        """The text in these lines; a line that cannot be read, or is an error, ends the stream behind it."""
        data = [line[5:].strip() for line in lines if line.startswith(b"data:")]
        if not data:
            return ""
        self._heard = asyncio.get_running_loop().time()
        done = b"[DONE]" in data
        if done:
            del data[data.index(b"[DONE]") :]
        text = ""
        try:
            for chunk in _chunks_in(data):
                text += self._read(chunk)
        except UNREADABLE as error:
            self._ended, self._error = True, error
        else:
            if done:
                self._ended, self.finish = True, self.finish or "stop"
        return text

    def _read(self, chunk: Mapping[str, Any]) -> str:
        """The text in one chunk; notes model, usage and the reason it ended on the way."""
        if error := chunk.get("error"):
            raise InStreamError(error if isinstance(error, dict) else {"message": str(error)})
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
            if isinstance(self._error, provider_errors()):
                raise to_user_error(self._error) from self._error
            raise ModelError("The model's answer broke off before its first word. Try again.") from self._error
        self.finish = "broken"


def _chunks_in(data: list[bytes]) -> Iterator[Mapping[str, Any]]:
    """The objects in lines of JSON, up to one that is none. Read as one list, which takes half the time."""
    try:
        yield from json.loads(b"[%s]" % b",".join(data))
    except ValueError:
        yield from map(json.loads, data)


def usage_of(data: Mapping[str, Any]) -> Usage:
    """A server's `usage` object as ours; what it leaves out counts as nothing."""
    details = data.get("prompt_tokens_details") or {}
    return Usage(
        int(data.get("prompt_tokens") or 0),
        int(details.get("cached_tokens") or 0),
        int(data.get("completion_tokens") or 0),
    )
