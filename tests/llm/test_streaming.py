"""The pieces of a stream are the whole answer. A broken stream keeps its words; leaving a stream stops the model."""

import asyncio

import pytest
from aiohttp import web

from bot.core.errors import ModelError
from bot.llm import ChatClient, ChatTemplate
from bot.llm.usage import Usage
from tests.fake_model import FakeModel
from tests.llm.conftest import Serving, read, until

ASK = ChatTemplate.from_dict({"messages": [{"role": "user", "content": "Say something long"}]})
ODD = "Zwei Rösser 🏇🏽 in\n\n```py\nx = '\u2028'\n```  "


@pytest.mark.parametrize("pieces", [1, 7, 1000])
async def test_the_pieces_are_the_whole_answer(fake: FakeModel, client: ChatClient, pieces: int) -> None:
    fake.says(ODD, pieces=pieces)
    async with ASK.stream({}, client) as stream:
        seen = [piece async for piece in stream]
    assert "".join(seen) == stream.text == ODD
    assert all(seen)
    whole = await ASK.completion({}, client)
    assert whole.choices[0].message.content == ODD
    assert (stream.finish, stream.model) == ("stop", "fake-model")
    assert stream.usage is not None
    assert stream.usage.prompt == 3


async def test_pieces_that_come_fast_are_read_together(fake: FakeModel, client: ChatClient) -> None:
    fake.says("word " * 80, pieces=80, delay=0.005)
    async with ASK.stream({}, client) as stream:
        seen = [piece async for piece in stream]
    assert (stream.text, stream.finish) == ("word " * 80, "stop")
    assert len(seen) < 60


async def test_cached_tokens_are_reported(fake: FakeModel, client: ChatClient) -> None:
    fake.usage = {"prompt_tokens": 90, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 64}}
    stream = await read(ASK, client)
    assert client.record_usage(ASK.fill({}), stream) == Usage(90, 64, 2)


async def test_usage_that_is_not_reported_is_estimated(fake: FakeModel, client: ChatClient) -> None:
    fake.refuses("stream_options")
    fake.says("one two three")
    stream = await read(ASK, client)
    usage = client.record_usage(ASK.fill({}), stream)
    assert usage.estimated
    assert usage.prompt > 0
    assert usage.completion > 0


async def test_an_answer_at_its_limit_says_so(fake: FakeModel, client: ChatClient) -> None:
    fake.says("half an ans", finish="length")
    stream = await read(ASK, client)
    assert stream.finish == "length"


@pytest.mark.parametrize("how", ["cut", "error"])
async def test_a_stream_that_breaks_in_the_middle_keeps_its_words(
    fake: FakeModel, client: ChatClient, how: str
) -> None:
    if how == "cut":
        fake.breaks_off(after=2)
    else:
        fake.errs_in_stream(after=2)
    async with ASK.stream({}, client) as stream:
        seen = [piece async for piece in stream]
    assert "".join(seen) == stream.text
    assert "one two three four".startswith(stream.text)
    assert stream.text
    assert stream.finish == "broken"


async def test_a_stream_that_falls_silent_keeps_its_words(fake: FakeModel, hasty: ChatClient) -> None:
    fake.hangs(after=2)
    stream = await read(ASK, hasty)
    assert (stream.text, stream.finish) == ("one two th", "broken")


@pytest.mark.parametrize(("word", "said"), [("", "too long"), ("Half", None)])
async def test_a_connection_that_is_only_kept_alive_is_given_up(serving: Serving, word: str, said: str | None) -> None:
    """The server sends comments for as long as somebody listens."""

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        if word:
            await response.write(b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % word.encode())
        while True:
            await response.write(b": keep-alive\n\n")
            await asyncio.sleep(0.02)

    async with serving(handler, timeout=0.3) as client:
        if said is not None:
            with pytest.raises(ModelError, match=said):
                await read(ASK, client)
        else:
            stream = await read(ASK, client)
            assert (stream.text, stream.finish) == (word, "broken")


@pytest.mark.parametrize(
    "lines",
    [
        'data: {"choices":[]}\n\n',
        "data: not json\n\n",
        "data: []\n\n",
        "data: 5\n\n",
        'data: {"choices":["x"]}\n\n',
        'data: {"error":"out of memory"}\n\n',
        'data: {"error":{"message":"sk-secret at http://10.0.0.1"}}\n\n',
        "event: ping\n\n",
        "",
    ],
)
async def test_a_stream_without_a_word_is_one_sentence(serving: Serving, lines: str) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=lines, content_type="text/event-stream")

    async with serving(handler) as client:
        with pytest.raises(ModelError) as caught:
            await read(ASK, client)
    assert "sk-" not in str(caught.value)
    assert "10.0" not in str(caught.value)


@pytest.mark.parametrize(
    "bad", ["data: not json", "data: []", 'data: {"choices":[7]}', 'data: {"usage":{"prompt_tokens":"x"}}']
)
async def test_a_line_that_makes_no_sense_ends_the_answer_and_keeps_its_words(serving: Serving, bad: str) -> None:
    async def handler(request: web.Request) -> web.Response:
        text = f'data: {{"choices":[{{"delta":{{"content":"Half"}}}}]}}\n\n{bad}\n\n'
        return web.Response(text=text, content_type="text/event-stream")

    async with serving(handler) as client, ASK.stream({}, client) as stream:
        assert [piece async for piece in stream] == ["Half"]
    assert stream.finish == "broken"


async def test_an_answer_that_was_finished_before_the_line_broke_is_whole(serving: Serving) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'data: {"choices":[{"delta":{"content":"Whole"},"finish_reason":"stop"}]}\n\n')
        assert request.transport is not None
        await asyncio.sleep(0.05)
        request.transport.abort()
        return response

    async with serving(handler) as client, ASK.stream({}, client) as stream:
        assert [piece async for piece in stream] == ["Whole"]
    assert stream.finish == "stop"


async def test_words_held_back_for_a_stop_string_survive_a_break(fake: FakeModel, client: ChatClient) -> None:
    fake.refuses("stop")
    fake.breaks_off(after=1, text="one two three four", pieces=6, times=2)
    template = ChatTemplate.from_dict({"stop": "a long stop string", "messages": [{"role": "user", "content": "x"}]})
    stream = await read(template, client)
    assert (stream.text, stream.finish) == ("one", "broken")


async def test_cancelling_closes_the_connection(fake: FakeModel, client: ChatClient) -> None:
    fake.says("word " * 100, pieces=100, delay=0.05)
    began = asyncio.Event()

    async def read() -> None:
        async with ASK.stream({}, client) as stream:
            async for _ in stream:
                began.set()

    reading = asyncio.create_task(read())
    await began.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await asyncio.wait_for(fake.calls[0].ended.wait(), 5)
    assert fake.calls[0].cancelled


async def test_cancelling_a_plain_call_closes_the_connection(fake: FakeModel, client: ChatClient) -> None:
    fake.holds()
    asking = asyncio.create_task(ASK.completion({}, client))
    await until(lambda: fake.calls)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.wait_for(fake.calls[0].ended.wait(), 5)
    assert fake.calls[0].cancelled


async def test_leaving_a_stream_early_frees_its_slot(fake: FakeModel) -> None:
    fake.says("word " * 100, pieces=100, delay=0.01)
    async with ChatClient(base_url=fake.url, api_key=fake.token, model="m", concurrency=1) as client:
        for _ in range(3):
            async with ASK.stream({}, client) as stream:
                async for _ in stream:
                    break
    assert len(fake.requests) == 3
    assert fake.most_running <= 2
