"""A server that hangs, never ends, or sends too much: one error in time, one charge, and no blocked event loop."""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from bot.core.errors import ModelError, ReplyError
from bot.engine.server import listening
from bot.llm import ChatClient, ChatTemplate
from bot.llm.completion import Answer, Spent, ask, limited
from tests.fake_model import FakeModel
from tests.llm.conftest import KEY

ASK = ChatTemplate.from_dict({"messages": [{"role": "user", "content": "Say something"}]})
HELLO = ASK.fill({})
Write = Callable[[web.StreamResponse], Awaitable[None]]


def event(text: str) -> bytes:
    return f"data: {json.dumps({'choices': [{'delta': {'content': text}}]})}\n\n".encode()


class Server:
    """Answers with what `write` writes, and counts the requests."""

    def __init__(self, write: Write, **headers: str) -> None:
        self.calls = 0
        self._write, self._headers = write, {"Content-Type": "text/event-stream"} | headers

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.calls += 1
        response = web.StreamResponse(headers=self._headers)
        await response.prepare(request)
        await self._write(response)
        return response


@asynccontextmanager
async def client_of(server: Server, timeout: float = 0.5, answer_time: float = 0.5) -> AsyncIterator[ChatClient]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    async with (
        listening(app, "127.0.0.1", 0) as port,
        ChatClient(
            base_url=f"http://127.0.0.1:{port}/v1", api_key=KEY, model="m", timeout=timeout, answer_time=answer_time
        ) as client,
    ):
        await client.warm()
        yield client


async def asked(client: ChatClient, spent: Spent) -> Answer | str:
    """The answer, or the sentence of the error; ten seconds at the most."""
    async with asyncio.timeout(10):
        try:
            return await ask(client, limited(client, HELLO), spent=spent)
        except ModelError as error:
            return str(error)


async def never(response: web.StreamResponse) -> None:
    await asyncio.Event().wait()


async def comments(response: web.StreamResponse) -> None:
    while True:
        await response.write(b": keep-alive\n\n")
        await asyncio.sleep(0.05)


async def empty_deltas(response: web.StreamResponse) -> None:
    while True:
        await response.write(b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n')
        await asyncio.sleep(0.05)


async def stall(response: web.StreamResponse) -> None:
    await response.write(event("Half an") + event(" answer"))
    await asyncio.Event().wait()


async def stall_with_comments(response: web.StreamResponse) -> None:
    await response.write(event("Half an") + event(" answer"))
    await comments(response)


async def hang_up(response: web.StreamResponse) -> None:
    await response.write(event("Half an") + event(" answer"))
    await asyncio.sleep(0.05)


async def endless(response: web.StreamResponse) -> None:
    while True:
        await response.write(event("on and on "))
        await asyncio.sleep(0.05)


async def endless_thinking(response: web.StreamResponse) -> None:
    while True:
        await response.write(b'data: {"choices":[{"delta":{"reasoning_content":"hm "}}]}\n\n')
        await asyncio.sleep(0.05)


async def flood(response: web.StreamResponse) -> None:
    while True:
        await response.write(event("on and on ") * 100)


@pytest.mark.parametrize("write", [never, comments, empty_deltas])
async def test_a_server_that_never_starts_is_told_once_and_charged_once(write: Write) -> None:
    server, spent = Server(write), Spent()
    async with client_of(server) as client:
        assert "took too long" in str(await asked(client, spent))
    assert server.calls == 1
    assert spent.usage.estimated
    assert spent.usage.prompt > 0
    assert spent.usage.completion == 0


async def test_a_server_that_sends_no_status_is_asked_once(fake: FakeModel) -> None:
    fake.holds()
    spent = Spent()
    async with ChatClient(base_url=fake.url, api_key=fake.token, model="m", timeout=0.5) as client:
        assert "took too long" in str(await asked(client, spent))
    assert len(fake.calls) == 1
    assert spent.usage.prompt > 0


async def test_an_answer_is_complete_at_its_end_also_where_the_connection_stays_open() -> None:
    async def stay(response: web.StreamResponse) -> None:
        await response.write(event("Bonjour") + b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n')
        await comments(response)

    async with client_of(Server(stay), answer_time=60) as client:
        answer = await asked(client, Spent())
    assert isinstance(answer, Answer)
    assert (answer.text, answer.finish) == ("Bonjour", "stop")


@pytest.mark.parametrize("write", [stall, stall_with_comments, hang_up])
async def test_words_before_a_stall_or_a_break_are_kept_and_charged_once(write: Write) -> None:
    server, spent = Server(write), Spent()
    async with client_of(server, answer_time=5) as client:
        answer = await asked(client, spent)
    assert isinstance(answer, Answer)
    assert (answer.text, answer.finish) == ("Half an answer", "broken")
    assert server.calls == 1
    assert spent.usage == answer.usage
    assert spent.usage.completion > 0


@pytest.mark.parametrize("write", [stall, endless])
async def test_a_reply_of_another_form_that_does_not_end_is_asked_for_once(write: Write) -> None:
    """Asking for its form once more would take the whole time again."""
    rating = ChatTemplate.from_dict({"reply": "rating", "messages": list(ASK.messages)})
    server = Server(write)
    async with client_of(server) as client, asyncio.timeout(10):
        with pytest.raises(ReplyError):
            await ask(client, rating.fill({}))
    assert server.calls == 1


async def test_after_an_error_in_a_stream_nothing_more_is_waited_for() -> None:
    async def err(response: web.StreamResponse) -> None:
        await response.write(event("Half an answer") + b'data: {"error": {"code": "server_error"}}\n\n')
        await asyncio.Event().wait()

    async with client_of(Server(err), timeout=60, answer_time=60) as client:
        answer = await asked(client, Spent())
    assert isinstance(answer, Answer)
    assert (answer.text, answer.finish) == ("Half an answer", "broken")


async def test_an_answer_that_never_ends_is_cut_off_and_says_so() -> None:
    server, spent = Server(endless), Spent()
    async with client_of(server) as client:
        answer = await asked(client, spent)
    assert isinstance(answer, Answer)
    assert answer.text.startswith("on and on on and on")
    assert answer.finish == "timeout"
    assert server.calls == 1
    assert spent.usage.completion > 0


async def test_thinking_that_never_ends_is_given_up() -> None:
    server, spent = Server(endless_thinking), Spent()
    async with client_of(server) as client:
        assert "took too long" in str(await asked(client, spent))
    assert server.calls == 1
    assert spent.usage.completion > 0


async def test_a_server_that_ignores_the_token_limit_is_cut_off_and_settled_at_it() -> None:
    server, spent = Server(flood), Spent()
    async with client_of(server, answer_time=60) as client:
        answer = await ask(client, HELLO.with_limit(100), spent=spent)
    assert answer.finish == "length"
    assert len(answer.text) <= 1_200
    assert spent.usage.completion == 100


async def test_thinking_beyond_the_token_limit_is_told_and_settled_at_the_limit() -> None:
    async def think(response: web.StreamResponse) -> None:
        while True:
            await response.write(b'data: {"choices":[{"delta":{"reasoning_content":"on and on "}}]}\n\n' * 100)

    server, spent = Server(think), Spent()
    async with client_of(server, answer_time=60) as client:
        with pytest.raises(ModelError, match="all its tokens for thinking"):
            await ask(client, HELLO.with_limit(100), spent=spent)
    assert server.calls == 1
    assert spent.usage.completion == 100


async def test_a_slow_answer_is_waited_for_as_long_as_words_arrive() -> None:
    data = event("one ") + event("two") + b"data: [DONE]\n\n"

    async def byte_by_byte(response: web.StreamResponse) -> None:
        for byte in data:
            await response.write(bytes([byte]))
            await asyncio.sleep(0.01)

    server, spent = Server(byte_by_byte), Spent()
    async with client_of(server, timeout=2, answer_time=20) as client:
        answer = await asked(client, spent)
    assert isinstance(answer, Answer)
    assert (answer.text, answer.finish) == ("one two", "stop")


@pytest.mark.parametrize(("given", "sent"), [({}, 1_000), ({"max_tokens": 7}, None), ({"max_completion_tokens": 9}, 9)])
async def test_every_call_carries_a_limit_of_tokens(
    fake: FakeModel, client: ChatClient, given: dict[str, int], sent: int | None
) -> None:
    template = ChatTemplate.from_dict({**given, "messages": list(ASK.messages)})
    answer = await ask(client, limited(client, template.fill({})))
    assert fake.requests[0].get("max_completion_tokens") == sent
    assert fake.requests[0].get("max_tokens") == given.get("max_tokens")
    assert answer.parameters.items() >= given.items()


async def test_a_long_text_gets_a_limit_that_its_translation_fits_in(fake: FakeModel, client: ChatClient) -> None:
    template = ChatTemplate.from_dict({"messages": [{"role": "user", "content": "Translate: {{text}}"}]})
    await ask(client, limited(client, template.fill({"text": "word " * 1_200})))
    assert fake.requests[0]["max_completion_tokens"] == 4_002


@pytest.mark.parametrize("refused", [["max_completion_tokens"], ["max_completion_tokens", "max_tokens"]])
async def test_a_limit_that_a_server_does_not_know_is_sent_by_its_other_name_or_not_at_all(
    fake: FakeModel, client: ChatClient, refused: list[str]
) -> None:
    fake.refuses(*refused)
    assert (await ask(client, limited(client, HELLO))).text == "ok"
    assert fake.requests[-1].get("max_tokens") == (1_000 if len(refused) == 1 else None)
    assert "max_completion_tokens" not in fake.requests[-1]


class Ticks:
    """Counts how often the event loop gets to other tasks during the block."""

    async def __aenter__(self) -> "Ticks":
        self.count = 0
        self._task = asyncio.create_task(self._tick())
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._task.cancel()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(0)
            self.count += 1


def bomb() -> bytes:
    """A stream of one comment of 100 MB in 100 kB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(b": " + bytes(1_000_000)) for _ in range(100)]
    return b"".join([*parts, packer.flush()])


async def test_a_compressed_answer_is_read(fake: FakeModel) -> None:
    data = gzip.compress(event("Bonjour") + b"data: [DONE]\n\n")

    async def write(response: web.StreamResponse) -> None:
        await response.write(data)

    server = Server(write, **{"Content-Encoding": "gzip"})
    async with client_of(server, timeout=5) as client:
        answer = await asked(client, Spent())
    assert isinstance(answer, Answer)
    assert answer.text == "Bonjour"


@pytest.mark.parametrize("kind", ["text/event-stream", "application/json"])
async def test_a_compressed_answer_without_end_is_given_up_and_does_not_block(kind: str) -> None:
    data = await asyncio.to_thread(bomb)

    async def write(response: web.StreamResponse) -> None:
        await response.write(data)

    server = Server(write, **{"Content-Encoding": "gzip", "Content-Type": kind})
    async with client_of(server, timeout=30) as client, Ticks() as ticks:
        assert isinstance(await asked(client, Spent()), str)
    # It is read in pieces of 64 kB, up to the longest event of 1 MB; decompressed at once it would be a single step.
    assert ticks.count > 10


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip"])
async def test_an_encoding_that_cannot_be_read_is_a_sentence(encoding: str) -> None:
    async def write(response: web.StreamResponse) -> None:
        await response.write(b"no such encoding")

    async with client_of(Server(write, **{"Content-Encoding": encoding}), timeout=5) as client:
        assert "cannot be understood" in str(await asked(client, Spent()))


@pytest.mark.parametrize("piece", [b"data: " + b"x" * 100_000, b"x" * 100_000, b'data: {"a":1}\n' * 8_000])
async def test_an_event_without_end_is_given_up(piece: bytes) -> None:
    async def write(response: web.StreamResponse) -> None:
        while True:
            await response.write(piece)

    async with client_of(Server(write), timeout=10) as client:
        assert isinstance(await asked(client, Spent()), str)
