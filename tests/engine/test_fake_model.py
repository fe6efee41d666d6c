"""The tests' model server does what a test tells it."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion

from tests.fake_model import FakeModel

HELLO: Any = [{"role": "user", "content": "Hello"}]


@pytest.fixture
async def fake() -> AsyncIterator[FakeModel]:
    async with FakeModel() as server:
        yield server


@pytest.fixture
async def client(fake: FakeModel) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=fake.url, api_key=fake.token, max_retries=1) as opened:
        yield opened


async def ask(client: openai.AsyncOpenAI, **parameters: Any) -> str | None:
    answer: ChatCompletion = await client.chat.completions.create(model="m", messages=HELLO, **parameters)
    return answer.choices[0].message.content


async def stream(client: openai.AsyncOpenAI) -> str:
    text = ""
    async for chunk in await client.chat.completions.create(model="m", messages=HELLO, stream=True):
        text += chunk.choices[0].delta.content or ""
    return text


async def test_texts_come_in_order_and_the_last_is_repeated(fake: FakeModel, client: openai.AsyncOpenAI) -> None:
    fake.says("one", lambda body: body["messages"][0]["content"].upper())
    assert [await ask(client) for _ in range(3)] == ["one", "HELLO", "HELLO"]
    assert fake.requests[0]["messages"] == HELLO


async def test_a_429_with_retry_after_is_tried_again_by_the_stock_client(
    fake: FakeModel, client: openai.AsyncOpenAI
) -> None:
    fake.fails(429, retry_after=0.01)
    assert await ask(client) == "ok"
    assert len(fake.requests) == 2


async def test_a_500_keeps_its_shape(fake: FakeModel, client: openai.AsyncOpenAI) -> None:
    fake.fails(500, times=2)
    with pytest.raises(openai.InternalServerError):
        await ask(client)


async def test_a_refused_parameter_is_named(fake: FakeModel, client: openai.AsyncOpenAI) -> None:
    fake.refuses("temperature")
    with pytest.raises(openai.BadRequestError) as caught:
        await ask(client, temperature=0)
    assert caught.value.param == "temperature"
    assert await ask(client) == "ok"


async def test_a_refusal_has_a_field_of_its_own(fake: FakeModel, client: openai.AsyncOpenAI) -> None:
    fake.declines("No.")
    answer = await client.chat.completions.create(model="m", messages=HELLO)
    assert answer.choices[0].message.refusal == "No."
    assert answer.choices[0].message.content is None


async def test_a_broken_stream_breaks_after_its_first_words(fake: FakeModel, client: openai.AsyncOpenAI) -> None:
    fake.breaks_off(after=2)
    with pytest.raises(openai.APIConnectionError):
        await stream(client)


async def test_an_error_inside_a_stream_is_an_event(fake: FakeModel, client: openai.AsyncOpenAI) -> None:
    fake.errs_in_stream("Out of memory.")
    with pytest.raises(openai.APIError, match="Out of memory"):
        await stream(client)


async def test_an_answer_may_be_empty(fake: FakeModel, client: openai.AsyncOpenAI) -> None:
    fake.says_nothing(times=2)
    assert await ask(client) == ""
    assert await stream(client) == ""


async def test_usage_can_be_set(fake: FakeModel, client: openai.AsyncOpenAI) -> None:
    fake.usage = {"prompt_tokens": 90, "prompt_tokens_details": {"cached_tokens": 64}}
    answer = await client.chat.completions.create(model="m", messages=HELLO)
    assert answer.usage is not None
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == 64


async def test_it_runs_as_a_process_for_benchmarks() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.fake_model", "--text", "one two", "--pieces", "2"),
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    address = json.loads(await process.stdout.readline())
    async with openai.AsyncOpenAI(base_url=address["url"], api_key=address["token"]) as client:
        assert await stream(client) == "one two"
    process.terminate()
    await process.wait()
