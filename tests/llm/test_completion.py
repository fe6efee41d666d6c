"""From a template to a parsed reply: at most one repair turn, and the usage of every turn is added up."""

from decimal import Decimal

import pytest

from bot.core.errors import ModelError, ReplyError
from bot.llm import ChatClient, ChatTemplate
from bot.llm.completion import Answer, Spent, ask
from bot.llm.output_parsers import Rating
from bot.llm.prices import Prices
from bot.llm.usage import Usage
from tests.fake_model import FakeModel

TEXT = ChatTemplate.from_dict({"temperature": 0, "messages": [{"role": "user", "content": "{{text}}"}]})
STARS = ChatTemplate.from_dict({"reply": "rating", "messages": [{"role": "user", "content": "{{text}}"}]})


async def test_an_answer_records_text_messages_parameters_and_usage(fake: FakeModel, client: ChatClient) -> None:
    fake.says("Bonjour ")
    fake.usage = {"prompt_tokens": 5, "completion_tokens": 1}
    seen: list[str] = []
    answer = await ask(client, TEXT.fill({"text": "Hi"}), seen.append)
    assert (answer.text, answer.reply, seen[-1]) == ("Bonjour", "Bonjour", "Bonjour ")
    assert answer.messages == ({"role": "user", "content": "Hi"},)
    assert answer.parameters == {"temperature": 0}
    assert (answer.model, answer.usage, answer.finish) == ("fake-model", Usage(5, 0, 1), "stop")
    assert not answer.repaired


async def test_the_parameters_of_an_answer_are_those_that_the_server_accepted(
    fake: FakeModel, client: ChatClient
) -> None:
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


async def test_a_broken_answer_is_marked_as_broken(fake: FakeModel, client: ChatClient) -> None:
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
        "prompt_tokens": 10_000,
        "completion_tokens": 20_000,
        "prompt_tokens_details": {"cached_tokens": 4_000},
    }
    answer = await ask(client, template.fill({}))
    # 6,000 fresh at 0.10, 4,000 cached at 0.01, 20,000 written at 0.50 dollars a million.
    assert Prices().cost("gpt-6-luna", answer.usage) == Decimal("0.01064")


JSON = ChatTemplate.from_dict(
    {"reply": "json", "schema": {"type": "object", "required": ["a"]}, "messages": [{"role": "user", "content": "Go"}]}
)
FACTS = ChatTemplate.from_dict({"reply": "facts", "messages": [{"role": "user", "content": "The Moon"}]})


async def test_a_parsed_reply_is_asked_for_with_its_schema(fake: FakeModel, client: ChatClient) -> None:
    fake.says('{"a": 1}')
    await ask(client, JSON.fill({}))
    fake.says('{"stars": 4, "reason": "Fine."}')
    answer = await ask(client, STARS.fill({"text": "Hm"}))
    assert (answer.reply, answer.text) == (Rating(4, "Fine."), "4: Fine.")
    fake.says('<FACTS entity="x"><FACT>y</FACT></FACTS>')
    await ask(client, FACTS.fill({}))
    fake.says("Bonjour")
    await ask(client, TEXT.fill({"text": "Hi"}))
    formats = [body.get("response_format") for body in fake.requests]
    assert formats[0] == {
        "type": "json_schema",
        "json_schema": {"name": "reply", "schema": {"type": "object", "required": ["a"]}},
    }
    assert formats[1] is not None
    assert formats[1]["json_schema"]["schema"]["required"] == ["stars", "reason"]
    assert formats[2:] == [None, None]


async def test_a_local_model_is_bound_to_the_form_of_the_examples(fake: FakeModel, client: ChatClient) -> None:
    fake.says("4: It was fine.")
    await ask(client, STARS.fill({"text": "Hm"}).with_model("tiny (local)"))
    fake.says('<FACTS entity="x"><FACT>y</FACT></FACTS>')
    await ask(client, FACTS.fill({}).with_model("tiny (local)"))
    fake.says('{"a": 1}')
    await ask(client, JSON.fill({}).with_model("tiny (local)"))
    rating, facts, json = fake.requests
    assert rating["grammar"].startswith("root ::= [1-5]")
    assert "<FACTS entity=" in facts["grammar"]
    assert ["response_format" in body for body in (rating, facts, json)] == [False, False, True]


async def test_a_reply_format_that_a_server_does_not_know_is_left_out(fake: FakeModel, client: ChatClient) -> None:
    fake.refuses("response_format")
    fake.says("4: Fine.")
    for _ in range(2):
        assert (await ask(client, STARS.fill({"text": "Hm"}))).reply == Rating(4, "Fine.")
    assert ["response_format" in body for body in fake.requests] == [True, False, False]


async def test_a_schema_that_a_server_refuses_is_left_out_for_this_template_alone(
    fake: FakeModel, client: ChatClient
) -> None:
    fake.fails(
        400, param="response_format", message="Invalid schema for response_format 'reply'.", code="invalid_value"
    )
    fake.says('{"a": 1}')
    assert (await ask(client, JSON.fill({}))).reply == {"a": 1}
    fake.says("4: Fine.")
    await ask(client, STARS.fill({"text": "Hm"}))
    assert ["response_format" in body for body in fake.requests] == [True, False, True]


@pytest.mark.parametrize(
    "parrot",
    [
        '1: The answer is not in the form "N: reason" with N from 1 to 5.',
        "1: answer once more, with exactly the form that was asked for",
        '{"stars": 1, "reason": "The answer is not in the form N: reason with N from 1 to 5"}',
        "4: Answer once more with exactly the form, please.",
    ],
)
async def test_a_model_that_parrots_the_repair_prompt_has_not_answered(
    fake: FakeModel, client: ChatClient, parrot: str
) -> None:
    fake.says("I love it!", parrot)
    with pytest.raises(ReplyError, match="repeats the question") as caught:
        await ask(client, STARS.fill({"text": "Wow"}))
    assert isinstance(caught.value.answer, Answer)
    assert caught.value.answer.text == parrot


async def test_a_reply_that_cannot_be_parsed_carries_the_models_words(fake: FakeModel, client: ChatClient) -> None:
    fake.says("I love it!", "Really!")
    with pytest.raises(ReplyError) as caught:
        await ask(client, STARS.fill({"text": "Wow"}))
    assert isinstance(caught.value.answer, Answer)
    assert caught.value.answer.text == "Really!"
