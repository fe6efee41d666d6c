"""Streams an answer: from the bytes of a response to text.

Server-sent events are decoded by the decoder of `openai`, but their JSON is read here: the client's own stream builds a
typed object for every piece, which costs 1.74 times the CPU time of a bare bot for a command at 50 at once, against
0.83 here (`make bench`, 2026-11-28). Two things that that stream would report are checked here: an error inside the
stream, and a stream that ends before it is complete.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Self

from jiter import from_json

from bot.core.errors import ModelError
from bot.core.i18n import N_
from bot.core.json_text import without_surrogates
from bot.core.stop_sequences import StopFilter
from bot.llm.errors import PARSE_ERRORS, UNCLEAR, ServerError, error_in, provider_errors, to_user_error
from bot.llm.thinking import ThinkingFilter
from bot.llm.turn_ends import TurnEndFilter
from bot.llm.usage import Usage

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletion

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# The longest event, and the longest answer in one piece, in bytes, so that parsing does not block the event loop.
MAX_EVENT = 1024 * 1024
MAX_WHOLE = 4 * 1024 * 1024
# How a line of server-sent events begins.
FIELDS = (b":", b"data", b"event", b"id", b"retry")
# Characters of the longest answer where no token limit is known.
MAX_CHARACTERS = 400_000
# Characters for each token of the limit. Prose has 3 to 6; more than this is a server that ignores the limit.
CHARACTERS_PER_TOKEN = 12
UNREADABLE: tuple[type[Exception], ...] = (ServerError, *PARSE_ERRORS)
HIGH_SURROGATE = re.compile("[\ud800-\udbff]\\Z")
# Members of a message that hold thinking.
THINKING = ("reasoning_content", "reasoning", "thinking")
CUT_BY_TIME = "timeout"
# Reasons for the end of an answer in the words of some servers (Mistral, Gemini, proxies of Anthropic), in lower case.
FINISHES = {"model_length": "length", "max_tokens": "length", "safety": "content_filter"}
# Reasons that are a fault of the server: of Mistral and OpenRouter, of vLLM, of DeepSeek.
FAULTS = frozenset({"error", "abort", "insufficient_system_resource"})
# Events as almost all servers write them: one line with `data: `, then an empty line. They are split here, because the
# decoder makes three calls a line: with it a command costs 0.3 ms more at 50 at once (2026-11-28). Everything else is
# the decoder's.
EVENT_END, EVENT_START = b"\n\n", b"data: "
# The data of the last event.
END = b"[DONE]"
# The comment in which the local engine says how many requests it answers first.
QUEUE = b": queue "
# Seconds to wait for the usage after the reason for the end: some servers keep the connection open.
WAIT_FOR_USAGE = 3.0
NO_WORD = N_("The model's answer broke off before its first word. Try again.")


class EventReader:
    """The JSON objects in the bytes of a response: server-sent events, one whole JSON value, or a JSON value a line."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self._tail: bytes | None = b""  # what follows the last complete event, while `_are_simple`
        self._unread = 0  # bytes since the last complete event
        self._error: Exception | None = None
        self._foreign = False  # whether there were lines of another form, and no event
        self.done = False
        # How many requests the server answers before this one, as the local engine says in a comment.
        self.queue_place = 0

    async def __aiter__(self) -> AsyncGenerator[list[Any], None]:
        """The objects that arrived together; none where only comments did. Stops at `[DONE]`.

        Raises `ValueError` where an event is no JSON, after the objects before it.
        """
        start = b""
        async for chunk in self._chunks:
            start = (start + chunk).removeprefix(BYTE_ORDER_MARK).lstrip()
            if len(start) >= len(BYTE_ORDER_MARK):
                break
        if start[:1] in (b"{", b"[", b"<"):
            yield await self._whole(start)
            return
        yield self._feed(start)
        while not self._ended and (chunk := await anext(self._chunks, b"")):
            yield self._feed(chunk)
        if not self._ended:
            yield self._feed(b"\n\n")  # Some servers leave out the empty line behind the last event.
        if not self._ended and self._foreign:
            self._error = ValueError("the answer is no stream of events")
        if self._error is not None:
            raise self._error

    @property
    def _ended(self) -> bool:
        return self.done or self._error is not None

    async def _whole(self, start: bytes) -> list[Any]:
        """The objects of a body without events. Raises `ValueError` where it is no JSON, or too long."""
        if start[:1] == b"<":
            raise ServerError({"status": 404})  # a web page: there is no model at this address
        body = bytearray(start)
        async for chunk in self._chunks:
            body += chunk
            if len(body) > MAX_WHOLE:
                raise ValueError("the answer is too long")
        self.done = True
        text = body.decode("utf-8", "replace")
        try:
            data = json.loads(text)
            return data if isinstance(data, list) else [data]
        except ValueError:
            return [json.loads(line) for line in text.splitlines() if line.strip()]

    def _feed(self, chunk: bytes) -> list[Any]:
        """The objects of the events that `chunk` completes."""
        if self._tail is not None:
            complete, found, tail = (self._tail + chunk).rpartition(EVENT_END)
            if _are_simple(complete if found else tail) and len(tail) <= MAX_EVENT:
                self._tail = tail
                return self._simple_objects(complete)
            # From here on, the decoder reads this stream.
            from openai._streaming import SSEDecoder, _SSELineDecoder

            self._lines, self._decoder = _SSELineDecoder(), SSEDecoder()
            chunk, self._tail = self._tail + chunk, None
        events: list[str] = []
        self._unread += len(chunk)
        for line in self._lines.feed(chunk):
            event = self._decoder.decode(line.decode("utf-8", "replace"))
            if event is None:
                if line.startswith(QUEUE):
                    self.queue_place = int(line.removeprefix(QUEUE)[:9]) if line.removeprefix(QUEUE).isdigit() else 0
                self._foreign = self._foreign or (bool(line) and not line.startswith(FIELDS))
                continue
            self._unread, self._foreign = 0, False
            events.append(event.data.strip())
        if self._unread > MAX_EVENT:
            self._error = ValueError("the event is too long")
        return self._objects(events)

    def _simple_objects(self, complete: bytes) -> list[Any]:
        """The objects of events that `_are_simple`."""
        if not complete:
            return []
        events = complete.removeprefix(EVENT_START).split(EVENT_END + EVENT_START)
        if END in events:
            self.done = True
            del events[events.index(END) :]
        try:
            # Parsed as one list, which takes half the time.
            return list(from_json(b"[%s]" % b",".join(events)))
        except ValueError:  # One of them is no JSON, or holds half a character, which `jiter` does not read.
            return self._objects([event.decode("utf-8", "replace").strip() for event in events])

    def _objects(self, events: list[str]) -> list[Any]:
        """The parsed `events` that are not empty, up to the end of the stream or one that is no JSON."""
        found = []
        for event in filter(None, events):
            if event == END.decode():
                self.done = True
                break
            try:
                found.append(json.loads(event))
            except (ValueError, RecursionError) as error:
                self._error = error
                break
        return found


def _are_simple(events: bytes) -> bool:
    """Whether `events` are as almost all servers write them (`EVENT_START`, `EVENT_END`)."""
    lines_end = events.count(b"\n") == 2 * events.count(EVENT_END + EVENT_START)
    return lines_end and events.startswith(EVENT_START) and b"\r" not in events


@dataclass(frozen=True, slots=True)
class OpenResponse:
    """A response whose first objects have arrived.

    `stop` are the stop sequences to apply here. `deadline` is when the first word must have arrived and `end` when the
    whole answer must, in seconds of the loop's clock; `idle_timeout` is the longest time between two words, in seconds.
    `max_characters` bounds the answer and its thinking together.
    """

    first: list[Any]
    rest: AsyncIterator[list[Any]]
    reader: EventReader
    stop: tuple[str, ...]
    deadline: float
    end: float
    idle_timeout: float
    max_characters: int


# Sends the request of a stream and returns the response, which the stack closes.
OpenFunction = Callable[["AnswerStream", AsyncExitStack], Awaitable[OpenResponse]]


class AnswerStream:
    """`async with client.stream(request) as stream: async for piece in stream: …`

    Afterwards `text`, `usage`, `finish`, `model` and `seconds` describe the answer. `finish` is `stop`, `length` for an
    answer that reached its limit, `timeout` for one that was cut off after the time of a whole answer, `broken` where
    the connection broke, or another word of the server's. Words that have arrived are kept; without any, `ModelError`
    is raised. `sent` is the body of the call, empty where the server did not accept it. `thought` is true where the
    model wrote thinking, which is not part of the text; where a closing tag shows late that earlier pieces were
    thinking, `text` is without them. Leaving the block early closes the connection, which stops the model.
    """

    def __init__(self, open_response: OpenFunction, queue: "Iterable[AnswerStream]") -> None:
        self._open_response, self._queue, self._stack = open_response, queue, AsyncExitStack()
        self._reader: EventReader | None = None
        self._pieces: list[str] = []
        self._length = 0  # characters that arrived, of text and thinking
        self._half = ""  # the first half of a surrogate pair, until the second arrives
        self._error: Exception | None = None
        self._has_choice = False
        self._index: object = None  # of the choice that is read, where the server numbers them
        self._message: Mapping[str, Any] = {}
        self.usage: Usage | None = None
        self.finish: str | None = None
        self.refusal = ""
        self.model = ""
        self.thought = False
        self.sent: Mapping[str, Any] = {}
        self.seconds = 0.0
        # Called when the server reports a change of `before`.
        self.on_queue: Callable[[], None] | None = None

    @property
    def text(self) -> str:
        """The answer as far as it has arrived."""
        return "".join(self._pieces)

    @property
    def before(self) -> int:
        """The requests that must be answered before this one is: those in this process's queue, then the server's."""
        if self._reader is not None:
            return self._reader.queue_place
        return next((place for place, waiting in enumerate(self._queue, 1) if waiting is self), 0)

    @property
    def characters(self) -> int:
        """The characters that arrived, of the answer and of thinking."""
        return self._length

    async def __aenter__(self) -> Self:
        self._started = perf_counter()
        try:
            await self._stack.__aenter__()
            self._response = await self._open_response(self, self._stack)
        except provider_errors() as error:
            await self._stack.aclose()
            raise to_user_error(error) from error
        except BaseException:
            await self._stack.aclose()
            raise
        self._deadline, self._reader = self._response.deadline, self._response.reader
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.seconds = perf_counter() - self._started
        await self._stack.aclose()

    async def __aiter__(self) -> AsyncIterator[str]:
        """The pieces of the text, none of them empty. What arrives together is one piece."""
        stop = StopFilter(self._response.stop)
        # What the person wrote last does not ask for tags; the instructions and examples before it may.
        asked = [text_of(message.get("content"))[0] for message in self.sent.get("messages", ())]
        thinking, turn = ThinkingFilter(asked[:-1]), TurnEndFilter(asked)
        async for text in self._texts():
            shown = thinking.feed(text)
            if thinking.retracted:
                self._pieces.clear()
                stop, turn = StopFilter(self._response.stop), TurnEndFilter(asked)
            piece = turn.feed(stop.feed(shown))
            if self._excess > 0:
                piece = piece[: max(len(piece) - self._excess, 0)]
            if piece:
                self._pieces.append(piece)
                yield piece
            stopped = stop.stopped or turn.stopped
            if stopped or self._excess > 0:
                self.finish = "stop" if stopped else "length"
                break
        else:
            # A model that ended by itself has closed its tags, unless it ended at a stop sequence.
            complete = self.finish == "stop" or (self.finish is None and self._response.reader.done)
            by_itself = complete and not self.sent.get("stop")
            rest = turn.feed(stop.feed(thinking.flush("stop" if by_itself else "")) + stop.flush()) + turn.flush()
            if rest:
                self._pieces.append(rest)
                yield rest
        self.thought = self.thought or thinking.thought
        # An error after the reason for the end takes nothing away but the usage.
        if self.finish is None:
            self.finish = self._end()

    async def _texts(self) -> AsyncIterator[str]:
        """The new text of each read, to the end of the response or to an error."""
        objects: list[Any] | None = self._response.first
        place = 0
        while objects is not None:
            if self.before != place:
                place = self.before
                if self.on_queue is not None:
                    self.on_queue()
            text = self._text_of(objects)
            if text or self._excess > 0:
                yield text
            if self._error is not None:
                break
            try:
                async with asyncio.timeout_at(min(self._deadline, self._response.end)):
                    objects = await anext(self._response.rest, None)
            except (*provider_errors(), *PARSE_ERRORS) as error:
                self._error, objects = error, None
        if self._half:
            yield "\ufffd"

    @property
    def _excess(self) -> int:
        """The characters of text and thinking that arrived beyond the limit."""
        return self._length - self._response.max_characters

    def _text_of(self, objects: list[Any]) -> str:
        """The text in `objects`, up to one that is an error or of another form."""
        text, self._half = self._half, ""
        self._next_deadline = asyncio.get_running_loop().time() + self._response.idle_timeout
        try:
            for data in objects:
                if (piece := self._plain_text(data)) is None:
                    piece = self._read(data)
                text += piece
        except UNREADABLE as error:
            self._error = error
        # An emoji whose halves arrive in two reads is put together; half a one becomes U+FFFD.
        if not text.isascii() and HIGH_SURROGATE.search(text):
            text, self._half = text[:-1], text[-1]
        return without_surrogates(text)

    def _plain_text(self, data: Any) -> str | None:
        """The text of a chunk that holds nothing else, as most do. None for every other object, which `_read` takes."""
        try:
            (choice,) = data["choices"]
            ((name, content),) = choice["delta"].items()
        except (KeyError, TypeError, ValueError, AttributeError):
            return None
        if name != "content" or not isinstance(content, str) or not content or choice.get("finish_reason"):
            return None
        if choice.get("index") != self._index:
            return None
        if not self.model or data.get("usage") or "error" in data:
            return None
        self._length += len(content)
        self._has_choice = True
        self._deadline = self._next_deadline
        return content

    def _read(self, data: Any) -> str:
        """The text in one object. Notes model, usage, thinking, and the reason for the end."""
        if data is None:
            return ""
        if error := error_in(data):
            raise error
        if isinstance(data.get("model"), str) and data["model"]:
            self.model = without_surrogates(data["model"])[:200]
        if usage := data.get("usage"):
            self.usage = usage_of(usage)
        text = ""
        for choice in data.get("choices") or ():
            self._has_choice = True
            index = choice.get("index")
            self._index = index if self._index is None else self._index
            message = choice.get("delta") or choice.get("message") or {}
            if choice.get("message"):
                self._message = data
            refusal, _none = text_of(message.get("refusal"))
            content, thinking = text_of(message.get("content"))
            thinking += sum(len(text_of(message.get(name))[0]) for name in THINKING)
            self.thought = self.thought or thinking > 0
            self._length += thinking + len(content) + len(refusal)
            if thinking or content or refusal:
                # From the first word on, each next word must arrive within the idle timeout.
                self._deadline = self._next_deadline
            if index not in (None, self._index):
                continue  # Another answer, which nobody asked for; its tokens count.
            self.refusal += without_surrogates(refusal)
            text += content
            if (finish := choice.get("finish_reason")) and isinstance(finish, str):
                if finish.casefold() in FAULTS:
                    self._error = ServerError({"code": "server_error"})
                    continue
                self.finish = FINISHES.get(finish.casefold(), finish)
                self._deadline = asyncio.get_running_loop().time() + min(WAIT_FOR_USAGE, self._response.idle_timeout)
        return text

    def _end(self) -> str:
        """Why an answer ended whose server gave no reason. Raises `ModelError` where no word has arrived."""
        if self._error is None and self._response.reader.done and self._has_choice:
            return "stop"
        if not self._pieces:
            if isinstance(self._error, provider_errors()):
                raise to_user_error(self._error) from self._error
            unclear = self._error is not None or self._response.reader.done
            raise ModelError(UNCLEAR if unclear else NO_WORD) from self._error
        over = isinstance(self._error, TimeoutError) and asyncio.get_running_loop().time() >= self._response.end
        return CUT_BY_TIME if over else "broken"

    def completion(self) -> "ChatCompletion":
        """The answer as an object of `openai`, with the text of this stream."""
        from openai.types.chat import ChatCompletion

        data = dict(self._message)
        choices = data.get("choices") or [{"index": 0, "finish_reason": self.finish, "message": {"role": "assistant"}}]
        first = {**choices[0], "message": {**choices[0]["message"], "content": self.text}}
        made: ChatCompletion = ChatCompletion.construct(
            **{"id": "", "object": "chat.completion", "created": 0, "model": self.model, **data, "choices": [first]}
        )
        return made


def text_of(content: object) -> tuple[str, int]:
    """The text of a message's `content`, which is a text, a part or a list of parts, and the characters of thinking.

    Parts of an unknown type are left out.
    """
    if isinstance(content, str):
        return content, 0
    text, thinking = "", 0
    parts = content if isinstance(content, list) else [content]
    for part in parts:
        if isinstance(part, str):
            text += part
        elif isinstance(part, dict):
            kind, inner = part.get("type"), part.get("text")
            inner = inner.get("value") if isinstance(inner, dict) else inner
            if kind in ("text", "output_text", "refusal", None):
                text += inner if isinstance(inner, str) else ""
            elif kind in ("thinking", "reasoning"):
                thinking += sum(len(text_of(part.get(name))[0]) for name in ("thinking", "reasoning", "text"))
    return text, thinking


def usage_of(data: object) -> Usage | None:
    """A server's `usage` object. None where it is none, or its numbers are no counts of tokens."""
    if not isinstance(data, Mapping):
        return None
    details = data.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, Mapping) else 0
    counts = [data.get("prompt_tokens") or 0, cached or 0, data.get("completion_tokens") or 0]
    if not all(type(count) is int for count in counts):
        return None
    return Usage(counts[0], counts[1], counts[2])
