"""The model gateway: a person pays for what was used, also when a call fails or is cancelled."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.caller import Caller
from bot.core.errors import LimitError, ModelError, NoModelError, ReplyError, TemplateError
from bot.llm import ChatClient, ChatTemplate
from bot.server.ledger import Ledger, Limits
from bot.server.model_gateway import ModelGateway
from bot.server.prompts import Prompts
from bot.storage.database import Database
from bot.storage.tables import CALLS
from tests.fake_model import FakeModel

ANN = Caller(1, 10, 100)
TEXT = ChatTemplate.from_dict({"messages": [{"role": "user", "content": "{{text}}"}]}, name="echo")
STARS = ChatTemplate.from_dict({"reply": "rating", "messages": [{"role": "user", "content": "{{text}}"}]})


@pytest.fixture
async def fake() -> AsyncIterator[FakeModel]:
    async with FakeModel() as server:
        yield server


@pytest.fixture
def prompts(database: Database) -> Prompts:
    return Prompts(database, 7)


@pytest.fixture
async def gateway(fake: FakeModel, database: Database, prompts: Prompts) -> AsyncIterator[ModelGateway]:
    async with ChatClient(base_url=fake.url, api_key=fake.token, model="gpt-6-luna") as client:
        yield ModelGateway(client, Ledger(database, Limits(5_000, 10**9, 10**9, 1.0)), prompts)


async def rows(database: Database) -> list[Any]:
    """Purpose, reserved, settled, tokens and price of every call, in order."""
    columns = ("purpose", "reserved", "settled", "prompt_tokens", "completion_tokens", "nanodollars", "model")

    async def work(connection: AsyncConnection) -> list[Any]:
        return list(await connection.execute(select(*(CALLS.c[name] for name in columns)).order_by(CALLS.c.at)))

    return await database.transact(work)


async def test_an_answer_is_reserved_and_settled_to_its_usage(
    fake: FakeModel, gateway: ModelGateway, database: Database
) -> None:
    fake.usage = {"prompt_tokens": 1_000, "completion_tokens": 500}
    answer = await gateway.ask(ANN, TEXT.fill({"text": "Hello"}))
    (row,) = await rows(database)
    assert (row.purpose, row.settled, row.prompt_tokens, row.completion_tokens) == ("echo", True, 1_000, 500)
    assert row.nanodollars == 1_000 * 100 + 500 * 500
    assert row.reserved >= 1_000
    assert (answer.usage.prompt, answer.price) == (1_000, Decimal("0.00035"))


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
async def test_the_longest_answer_that_a_template_allows_is_reserved(
    gateway: ModelGateway, database: Database, limit: str
) -> None:
    small = ChatTemplate.from_dict({limit: 7, "messages": [{"role": "user", "content": "{{text}}"}]})
    await gateway.ask(ANN, small.fill({"text": "Hello"}))
    assert (await rows(database))[0].reserved < 30


async def test_a_repair_turn_is_paid_by_the_asker(fake: FakeModel, gateway: ModelGateway, database: Database) -> None:
    fake.says("Great", "5: Great")
    fake.usage = {"prompt_tokens": 10, "completion_tokens": 5}
    await gateway.ask(ANN, STARS.fill({"text": "Hello"}))
    (row,) = await rows(database)
    assert (row.prompt_tokens, row.completion_tokens) == (20, 10)


async def test_two_answers_that_cannot_be_parsed_are_paid_for(
    fake: FakeModel, gateway: ModelGateway, database: Database
) -> None:
    fake.says("Great")
    fake.usage = {"prompt_tokens": 10, "completion_tokens": 5}
    with pytest.raises(ReplyError):
        await gateway.ask(ANN, STARS.fill({"text": "Hello"}))
    (row,) = await rows(database)
    assert (row.settled, row.prompt_tokens) == (True, 20)


async def test_a_broken_answer_is_settled_at_an_estimate(
    fake: FakeModel, gateway: ModelGateway, database: Database
) -> None:
    fake.breaks_off(after=2)
    answer = await gateway.ask(ANN, TEXT.fill({"text": "Hello"}))
    (row,) = await rows(database)
    assert row.settled
    assert row.prompt_tokens > 0
    assert row.completion_tokens > 0
    assert answer.usage.estimated


@pytest.mark.parametrize(("status", "code"), [(401, None), (400, None), (422, "no_model_connected")])
async def test_a_call_that_the_server_refused_costs_nothing(
    fake: FakeModel, gateway: ModelGateway, database: Database, status: int, code: str | None
) -> None:
    fake.fails(status, code=code)
    with pytest.raises(ModelError) as caught:
        await gateway.ask(ANN, TEXT.fill({"text": "Hello"}))
    assert isinstance(caught.value, NoModelError) == (code is not None)
    (row,) = await rows(database)
    assert (row.settled, row.prompt_tokens, row.completion_tokens, row.nanodollars) == (True, 0, 0, 0)


async def test_what_cannot_be_filled_is_neither_reserved_nor_sent(
    fake: FakeModel, gateway: ModelGateway, database: Database
) -> None:
    with pytest.raises(TemplateError):
        await gateway.ask(ANN, TEXT.fill({}))
    assert await rows(database) == []
    assert fake.requests == []


async def test_beyond_a_limit_no_model_is_asked(fake: FakeModel, gateway: ModelGateway) -> None:
    fake.usage = {"prompt_tokens": 4_500, "completion_tokens": 0}
    await gateway.ask(ANN, TEXT.fill({"text": "Hello"}))
    with pytest.raises(LimitError):
        await gateway.ask(ANN, TEXT.fill({"text": "Hello"}))
    assert len(fake.requests) == 1


async def test_cancelling_stops_the_call_and_settles_what_came(
    fake: FakeModel, gateway: ModelGateway, database: Database
) -> None:
    fake.says("word " * 100, pieces=100, delay=0.02)
    began = asyncio.Event()
    asking = asyncio.create_task(gateway.ask(ANN, TEXT.fill({"text": "Hello"}), lambda text: began.set()))
    await began.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.wait_for(fake.calls[0].ended.wait(), 5)
    assert fake.calls[0].cancelled
    (row,) = await rows(database)
    assert row.settled
    assert 0 < row.completion_tokens < 100


async def test_two_hundred_at_once_are_all_counted(fake: FakeModel, gateway: ModelGateway, database: Database) -> None:
    fake.usage = {"prompt_tokens": 3, "completion_tokens": 2}
    asking = (gateway.ask(Caller(user, 10), TEXT.fill({"text": "Hello"})) for user in range(200))
    await asyncio.gather(*asking)
    made = await rows(database)
    assert len(made) == len(fake.requests) == 200
    assert sum(row.prompt_tokens + row.completion_tokens for row in made) == 1_000
    assert all(row.settled for row in made)


async def test_an_answer_is_cached_unless_that_is_switched_off(gateway: ModelGateway, prompts: Prompts) -> None:
    held = await gateway.ask(ANN, TEXT.fill({"text": "Hello"}))
    unheld = await gateway.ask(ANN, TEXT.fill({"text": "Hello"}), cache=False)
    assert await prompts.find(held.id) == held
    assert await prompts.find(unheld.id) is None
    assert held.messages == ({"role": "user", "content": "Hello"},)


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 10**30, "completion_tokens": 5},
        {"prompt_tokens": -5_000_000, "completion_tokens": 5},
        {"prompt_tokens": 10, "completion_tokens": 10**30},
        {"prompt_tokens": 10, "completion_tokens": -1},
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"prompt_tokens": 10, "completion_tokens": 0},
        {"prompt_tokens": "many", "completion_tokens": [1]},
        {"prompt_tokens": 1e300, "completion_tokens": True},
        {"prompt_tokens": 20, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 10**30}},
        {"prompt_tokens": 20, "completion_tokens": 5, "prompt_tokens_details": "none"},
    ],
)
async def test_a_usage_that_a_server_cannot_mean_is_estimated(
    fake: FakeModel, gateway: ModelGateway, database: Database, usage: dict[str, Any]
) -> None:
    fake.says("An answer of a few words.")
    fake.usage = usage
    answer = await gateway.ask(ANN, TEXT.fill({"text": "Hello, how are you today?"}))
    assert 5 <= answer.usage.prompt <= 40
    assert 5 <= answer.usage.completion <= 20
    assert 0 <= answer.usage.cached <= answer.usage.prompt
    (row,) = await rows(database)
    assert (row.prompt_tokens, row.completion_tokens) == (answer.usage.prompt, answer.usage.completion)
    fake.usage = {"prompt_tokens": 10, "completion_tokens": 5}
    await gateway.ask(ANN, TEXT.fill({"text": "Hello"}))
