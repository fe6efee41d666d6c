"""The prompt of a long story: its budget, its beginning, and which summary it has."""

import asyncio

from bot.core.errors import ModelError
from bot.llm.request import Request
from bot.play import history as moving
from bot.play.prompting import SO_FAR_PROMPT, tokens_of
from bot.storage import stories
from bot.storage.erasure import erase_person
from tests.play.table import ANN, Table, table

REPLY = "The corridor goes on, and so do you. " * 8


def told(request: Request) -> str:
    """A summary names the last line that it was given; turns get a reply of some length."""
    if "Summarise" in request.messages[0]["content"]:
        lines = [line for line in request.messages[-1]["content"].splitlines() if line.startswith("> ")]
        return f"They got as far as {lines[-1][2:]}."
    return REPLY


def prompts(at: Table) -> list[Request]:
    """The requests of turns alone."""
    return [request for request, _ in at.teller.requests if request.name == "adventure"]


async def test_every_prompt_stays_within_the_budget_and_summaries_take_the_place_of_old_turns() -> None:
    async with table(told, budget=3_000) as at:
        story = await at.story()
        for number in range(60):
            await at.act(story, f"step {number}")
            await at.adventures.memory.settled()
        assert all(tokens_of(request.messages) <= 3_000 for request in prompts(at))
        last = prompts(at)[-1].messages
        memory = next(message["content"] for message in last if message["content"].startswith(SO_FAR_PROMPT))
        assert "They got as far as step" in memory
        assert "step 0" not in [message["content"] for message in last]
        assert last[-1]["content"] == "step 59"


async def test_the_beginning_of_the_prompt_changes_only_with_a_summary() -> None:
    async with table(told, budget=3_000) as at:
        story = await at.story()
        for number in range(60):
            await at.act(story, f"step {number}")
            await at.adventures.memory.settled()
        pairs = list(zip(prompts(at), prompts(at)[1:], strict=False))
        changes = sum(second.messages[: len(first.messages)] != first.messages for first, second in pairs)
        summaries = len(at.teller.requests) - len(prompts(at))
        assert changes == summaries
        assert 0 < summaries < 15


async def test_the_server_pays_for_the_memory_and_the_player_for_the_turn() -> None:
    async with table(told, budget=3_000) as at:
        story = await at.story()
        for number in range(20):
            await at.act(story, f"step {number}")
        await at.adventures.memory.settled()
        payers = {request.name: payer.user_id for request, payer in at.teller.requests}
        assert payers == {"adventure": ANN.id, "summary": 0}


async def test_undo_and_switch_find_the_summary_of_their_own_path() -> None:
    async with table(told, budget=3_000) as at:
        story = await at.story()
        await at.act(story, "the fork")
        await at.adventures.name_branch(story, ANN, "fork")
        for number in range(30):
            await at.act(story, f"left {number}")
            await at.adventures.memory.settled()
        fork = (await at.adventures.tree(story))[1][0].turn_id
        left_end = await at.head(story)
        await at.move(story, moving.SWITCH, to=fork)
        for number in range(30):
            await at.act(story, f"right {number}")
            await at.adventures.memory.settled()
        assert "left" not in str(prompts(at)[-1].messages)
        await at.move(story, moving.SWITCH, to=left_end)
        await at.act(story, "on the left again")
        text = str(prompts(at)[-1].messages)
        assert "right" not in text
        assert "They got as far as left" in text
        while (await at.path(story))[-1].words != "the fork":
            await at.move(story, moving.UNDO)
        await at.act(story, "straight on")
        assert [message["content"] for message in prompts(at)[-1].messages][-3:] == ["the fork", REPLY, "straight on"]


async def test_a_summary_that_fails_costs_no_player_anything_and_is_made_later() -> None:
    failing = [True]

    def say(request: Request) -> str:
        if "Summarise" in request.messages[0]["content"] and failing[0]:
            raise ModelError("The model is away.")
        return told(request)

    async with table(say, budget=3_000) as at:
        story = await at.story()
        for number in range(40):
            await at.act(story, f"step {number}")
            await at.adventures.memory.settled()
        attempts = len(at.teller.requests) - len(prompts(at))
        assert 0 < attempts < 8
        assert all(tokens_of(request.messages) <= 3_000 for request in prompts(at))
        failing[0] = False
        for number in range(40, 50):
            await at.act(story, f"step {number}")
            await at.adventures.memory.settled()
        assert "They got as far as step" in str(prompts(at)[-1].messages)


async def test_a_forgotten_player_leaves_no_word_in_turns_or_summaries() -> None:
    async with table(told, budget=3_000) as at:
        story = await at.story()
        for number in range(30):
            await at.act(story, f"secret {number}")
        await at.adventures.memory.settled()
        await erase_person(at.database, ANN.id, str)
        path = await stories.turn_path(at.database, await at.head(story), whole=True)
        assert len(path) == 30
        assert "secret" not in str([(turn.words, turn.player) for turn in path])
        assert await at.adventures.memory.before(await at.head(story)) == ("", path)


async def test_fifty_channels_play_at_once_in_order_and_none_waits_for_another() -> None:
    async with table() as at:
        stories = [await at.story(channel) for channel in range(50)]
        blocked, release = asyncio.Event(), asyncio.Event()
        tell = at.teller.tell

        async def slow(request: Request, payer: "object", *rest: "object") -> "object":
            if payer.channel_id == 0:  # type: ignore[attr-defined]
                blocked.set()
                await release.wait()
            return await tell(request, payer, *rest)  # type: ignore[arg-type]

        at.teller.tell = slow  # type: ignore[method-assign,assignment]
        for number in range(4):
            await asyncio.gather(
                *(at.adventures.act(story, ANN, f"line {number}", None, at.screen) for story in stories)
            )
        await blocked.wait()
        for story in stories[1:]:
            await at.told(story)
            assert [turn.words for turn in await at.path(story)] == [f"line {number}" for number in range(4)]
        assert [turn.reply for turn in await at.path(stories[0])] == [None]
        release.set()
        await at.told(stories[0])
        assert [turn.words for turn in await at.path(stories[0])] == [f"line {number}" for number in range(4)]
