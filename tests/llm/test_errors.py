"""Every failure of a server is one sentence for the person, without keys or addresses."""

from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from bot.core.errors import ModelError, NoModelError
from bot.llm import ChatClient, ChatTemplate
from bot.llm.completion import ask
from bot.llm.streaming import AnswerStream
from tests.fake_model import FakeModel
from tests.llm.conftest import KEY, Serving, read

ASK = ChatTemplate.from_dict({"messages": [{"role": "user", "content": "Hello"}]})
# OpenAI's error messages contain a piece of the key, those of other servers an address.
LEAK = f"Incorrect API key provided: {KEY}. See http://10.1.2.3:8000/keys."


async def plain(client: ChatClient) -> str | None:
    return (await ASK.completion({}, client)).choices[0].message.content


async def streamed(client: ChatClient) -> str:
    return (await read(ASK, client)).text


BOTH = pytest.mark.parametrize("call", [plain, streamed])
Call = Callable[[ChatClient], Awaitable[str | None]]


async def sentence(call: Call, client: ChatClient) -> str:
    """The one sentence that `call` fails with; it holds no key and no address."""
    with pytest.raises(ModelError) as caught:
        await call(client)
    text = str(caught.value)
    for secret in (KEY, "sk-", "http", "127.0.0.1", "10.1.2.3", "localhost", "key"):
        assert secret not in text
    assert "\n" not in text
    assert text.endswith(".")
    return text


@BOTH
async def test_after_a_429_the_client_waits_as_long_as_the_server_says(
    fake: FakeModel, client: ChatClient, call: Call
) -> None:
    fake.fails(429, retry_after=0.3)
    assert await call(client) == "ok"
    assert fake.calls[1].arrived - fake.calls[0].arrived >= 0.3


@BOTH
async def test_a_500_is_tried_again(fake: FakeModel, client: ChatClient, call: Call) -> None:
    fake.fails(500, retry_after=0.01, times=2)
    assert await call(client) == "ok"
    assert len(fake.requests) == 3


@BOTH
@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (400, None, "did not accept this request"),
        (401, "invalid_api_key", "credentials"),
        (403, None, "may not use this model"),
        (404, "model_not_found", "does not exist"),
        (409, None, "Try again"),
        (413, None, "shorter"),
        (422, None, "did not accept this request"),
        (429, None, "more requests than it takes"),
        (429, "insufficient_quota", "credit"),
        (500, None, "fault"),
        (503, None, "fault"),
    ],
)
async def test_each_refusal_of_a_server_has_its_sentence(
    fake: FakeModel, client: ChatClient, call: Call, status: int, code: str | None, said: str
) -> None:
    fake.fails(status, code=code, message=LEAK, times=3, retry_after=0.01)
    assert said in await sentence(call, client)


@BOTH
async def test_a_wrong_key_is_one_sentence(fake: FakeModel, call: Call) -> None:
    async with ChatClient(base_url=fake.url, api_key="sk-wrong-0123456789abcdef", model="m") as client:
        assert "credentials" in await sentence(call, client)


@BOTH
async def test_an_unknown_model_is_one_sentence(fake: FakeModel, call: Call) -> None:
    async with ChatClient(base_url=fake.url, api_key=KEY, model="no-such-model") as client:
        assert "does not exist" in await sentence(call, client)


@BOTH
async def test_a_silent_model_is_one_sentence(fake: FakeModel, hasty: ChatClient, call: Call) -> None:
    fake.hangs(times=3)
    assert "too long" in await sentence(call, hasty)


@BOTH
async def test_a_server_that_hangs_up_is_one_sentence(fake: FakeModel, client: ChatClient, call: Call) -> None:
    fake.breaks_off(after=0, times=3)
    assert "Try again" in await sentence(call, client)


@BOTH
async def test_a_server_that_is_not_there_is_one_sentence(unused_tcp_port: int, call: Call) -> None:
    async with ChatClient(base_url=f"http://127.0.0.1:{unused_tcp_port}/v1", api_key=KEY, model="m") as client:
        assert "cannot be reached" in await sentence(call, client)


@BOTH
async def test_a_server_that_is_no_model_server_is_one_sentence(serving: Serving, call: Call) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text="<html>Welcome</html>", content_type="text/html")

    async with serving(handler) as client:
        await sentence(call, client)


@pytest.mark.parametrize("body", ["[]", "{}", '{"choices": []}', '{"choices": null}', "not json", ""])
async def test_an_answer_of_another_form_is_one_sentence(serving: Serving, body: str) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=body, content_type="application/json")

    async with serving(handler) as client:
        await sentence(plain, client)


@pytest.mark.parametrize("body", ["<html>Welcome</html>", "[]", '{"data": 5}', "not json"])
async def test_a_list_of_models_of_another_form_is_one_sentence(serving: Serving, body: str) -> None:
    kind = "text/html" if body.startswith("<") else "application/json"

    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=body, content_type=kind)

    async def listed(client: ChatClient) -> str:
        return ", ".join(await client.models())

    async with serving(handler) as client:
        await sentence(listed, client)


@BOTH
async def test_no_model_connected_is_an_error_of_its_own(fake: FakeModel, client: ChatClient, call: Call) -> None:
    fake.fails(422, code="no_model_connected")
    with pytest.raises(NoModelError):
        await call(client)
    assert len(fake.requests) == 1


async def test_no_model_connected_carries_the_request_that_would_have_been_sent(
    fake: FakeModel, client: ChatClient
) -> None:
    fake.fails(422, code="no_model_connected")
    with pytest.raises(NoModelError) as caught:
        await ask(client, ASK.fill({}))
    assert caught.value.request == ASK.fill({})


async def test_a_failed_call_frees_its_slot(fake: FakeModel) -> None:
    async with ChatClient(base_url=fake.url, api_key=KEY, model="m", concurrency=1) as client:
        for call in (plain, streamed):
            fake.fails(400)
            await sentence(call, client)
        assert await plain(client) == "ok"


async def test_an_empty_answer_is_complete(fake: FakeModel, client: ChatClient) -> None:
    fake.says_nothing()
    stream: AnswerStream = await read(ASK, client)
    assert (stream.text, stream.finish) == ("", "stop")


async def test_a_refusal_is_kept_apart_from_the_text(fake: FakeModel, client: ChatClient) -> None:
    fake.declines("I will not.")
    stream = await read(ASK, client)
    assert (stream.text, stream.refusal) == ("", "I will not.")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("The prompt has 9,012 tokens, and the model's context holds 8,192. Send a shorter text.", True),
        ("This model's maximum context length is 8192 tokens. However, you requested 9012 tokens.", True),
        ("the request (9012 tokens) exceeds the available context size (8192 tokens), try increasing it", True),
        ("This model's maximum context length is 8192 tokens.", False),
        ("Bad request 9012 in this context.", False),
    ],
)
async def test_a_prompt_longer_than_the_context_is_told_with_both_numbers(
    fake: FakeModel, client: ChatClient, error: str, said: bool
) -> None:
    fake.fails(400, message=error, code="context_length_exceeded")
    text = await sentence(plain, client)
    numbers = "The prompt has 9,012 tokens, and the model's context holds 8,192." in text
    assert numbers == said
    assert "shorter" in text
