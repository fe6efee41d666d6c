"""A conversation of ten follow-ups with branches, and a `kill -9` in the middle of it."""

import asyncio
from typing import Any

import pytest

from tests.bot.harness import BotHarness, is_final
from tests.bot.test_waiting import calls
from tests.wire.exchange import Message

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def follow(harness: BotHarness, answer: Message, text: str, *, user: str = "member") -> Message:
    """Follow up on an answer in the window."""
    window = await (await harness.wire.press(answer, "Follow up…", user=user)).modal()
    return await (await harness.wire.submit(window, {"text": text})).answer(is_final)


def numbered(body: dict[str, Any]) -> str:
    return f"Answer to {body['messages'][-1]['content']}"


def asked(harness: BotHarness) -> list[str]:
    """The messages of the newest request."""
    return [message["content"] for message in harness.model.requests[-1]["messages"]]


def exchanges(count: int) -> list[str]:
    """The first `count` questions of the main branch with their answers."""
    return [text for number in range(count) for text in (f"{number}", f"Answer to {number}")]


async def test_ten_follow_ups_with_branches_go_on_after_a_kill(fresh: BotHarness) -> None:
    """The window, a mention and a reply to a normal message lead on; each branch has the chain above it."""
    fresh.model.says(numbered)
    me = fresh.wire.people["bot"]
    async with fresh.bot() as process:
        first = await fresh.answer("translate", text="0", to="Greek", private=False)
        answers = [first]
        for number in range(1, 6):
            answers.append(await follow(fresh, answers[-1], str(number)))
        branch, other = await asyncio.gather(
            follow(fresh, answers[2], "2b", user="friend"), follow(fresh, answers[2], "2c", user="member")
        )
        assert "Answer to 2b" in branch.content
        assert "Answer to 2c" in other.content
        assert asked(fresh)[-7:-1] == exchanges(3)
        fresh.model.hangs(after=0)
        window = await (await fresh.wire.press(answers[-1], "Follow up…")).modal()
        await fresh.wire.submit(window, {"text": "never answered"})
        assert (await calls(fresh, 9))[-1] == "never answered"
        assert await fresh.wait_for_count("SELECT count(*) FROM prompts", wanted=8) == 8
        process.kill()
        await process.wait()
    fresh.model.says(numbered)
    async with fresh.bot() as process:
        for number in range(6, 9):
            answers.append(await follow(fresh, answers[-1], str(number)))
        await fresh.wire.say(f"<@{me}> 9", reply_to=answers[-1])
        ninth = await fresh.wire.until(lambda found: found.content.startswith("Answer to 9") and is_final(found))
        await fresh.wire.say("10", reply_to=ninth)
        tenth = await fresh.wire.until(lambda found: found.content.startswith("Answer to 10") and is_final(found))
        assert asked(fresh)[-21:] == [*exchanges(10), "10"]
        assert " · follow-up 10" in tenth.content
        card = await fresh.press(tenth, "Prompt")
        assert "… and " in card.text
        await fresh.wire.press(tenth, "Again")
        again = await fresh.wire.until(lambda found: "2/2" in found.buttons)
        assert again.id == tenth.id
        await follow(fresh, branch, "3b", user="friend")
        assert asked(fresh)[-9:] == [*exchanges(3), "2b", "Answer to 2b", "3b"]
        links = "SELECT count(*) FROM prompts WHERE parent_id IN (SELECT id FROM prompts)"
        assert await fresh.wait_for_count(links, wanted=14) == 14
        await fresh.wire.remove_message(answers[2])
        assert await fresh.wait_for_count("SELECT count(*) FROM prompts", wanted=2) == 2
        assert "Traceback" not in process.output


async def test_where_it_may_not_write_no_model_is_asked(harness: BotHarness) -> None:
    await harness.wire.permissions(harness.place, deny=("send_messages",))
    await harness.wire.say(f"<@{harness.wire.people['bot']}> Hi", channel=harness.place)
    await harness.answer("translate", text="x", to="Greek")
    assert [body["messages"][-1]["content"] for body in harness.model.requests] == ["x"]
