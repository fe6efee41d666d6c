"""A conversation of ten follow-ups with branches, and a `kill -9` in the middle of it."""

import asyncio
from typing import Any

import pytest

from tests.bot.harness import LONG_ANSWER, SLOW_STREAM, BotHarness, is_final, is_sentence
from tests.bot.test_bad_input import only_a_sentence
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


async def mention(harness: BotHarness, place: str = "") -> None:
    """Ask the bot in a message."""
    await harness.wire.say(f"<@{harness.wire.people['bot']}> Hi", channel=place or harness.place)


async def answers(harness: BotHarness) -> list[Message]:
    """The bot's messages in the test's channel."""
    found = await harness.wire.messages(harness.place)
    return [message for message in found if message.author_id == harness.wire.people["bot"]]


@pytest.mark.parametrize(
    ("fault", "how"),
    [({"drop": True}, SLOW_STREAM), ({"delay": 5.0}, SLOW_STREAM), ({"drop": True}, {})],
    ids=["growing and lost", "growing and late", "complete and lost"],
)
async def test_an_answer_whose_confirmation_does_not_come_in_time_is_not_written_twice(
    harness: BotHarness, fault: dict[str, Any], how: dict[str, Any]
) -> None:
    harness.model.says(LONG_ANSWER, **how)
    sending = f"/channels/{harness.place}/messages"
    await harness.wire.fault("POST", sending, after=True, **fault)
    await mention(harness)
    await harness.wire.answered("POST", sending, times=2)
    await harness.wire.until(is_final, channel=harness.place)
    (answer,) = await answers(harness)
    assert answer.content.startswith(f"{LONG_ANSWER}\n-# ")


async def test_the_last_of_several_messages_is_not_written_twice(harness: BotHarness) -> None:
    harness.model.says("A lap of the race, and then the next. " * 70)
    sending = f"/channels/{harness.place}/messages"
    await harness.wire.fault("POST", sending, drop=True, after=True, skip=1)
    await mention(harness)
    await harness.wire.answered("POST", sending, times=3)
    assert [is_final(message) for message in await answers(harness)] == [False, True]


async def test_a_reply_to_the_first_of_several_messages_follows_the_answer(harness: BotHarness) -> None:
    """Only the last one has the buttons."""
    long = "A lap of the race, and then the next. " * 70
    harness.model.says(long)
    await mention(harness)
    await harness.wire.until(is_final, channel=harness.place)
    exchange = await harness.slash("translate", text="laps", private=False)
    await exchange.answer(lambda found: found.content.startswith("A lap"))
    await exchange.messages()
    parts = await answers(harness)
    assert len(parts) == 4
    for part, first in ((parts[0], "Hi"), (parts[2], "laps")):
        harness.model.calls.clear()
        await harness.wire.say(f"<@{harness.wire.people['bot']}> Shorter!", reply_to=part)
        await calls(harness, 1)
        assert asked(harness)[-3:] == [first, long.strip(), "Shorter!"]


async def test_where_the_bot_may_attach_no_files_the_beginning_of_a_very_long_answer_is_written(
    harness: BotHarness,
) -> None:
    await harness.wire.permissions(harness.place, deny=("attach_files",))
    harness.model.says("Gentlemanly racers. " * 400)
    await mention(harness)
    last = await harness.wire.until(is_final, channel=harness.place)
    assert "I may not attach files in this channel, so the rest is missing." in last.content
    written = "".join(message.content for message in await answers(harness))
    assert written.count("Gentlemanly racers.") > 200


async def test_where_the_bot_may_not_reply_it_writes_a_message(harness: BotHarness) -> None:
    """Discord takes a reply only from those who may read what was written before."""
    await harness.wire.permissions(harness.place, deny=("read_message_history",))
    await mention(harness)
    answer = await harness.wire.until(is_final, channel=harness.place)
    assert "message_reference" not in answer.raw


@pytest.mark.parametrize("begun", [False, True], ids=["before the first words", "after them"])
async def test_an_answer_to_a_channel_that_is_gone_ends_the_call_of_the_model(harness: BotHarness, begun: bool) -> None:
    harness.model.says(LONG_ANSWER, pieces=14, delay=0.5)
    await mention(harness)
    await calls(harness, 1)
    if begun:
        await harness.wire.until(lambda found: found.content.endswith(" ▌"), channel=harness.place)
    await harness.wire.remove_channel(harness.place)
    await asyncio.wait_for(harness.model.calls[0].ended.wait(), 10)
    assert harness.model.calls[0].cancelled


async def test_a_forward_or_a_poll_in_direct_messages_is_answered(harness: BotHarness) -> None:
    said = await harness.wire.say("Guten Tag zusammen", user="admin", channel=harness.place)
    await harness.wire.forward(said, channel="dm")
    assert await calls(harness, 1) == ["Guten Tag zusammen"]
    await harness.wire.say("", channel="dm", poll={"question": "Wann?", "answers": ["Heute", "Morgen"]})
    assert (await calls(harness, 2))[1] == "Wann?\n- Heute\n- Morgen"


async def test_in_a_locked_thread_no_model_is_asked_and_a_command_says_why(harness: BotHarness) -> None:
    thread = await harness.wire.create_thread(harness.place, "a-thread")
    await mention(harness, thread)
    await harness.wire.until(is_final, channel=thread)
    await harness.wire.set_thread(thread, archived=True, locked=True)
    await mention(harness, thread)
    await harness.answer("translate", text="x", to="Greek")
    assert [body["messages"][-1]["content"] for body in harness.model.requests] == ["Hi", "x"]
    harness.model.holds()
    exchange = await harness.slash("translate", text="y", to="Greek")
    await exchange.state(after=0, timeout=5)
    await harness.fault_on(exchange, status=400, code=50083)
    harness.model.release()
    told = only_a_sentence(await exchange.answer(is_sentence))
    assert told.startswith("This thread is archived or locked, so I cannot write in it.")


async def test_where_it_may_not_write_no_model_is_asked(harness: BotHarness) -> None:
    await harness.wire.permissions(harness.place, deny=("send_messages",))
    await harness.wire.say(f"<@{harness.wire.people['bot']}> Hi", channel=harness.place)
    await harness.answer("translate", text="x", to="Greek")
    assert [body["messages"][-1]["content"] for body in harness.model.requests] == ["x"]
