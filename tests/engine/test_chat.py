"""Chat completions, through the stock client."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.fake_model import FakeModel

HELLO: Any = [{"role": "user", "content": "Hello"}]


@pytest.fixture
async def fake() -> AsyncIterator[FakeModel]:
    async with FakeModel() as server:
        yield server


@pytest.fixture
async def client(fake: FakeModel) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=fake.url, api_key=fake.token, max_retries=0) as opened:
        yield opened


async def post(fake: FakeModel, data: bytes, token: str | None = None) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {token or fake.token}", "Content-Type": "application/json"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{fake.url}/chat/completions", data=data, headers=headers) as response,
    ):
        return response.status, await response.json()


async def test_an_answer_has_the_fields_of_openais_own_type(fake: FakeModel, client: openai.AsyncOpenAI) -> None:
    fake.says("Good evening to you")
    raw = await client.chat.completions.with_raw_response.create(model="m", messages=HELLO)
    answer = ChatCompletion.model_validate_json(raw.content, strict=True)
    assert answer.choices[0].message.content == "Good evening to you"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


async def test_a_stream_gives_the_same_text_in_chunks(fake: FakeModel, client: openai.AsyncOpenAI) -> None:
    fake.says("Good evening to you", pieces=5)
    stream = await client.chat.completions.create(
        model="m", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks: list[ChatCompletionChunk] = [chunk async for chunk in stream]
    texts = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(texts) == "Good evening to you"
    assert len([text for text in texts if text]) == 5
    assert chunks[-1].usage is not None
    assert chunks[-2].choices[0].finish_reason == "stop"


async def test_a_stop_sequence_across_chunks_ends_the_answer(fake: FakeModel, client: openai.AsyncOpenAI) -> None:
    fake.says("one two END three", pieces=17)
    answer = await client.chat.completions.create(model="m", messages=HELLO, stop=["END"])
    assert answer.choices[0].message.content == "one two "


async def test_an_answer_cut_at_the_token_limit_has_the_finish_reason_length(
    fake: FakeModel, client: openai.AsyncOpenAI
) -> None:
    fake.says("aa bb cc dd ", pieces=4)
    answer = await client.chat.completions.create(model="m", messages=HELLO, max_completion_tokens=2)
    assert answer.choices[0].message.content == "aa bb "
    assert answer.choices[0].finish_reason == "length"


async def test_a_wrong_token_is_refused(fake: FakeModel) -> None:
    async with openai.AsyncOpenAI(base_url=fake.url, api_key="wrong", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError) as caught:
            await client.models.list()
    assert caught.value.code == "invalid_api_key"
    assert fake.requests == []


async def test_an_unknown_model_is_not_found(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        await client.chat.completions.create(model="no-such-model", messages=HELLO)
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"model": "m"}', "messages"),
        (b'{"messages": []}', "model"),
        (b'{"model": "m", "messages": []}', "messages"),
        (b'{"model": "m", "messages": [{"role": "wizard", "content": "x"}]}', "messages[0].role"),
        (b'{"model": "m", "messages": [{"role": "user"}]}', "messages[0].content"),
        (b'{"model": "m", "messages": [{"role": "user", "content": "x"}], "temperature": 3}', "temperature"),
        (b'{"model": "m", "messages": [{"role": "user", "content": "x"}], "n": 2}', "n"),
        (b'{"model": "m", "messages": [{"role": "user", "content": "x"}], "max_tokens": 0}', "max_tokens"),
        (
            b'{"model": "m", "messages": [{"role": "user", "content": [{"type": "image"}]}]}',
            "messages[0].content",
        ),
    ],
)
async def test_a_bad_parameter_is_named(fake: FakeModel, body: bytes, param: str) -> None:
    status, answer = await post(fake, body)
    assert status == 400
    assert answer["error"]["param"] == param
    assert answer["error"]["message"]


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff\xfe", b"[" * 100_000])
async def test_a_body_that_is_not_a_json_object_is_refused(fake: FakeModel, body: bytes) -> None:
    status, answer = await post(fake, body)
    assert (status, answer["error"]["code"]) == (400, "invalid_json")


async def test_a_body_over_the_bound_is_refused(fake: FakeModel) -> None:
    status, answer = await post(fake, b" " * (5 * 1024 * 1024))
    assert (status, answer["error"]["code"]) == (413, "request_too_large")


async def test_an_unknown_url_is_an_error_of_openais_shape(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        await client.embeddings.create(model="m", input="x")
    assert caught.value.code == "unknown_url"


async def test_a_client_that_disconnects_cancels_the_answer(fake: FakeModel, client: openai.AsyncOpenAI) -> None:
    fake.hangs()
    # Long enough for the request to arrive on a busy machine.
    with pytest.raises(openai.APITimeoutError):
        await client.chat.completions.create(model="m", messages=HELLO, timeout=1.5)
    await asyncio.wait_for(fake.calls[0].ended.wait(), 5)
    assert fake.calls[0].cancelled


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/files"])
async def test_the_server_answers_after_a_body_that_was_cut_off(fake: FakeModel, path: str) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", fake.port)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {fake.token}\r\nContent-Length: 999\r\n\r\n"
    writer.write(head.encode() + b'{"model"')
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    status, _ = await post(fake, b'{"model": "m", "messages": [{"role": "user", "content": "x"}]}')
    assert status == 200
