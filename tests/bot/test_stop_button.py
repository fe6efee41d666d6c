"""The Stop button: who may press it, when it is there, and what stays."""

import asyncio

import pytest

from tests.bot.harness import LONG_ANSWER, BotHarness, is_final
from tests.bot.test_waiting import PLACE, calls
from tests.wire.exchange import Message

pytestmark = pytest.mark.asyncio(loop_scope="package")

# An answer that takes 25 seconds, so that it is still being written when Stop is pressed on a slow machine.
LONG_STREAM = {"pieces": len(LONG_ANSWER), "delay": 0.3}
OVER = "This answer is no longer being written."
NOT_YOURS = "Only the one who asked and moderators can stop this answer."


def is_growing(message: Message) -> bool:
    """Some of the answer, with Stop under it."""
    return message.content.endswith(" ▌") and message.buttons == ["Stop"]


@pytest.mark.parametrize("presser", ["member", "admin"])
async def test_stop_ends_the_call_and_keeps_the_text_so_far(harness: BotHarness, presser: str) -> None:
    """The asker and moderators may press it; the tokens used so far are counted."""
    harness.model.says(LONG_ANSWER, **LONG_STREAM)
    settled = "SELECT count(*) FROM calls WHERE settled AND prompt_tokens > 0"
    before = harness.rows(settled)[0][0]
    exchange = await harness.slash("translate", text="slowly", to="Greek", private=False)
    growing = await exchange.answer(is_growing)
    assert (await harness.press(growing, "Stop", user="friend")).content == NOT_YOURS
    await harness.wire.press(growing, "Stop", user=presser)
    answer = await exchange.answer(is_final)
    text, _newline, footer = answer.content.partition("\n")
    assert 0 < len(text) < len(LONG_ANSWER)
    assert LONG_ANSWER.startswith(text)
    assert footer.endswith(" · stopped")
    assert answer.buttons == ["Prompt", "Again", "Follow up…", "⋯"]
    assert harness.model.calls[0].cancelled
    assert await harness.wait_for_count(settled, wanted=before + 1) == before + 1


async def test_stop_ends_a_comparison_and_the_answer_to_a_mention(harness: BotHarness) -> None:
    harness.model.hangs(after=2, times=3)
    exchange = await harness.slash("compare", trick="sentiment", text="It works.", user="friend")
    asking = await exchange.answer(lambda found: found.buttons == ["Stop"])
    await calls(harness, 3)
    await harness.wire.press(asking, "Stop", user="friend")
    assert "Stopped before the answer was complete." in (await exchange.answer(is_final)).text
    assert all(call.cancelled for call in harness.model.calls)
    harness.model.says(LONG_ANSWER, **LONG_STREAM)
    await harness.wire.say(f"<@{harness.wire.people['bot']}> slowly", channel=harness.place)
    growing = await harness.wire.until(is_growing, channel=harness.place)
    await harness.wire.press(growing, "Stop")
    stopped = await harness.wire.until(is_final, channel=harness.place)
    assert stopped.id == growing.id
    assert stopped.content.endswith(" · stopped")


async def test_stop_keeps_the_ratings_of_a_file_so_far(harness: BotHarness) -> None:
    harness.model.says("4: fine", delay=0.1)
    file = harness.wire.file("reviews.txt", b"".join(b"Review %d.\n" % number for number in range(200)))
    exchange = await harness.slash("sentiment", file=file)
    rating = await exchange.answer(lambda found: "▰" in found.content and found.buttons == ["Stop"])
    await harness.wire.press(rating, "Stop")
    rated = await exchange.answer(lambda found: "on average" in found.content)
    assert "could not be rated: Stopped before the answer was complete. They are marked in the table." in rated.content
    assert [attachment["filename"] for attachment in rated.attachments] == ["ratings.png", "ratings.csv"]
    assert "Stop" not in rated.buttons
    assert len(harness.model.calls) < 100


async def test_stop_marks_what_was_written_of_a_comparison(harness: BotHarness) -> None:
    harness.model.says(LONG_ANSWER, **LONG_STREAM)
    exchange = await harness.slash("compare", trick="translate", text="slowly")
    asking = await exchange.answer(lambda found: found.buttons == ["Stop"])
    await calls(harness, 1)
    await asyncio.sleep(1)
    await harness.wire.press(asking, "Stop")
    text = (await exchange.answer(is_final)).text
    assert "zero-shot\nThe" in text
    assert " · stopped" in text


async def test_a_second_press_and_one_after_the_end_are_told_so(harness: BotHarness) -> None:
    """The token has run out, so the message with the button cannot be edited, as after a restart."""
    harness.model.says(LONG_ANSWER, **LONG_STREAM)
    exchange = await harness.slash("translate", text="slowly", to="Greek", private=False)
    growing = await exchange.answer(is_growing)
    await harness.wire.hold("PATCH", "/webhooks/")
    await harness.wire.press(growing, "Stop")
    assert (await harness.press(growing, "Stop")).content == "This answer is being stopped already."
    await harness.wire.expire_tokens()
    await harness.wire.release()
    await harness.wire.until(lambda found: " · stopped" in found.content and is_final(found), channel=harness.place)
    assert (await harness.press(growing, "Stop")).content == OVER


async def test_stop_takes_a_request_out_of_the_queue(harness: BotHarness) -> None:
    harness.model.holds()
    exchanges = [await harness.slash("translate", text=f"text {number}", to="Greek") for number in range(1, 5)]
    await calls(harness, 3)
    waiting = await exchanges[3].answer(lambda found: found.content == PLACE.format(1))
    assert waiting.buttons == ["Stop"]
    await harness.wire.press(waiting, "Stop")
    stopped = await exchanges[3].answer(lambda found: not found.buttons)
    assert stopped.content == "Stopped before the answer was complete."
    harness.model.release()
    for exchange in exchanges[:3]:
        await exchange.answer(is_final)
    assert len(harness.model.calls) == 3
