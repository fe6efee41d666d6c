"""`completion` returns the openai client's own object; only parameters that are set are sent."""

import asyncio
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from bot.core.errors import TemplateError
from bot.llm import ChatClient, ChatTemplate
from tests.fake_model import FakeModel
from tests.llm.conftest import until


def template(**parameters: Any) -> ChatTemplate:
    return ChatTemplate.from_dict({**parameters, "messages": [{"role": "user", "content": "{{text}}"}]})


async def text_of(made: ChatTemplate, client: ChatClient) -> str | None:
    return (await made.completion({"text": "Hello"}, client)).choices[0].message.content


async def streamed(made: ChatTemplate, client: ChatClient) -> list[str]:
    async with made.stream({"text": "Hello"}, client) as stream:
        return [piece async for piece in stream]


async def test_completion_gives_the_clients_own_object(fake: FakeModel, client: ChatClient) -> None:
    fake.says("Bonjour")
    answer = await template().completion({"text": "Good day"}, client)
    assert isinstance(answer, ChatCompletion)
    assert answer.choices[0].message.content == "Bonjour"
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 2


async def test_what_cannot_be_filled_is_not_sent(fake: FakeModel, client: ChatClient) -> None:
    with pytest.raises(TemplateError):
        await template().completion({"txt": "Good day"}, client)
    assert fake.requests == []


async def test_only_parameters_that_were_set_are_sent(fake: FakeModel, client: ChatClient) -> None:
    await text_of(template(), client)
    await text_of(template(temperature=0, max_tokens=5), client)
    hello = [{"role": "user", "content": "Hello"}]
    assert fake.requests[0] == {"model": "fake-model", "messages": hello}
    assert fake.requests[1] == {"model": "fake-model", "messages": hello, "temperature": 0, "max_tokens": 5}


async def test_a_template_may_name_its_own_model(fake: FakeModel, client: ChatClient) -> None:
    await text_of(template(model="another"), client)
    assert fake.requests[0]["model"] == "another"


async def test_the_default_model_is_asked_without_reasoning(fake: FakeModel, client: ChatClient) -> None:
    await text_of(template(model="gpt-6-luna", temperature=0), client)
    await text_of(template(model="gpt-6-luna", reasoning_effort="low"), client)
    assert [body["reasoning_effort"] for body in fake.requests] == ["none", "low"]


async def test_a_refused_parameter_is_dropped_once_and_remembered(fake: FakeModel, client: ChatClient) -> None:
    fake.refuses("temperature")
    assert await text_of(template(temperature=0), client) == "ok"
    assert await streamed(template(temperature=1), client) == ["ok"]
    assert ["temperature" in body for body in fake.requests] == [True, False, False]


async def test_several_refused_parameters_are_all_dropped(fake: FakeModel, client: ChatClient) -> None:
    fake.refuses("temperature", "top_p", "seed", "stream_options")
    assert await streamed(template(temperature=0, top_p=0.5, seed=1, presence_penalty=0), client) == ["ok"]
    assert len(fake.requests) == 5
    assert set(fake.requests[-1]) == {"model", "messages", "stream", "presence_penalty"}


async def test_a_parameter_that_one_model_refuses_is_still_sent_to_others(fake: FakeModel, client: ChatClient) -> None:
    fake.refuses("temperature")
    await text_of(template(temperature=0), client)
    fake.refused.clear()
    await text_of(template(temperature=0, model="another"), client)
    assert fake.requests[-1]["temperature"] == 0


@pytest.mark.parametrize(
    ("written", "taken"), [("max_tokens", "max_completion_tokens"), ("max_completion_tokens", "max_tokens")]
)
async def test_a_refused_token_limit_is_sent_under_its_other_name(
    fake: FakeModel, client: ChatClient, written: str, taken: str
) -> None:
    fake.refuses(written)
    for _ in range(2):
        await text_of(template(**{written: 7}), client)
    assert [body.get(taken) for body in fake.requests] == [None, 7, 7]
    assert [written in body for body in fake.requests] == [True, False, False]


async def test_a_token_limit_refused_under_both_names_is_left_out(fake: FakeModel, client: ChatClient) -> None:
    fake.refuses("max_tokens", "max_completion_tokens")
    assert await text_of(template(max_tokens=7), client) == "ok"
    assert set(fake.requests[-1]) == {"model", "messages"}


@pytest.mark.parametrize("stop", ["\n", ["\n", "END"]])
async def test_a_refused_stop_is_applied_here(fake: FakeModel, client: ChatClient, stop: Any) -> None:
    fake.refuses("stop")
    fake.says("first\nsecond END third")
    assert await text_of(template(stop=stop), client) == "first"
    assert "".join(await streamed(template(stop=stop), client)) == "first"


async def test_a_stop_string_split_over_pieces_still_stops_the_stream(fake: FakeModel, client: ChatClient) -> None:
    fake.refuses("stop")
    fake.says("The end<<STOP>>more", pieces=19)
    async with template(stop="<<STOP>>").stream({"text": "Hello"}, client) as stream:
        seen = [piece async for piece in stream]
    assert "".join(seen) == stream.text == "The end"
    assert stream.finish == "stop"


async def test_what_only_looks_like_a_stop_string_is_kept(fake: FakeModel, client: ChatClient) -> None:
    fake.refuses("stop")
    fake.says("a <<STO", pieces=7)
    assert "".join(await streamed(template(stop="<<STOP>>"), client)) == "a <<STO"


async def test_no_more_calls_run_than_the_bound_allows(fake: FakeModel) -> None:
    fake.holds()
    async with ChatClient(base_url=fake.url, api_key=fake.token, model="m", concurrency=3) as client:
        texts = [asyncio.create_task(text_of(template(), client)) for _ in range(5)]
        streams = [asyncio.create_task(streamed(template(), client)) for _ in range(5)]
        await until(lambda: fake.running >= 3)
        fake.release()
        assert await asyncio.gather(*texts) == ["ok"] * 5
        assert await asyncio.gather(*streams) == [["ok"]] * 5
    assert fake.most_running == 3
    assert len(fake.requests) == 10


async def test_the_models_of_a_server_are_listed(fake: FakeModel, client: ChatClient) -> None:
    fake.models = ["one", "two"]
    assert await client.models() == ["one", "two"]


async def test_an_address_in_the_environment_is_ignored(fake: FakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", fake.url)
    async with ChatClient(base_url=None, api_key="none", model="m") as client:
        assert client.host == "api.openai.com"


async def test_reported_usage_corrects_the_estimates_to_come(fake: FakeModel, client: ChatClient) -> None:
    hello = [{"role": "user", "content": "x" * 600}]
    before = client.tokens.estimate("fake-model", hello)
    fake.usage = {"prompt_tokens": 604}
    for _ in range(20):
        await template().completion({"text": "x" * 600}, client)
    assert before == 205
    assert 590 <= client.tokens.estimate("fake-model", hello) <= 620


async def test_a_nonsensical_report_moves_estimates_within_bounds_only(fake: FakeModel, client: ChatClient) -> None:
    hello = [{"role": "user", "content": "x" * 600}]
    fake.usage = {"prompt_tokens": 5}
    for _ in range(50):
        await template().completion({"text": "x" * 600}, client)
    assert client.tokens.estimate("fake-model", hello) >= 100
