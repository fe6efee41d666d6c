"""Where people have installed the bot for themselves: three commands and two menus anywhere, in five follow-ups."""

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.bot.harness import BotHarness, is_final, open_harness

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANYWHERE = {"ask", "rewrite", "translate", "Rewrite…", "Translate"}
# Discord lets a bot that is not a member follow up so often.
FOLLOW_UPS = 5


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def switched_on() -> AsyncIterator[BotHarness]:
    """The portal allows it and the switch is on."""
    async with open_harness(user_install=True) as harness, harness.bot(USER_INSTALL="true"):
        yield harness


@pytest_asyncio.fixture(loop_scope="module")
async def installed(switched_on: BotHarness) -> BotHarness:
    return await switched_on.for_test()


async def test_each_command_says_where_it_may_be_used(installed: BotHarness) -> None:
    registered = (await installed.wire.commands())["0"]
    assert {one["name"] for one in registered} > ANYWHERE
    for command in registered:
        anywhere = command["name"] in ANYWHERE
        assert command["integration_types"] == ([0, 1] if anywhere else [0]), command["name"]
        assert (2 in command["contexts"]) == anywhere, command["name"]
        assert 0 in command["contexts"]


async def test_a_long_answer_takes_no_more_follow_ups_than_there_are(installed: BotHarness) -> None:
    installed.model.says("A-lap-of-the-race, and-then-the-next. " * 130)
    exchange = await installed.slash("translate", text="x", to="Greek", private=False, user_install=True)
    messages = await exchange.messages()
    assert len(messages) == 3
    assert is_final(messages[-1])
    assert sum(event["what"] == "followup" for event in await exchange.events()) <= FOLLOW_UPS


async def test_a_longer_one_comes_as_a_file(installed: BotHarness) -> None:
    text = "A-lap-of-the-race, and-then-the-next. " * 300
    installed.model.once(
        json.dumps({"template": "translate", "inputs": {"text": "x", "to": "Greek"}, "why": "It says so."})
    )
    installed.model.says(text)
    answer = await installed.answer("ask", request="Translate x into Greek", user_install=True)
    assert "as a file" in answer.content
    assert text.strip().encode() in await installed.wire.download(answer.attachments[0])


async def test_a_failure_is_one_follow_up(installed: BotHarness) -> None:
    installed.model.fails(401, times=3)
    exchange = await installed.slash("translate", text="x", to="Greek", private=False, user_install=True)
    (told,) = await exchange.messages()
    assert told.ephemeral
    assert "credentials" in told.content
