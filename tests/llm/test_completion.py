"""From a template to a parsed reply: one repair turn at the most, and every turn counted."""

from decimal import Decimal

import pytest

from bot.core.errors import ModelError, ReplyError
from bot.llm import ChatClient, ChatTemplate
from bot.llm.completion import Spent, ask
from bot.llm.output_parsers import Rating
from bot.llm.usage import Usage
from tests.fake_model import FakeModel

TEXT = ChatTemplate.from_dict({"temperature": 0, "messages": [{"role": "user", "content": "{{text}}"}]})
STARS = ChatTemplate.from_dict({"reply": "rating", "messages": [{"role": "user", "content": "{{text}}"}]})


async def test_an_answer_tells_how_it_came_about(fake: FakeModel, client: ChatClient) -> None:
    fake.says("Bonjour ")
    fake.usage = {"prompt_tokens": 5, "completion_tokens": 1}
    seen: list[str] = []
    answer = await ask(client, TEXT.fill({"text": "Hi"}), seen.append)
    assert (answer.text, answer.reply, seen[-1]) == ("Bonjour", "Bonjour", "Bonjour ")
    assert answer.messages == ({"role": "user", "content": "Hi"},)
    assert answer.parameters == {"temperature": 0}
    assert (answer.model, answer.usage, answer.finish) == ("fake-model", Usage(5, 0, 1), "stop")
    assert not answer.repaired


async def test_the_prompt_says_what_was_really_sent(fake: FakeModel, client: ChatClient) -> None:
    fake.refuses("temperature")
    assert (await ask(client, TEXT.fill({"text": "Hi"}))).parameters == {}


async def test_a_reply_of_another_form_is_repaired_once(fake: FakeModel, client: ChatClient) -> None:
    fake.says("I love it!", "5: Loves it.")
    fake.usage = {"prompt_tokens": 10, "completion_tokens": 2}
    spent = Spent()
    answer = await ask(client, STARS.fill({"text": "Wow"}), spent=spent)
    assert answer.reply == Rating(5, "Loves it.")
    assert answer.repaired
    assert answer.usage == spent.usage == Usage(20, 0, 4)
    first, second = (body["messages"] for body in fake.requests)
    assert second[: len(first)] == first
    assert [message["role"] for message in second[len(first) :]] == ["assistant", "user"]
    assert second[-2]["content"] == "I love it!"
    assert "1 to 5" in second[-1]["content"]


async def test_there_is_no_second_repair(fake: FakeModel, client: ChatClient) -> None:
    fake.says("I love it!", "Really!", "5: Too late.")
    spent = Spent()
    with pytest.raises(ReplyError, match="1 to 5"):
        await ask(client, STARS.fill({"text": "Wow"}), spent=spent)
    assert len(fake.requests) == 2
    assert spent.usage.total > 0


async def test_an_empty_answer_is_a_sentence(fake: FakeModel, client: ChatClient) -> None:
    fake.says_nothing()
    with pytest.raises(ReplyError, match="answered nothing"):
        await ask(client, TEXT.fill({"text": "Hi"}))
    assert len(fake.requests) == 1


async def test_an_empty_answer_where_a_form_was_asked_for_is_repaired(fake: FakeModel, client: ChatClient) -> None:
    fake.says("", "3: Fine.")
    assert (await ask(client, STARS.fill({"text": "Hm"}))).reply == Rating(3, "Fine.")


async def test_a_models_refusal_is_shown_as_its_answer(fake: FakeModel, client: ChatClient) -> None:
    fake.declines("I will not translate that.")
    assert (await ask(client, TEXT.fill({"text": "Hi"}))).text == "I will not translate that."


async def test_half_an_answer_says_that_it_is_half(fake: FakeModel, client: ChatClient) -> None:
    fake.breaks_off(after=2)
    answer = await ask(client, TEXT.fill({"text": "Hi"}))
    assert answer.finish == "broken"
    assert "one two three four".startswith(answer.text)
    assert answer.usage.estimated


async def test_a_call_that_fails_half_way_is_counted(fake: FakeModel, client: ChatClient) -> None:
    fake.once("I love it!")
    fake.fails(400)
    spent = Spent()
    with pytest.raises(ModelError):
        await ask(client, STARS.fill({"text": "Wow"}), spent=spent)
    assert len(fake.requests) == 2
    assert spent.usage.completion == 3
    assert spent.model == "fake-model"


async def test_cost_follows_the_price_table_with_cached_tokens(fake: FakeModel, client: ChatClient) -> None:
    template = ChatTemplate.from_dict({"model": "gpt-6-luna", "messages": [{"role": "user", "content": "Hi"}]})
    fake.usage = {
        "prompt_tokens": 1_000_000,
        "completion_tokens": 2_000_000,
        "prompt_tokens_details": {"cached_tokens": 400_000},
    }
    answer = await ask(client, template.fill({}))
    # 0.6 M fresh at 0.10, 0.4 M cached at 0.01, 2 M written at 0.50 dollars a million.
    assert answer.price == Decimal("1.064")


async def test_a_model_without_a_known_price_has_none(fake: FakeModel, client: ChatClient) -> None:
    assert (await ask(client, TEXT.fill({"text": "Hi"}))).price is None
