"""The prompt of a long story: its budget, its beginning, and which summary it has."""

import asyncio

import pytest

from bot.core.caller import Caller
from bot.core.errors import ModelError
from bot.llm.completion import Answer
from bot.llm.request import Request
from bot.llm.usage import count_tokens
from bot.play.history import SWITCH, UNDO
from bot.play.memory import SO_FAR_PROMPT
from bot.storage import stories
from bot.storage.erasure import erase_person
from tests.play.harness import ANN, Harness, harness

REPLY = "The corridor goes on, and so do you. " * 8


def reply(request: Request) -> str:
    """A summary names the last line that it was given; turns get a reply of some length."""
    if "Summarise" in request.messages[0]["content"]:
        lines = [line for line in request.messages[-1]["content"].splitlines() if line.startswith("> ")]
        return f"They got as far as {lines[-1][2:]}."
    return REPLY


def prompts(at: Harness) -> list[Request]:
    """The requests of turns alone."""
    return [request for request, _ in at.gateway.requests if request.name == "adventure"]


async def test_every_prompt_stays_within_the_budget_and_summaries_replace_old_turns(
    database_url: str,
) -> None:
    async with harness(database_url, reply, budget=3_000) as at:
        story = await at.story()
        for number in range(60):
            await at.act(story, f"step {number}")
            await at.adventures.memory.wait()
        assert all(count_tokens(request.messages) <= 3_000 for request in prompts(at))
        last = prompts(at)[-1].messages
        memory = next(message["content"] for message in last if message["content"].startswith(SO_FAR_PROMPT))
        assert "They got as far as step" in memory
        assert "step 0" not in [message["content"] for message in last]
        assert last[-1]["content"] == "step 59"


async def test_the_beginning_of_the_prompt_changes_only_with_a_summary(database_url: str) -> None:
    async with harness(database_url, reply, budget=3_000) as at:
        story = await at.story()
        for number in range(60):
            await at.act(story, f"step {number}")
            await at.adventures.memory.wait()
        pairs = list(zip(prompts(at), prompts(at)[1:], strict=False))
        changes = sum(second.messages[: len(first.messages)] != first.messages for first, second in pairs)
        summaries = len(at.gateway.requests) - len(prompts(at))
        assert changes == summaries
        assert 0 < summaries < 15


async def test_the_server_pays_for_the_memory_and_the_player_for_the_turn(database_url: str) -> None:
    async with harness(database_url, reply, budget=3_000) as at:
        story = await at.story()
        for number in range(20):
            await at.act(story, f"step {number}")
        await at.adventures.memory.wait()
        charged = {request.name: caller.user_id for request, caller in at.gateway.requests}
        assert charged == {"adventure": ANN.user_id, "summary": 0}


@pytest.mark.both_databases
async def test_undo_and_switch_find_the_summary_of_their_own_path(database_url: str) -> None:
    async with harness(database_url, reply, budget=3_000) as at:
        story = await at.story()
        await at.act(story, "the fork")
        await at.adventures.name_branch(story, ANN, "fork")
        for number in range(30):
            await at.act(story, f"left {number}")
            await at.adventures.memory.wait()
        fork = (await at.adventures.tree(story))[1][0].turn_id
        left_end = await at.head(story)
        await at.move(story, SWITCH, to=fork)
        for number in range(30):
            await at.act(story, f"right {number}")
            await at.adventures.memory.wait()
        assert "left" not in str(prompts(at)[-1].messages)
        await at.move(story, SWITCH, to=left_end)
        await at.act(story, "on the left again")
        text = str(prompts(at)[-1].messages)
        assert "right" not in text
        assert "They got as far as left" in text
        while (await at.path(story))[-1].words != "the fork":
            await at.move(story, UNDO)
        await at.act(story, "straight on")
        assert [message["content"] for message in prompts(at)[-1].messages][-3:] == ["the fork", REPLY, "straight on"]


async def test_a_summary_that_fails_costs_no_player_anything_and_is_made_later(database_url: str) -> None:
    failing = [True]

    def say(request: Request) -> str:
        if "Summarise" in request.messages[0]["content"] and failing[0]:
            raise ModelError("The model is away.")
        return reply(request)

    async with harness(database_url, say, budget=3_000) as at:
        story = await at.story()
        for number in range(40):
            await at.act(story, f"step {number}")
            await at.adventures.memory.wait()
        attempts = len(at.gateway.requests) - len(prompts(at))
        assert 0 < attempts < 8
        assert all(count_tokens(request.messages) <= 3_000 for request in prompts(at))
        failing[0] = False
        for number in range(40, 50):
            await at.act(story, f"step {number}")
            await at.adventures.memory.wait()
        assert "They got as far as step" in str(prompts(at)[-1].messages)


@pytest.mark.both_databases
async def test_a_forgotten_player_leaves_no_word_in_turns_or_summaries(database_url: str) -> None:
    async with harness(database_url, reply, budget=3_000) as at:
        story = await at.story()
        for number in range(30):
            await at.act(story, f"secret {number}")
        await at.adventures.memory.wait()
        await erase_person(at.database, ANN.user_id, str)
        path = await stories.turn_path(at.database, await at.head(story), whole=True)
        assert len(path) == 30
        assert "secret" not in str([(turn.words, turn.player) for turn in path])
        assert await at.adventures.memory.load(await at.head(story)) == ("", path)


async def test_fifty_channels_play_at_once_in_order_and_none_waits_for_another(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with harness(database_url) as at:
        stories = [await at.story(channel) for channel in range(50)]
        blocked, release = asyncio.Event(), asyncio.Event()
        ask = at.gateway.ask

        async def slow(caller: Caller, request: Request, *rest: object, **options: object) -> Answer:
            if caller.channel_id == 0:
                blocked.set()
                await release.wait()
            return await ask(caller, request, *rest, **options)

        monkeypatch.setattr(at.gateway, "ask", slow)
        for number in range(4):
            await asyncio.gather(*(at.adventures.act(story, ANN, f"line {number}", None, at.view) for story in stories))
        await blocked.wait()
        for story in stories[1:]:
            await at.wait(story)
            assert [turn.words for turn in await at.path(story)] == [f"line {number}" for number in range(4)]
        assert [turn.reply for turn in await at.path(stories[0])] == [None]
        release.set()
        await at.wait(stories[0])
        assert [turn.words for turn in await at.path(stories[0])] == [f"line {number}" for number in range(4)]
