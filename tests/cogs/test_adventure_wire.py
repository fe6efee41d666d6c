"""Stories under what only a real Discord does: several people at once, permissions, deletions, crashes."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.bot.harness import BotHarness, is_sentence, open_harness
from tests.cogs.adventure_story import FULL, StoryDriver, start_story
from tests.wire.exchange import Exchange, Modal

pytestmark = pytest.mark.asyncio(loop_scope="module")
# Rates are the law of `tests/wire/`; a story of five messages in as many seconds would wait for them here.
RATE_SCALE = 0.1


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def busy() -> AsyncIterator[BotHarness]:
    async with open_harness(rate_scale=RATE_SCALE) as harness, harness.bot():
        yield harness


@pytest_asyncio.fixture(loop_scope="module")
async def game(busy: BotHarness) -> StoryDriver:
    """A story of this test's own, and a model that answers at once."""
    busy.model.release()
    busy.model.says("All is well.")
    busy.model.calls.clear()
    return await start_story(busy, (await busy.wire.create_channel("a-test"))["id"])


async def answered(exchange: Exchange) -> str:
    return (await exchange.answer(is_sentence)).text


async def test_two_who_press_the_arrow_at_once_get_one_telling(game: StoryDriver) -> None:
    message = await game.act("look")
    wire = game.harness.wire
    presses = await asyncio.gather(*(wire.press(message, "▶", user=user) for user in ("member", "admin")))
    answers = [one for one in await asyncio.gather(*(press.messages() for press in presses)) if one]
    again = await wire.until(lambda found: "2/2" in found.buttons, game.place)
    assert again.id == message.id
    assert len(game.turns()) == 2
    assert len(game.harness.model.calls) == 2
    assert any("The story has gone on" in message.text for messages in answers for message in messages)


async def test_turns_are_told_in_order_of_arrival_and_the_fifth_is_refused(game: StoryDriver) -> None:
    game.harness.model.holds()
    users = ("member", "friend", "admin", "operator")
    first = await game.harness.wire.slash("adventure act", channel=game.place, text="turn 0")
    await game.turn_message("turn 0", until=lambda _: True)
    said = [await game.answer_to(f"turn {number}", user=users[number]) for number in (1, 2, 3)]
    assert said[0].startswith("Another turn is before yours")
    assert said[2].startswith("3 turns are before yours")
    refused = await game.answer_to("turn 4")
    assert refused == "3 turns wait already; say it again after them. You said: turn 4"
    game.harness.model.release()
    await game.turn_message("turn 3")
    assert game.turns() == [(f"turn {number}", "done") for number in range(4)]
    asked = [call.body["messages"][-1]["content"] for call in game.harness.model.calls]
    assert [words.partition("turn ")[2] for words in asked] == ["0", "1", "2", "3"]
    assert not (await first.events())[-1].get("error")


async def test_turns_that_wait_when_a_story_is_paused_wait_on_and_are_told_after_it(game: StoryDriver) -> None:
    game.harness.model.holds()
    await game.harness.wire.slash("adventure act", channel=game.place, text="turn 0")
    await game.turn_message("turn 0", until=lambda _: True)
    await game.answer_to("turn 1", user="friend")
    await game.harness.wire.slash("adventure pause", channel=game.place)
    await game.harness.wire.until(lambda found: found.content.startswith("The story is paused."), game.place)
    game.harness.model.release()
    await game.turn_message("turn 0")
    assert game.turns() == [("turn 0", "done"), ("turn 1", "waiting")]
    await game.harness.wire.slash("adventure resume", channel=game.place)
    offer = await game.harness.wire.until(lambda found: "Go on" in found.buttons, game.place)
    assert "waiting: Frieda: turn 1" in offer.content
    await game.harness.wire.press(offer, "Go on")
    await game.turn_message("turn 1")


async def test_a_deleted_parent_ends_the_stories_in_its_threads(game: StoryDriver) -> None:
    wire = game.harness.wire
    parent = next(one["parent_id"] for one in await wire.channels() if one["id"] == game.place)
    await wire.remove_channel(parent)
    other = await start_story(game.harness, (await wire.create_channel("after"))["id"])
    await other.act("look")
    states = game.harness.rows("SELECT state FROM stories WHERE channel_id = ?", int(game.place))
    assert states == [("ended",)]


async def test_only_the_newest_turn_has_buttons(game: StoryDriver) -> None:
    first = await game.act("look")
    assert first.buttons == FULL
    await game.act("listen")
    await game.harness.wire.until(lambda found: found.id == first.id and not found.buttons, game.place)


async def test_where_the_bot_may_not_write_nothing_is_stored_and_the_player_is_told(game: StoryDriver) -> None:
    wire = game.harness.wire
    parent = next(one["parent_id"] for one in await wire.channels() if one["id"] == game.place)
    await wire.permissions(parent, deny=("send_messages_in_threads",))
    assert "I may not write in this channel" in await game.answer_to("look")
    assert game.turns() == []
    await wire.permissions(parent)
    assert (await game.act("look")).buttons == FULL


async def test_where_the_bot_may_not_open_threads_it_says_so(busy: BotHarness) -> None:
    place = (await busy.wire.create_channel("closed"))["id"]
    await busy.wire.permissions(place, deny=("create_public_threads",))
    exchange = await busy.wire.slash("adventure start", channel=place, scenario="room")
    assert "I may not open threads here" in await answered(exchange)
    await busy.wire.permissions(place, deny=("view_channel",))
    assert busy.rows("SELECT count(*) FROM stories WHERE channel_id = ?", int(place)) == [(0,)]


async def test_a_permission_that_goes_between_two_turns_leaves_the_turn_kept(game: StoryDriver) -> None:
    await game.act("look")
    await game.harness.wire.fault("POST", f"/channels/{game.place}/messages", status=403, times=1, code=50001)
    exchange = await game.harness.wire.slash("adventure act", channel=game.place, text="open the door")
    await exchange.answer(lambda found: found.text.startswith("I may not do that in this channel"))
    assert game.turns() == [("look", "done"), ("open the door", "open")]
    await game.harness.wire.clear_faults()
    assert "Your turn is stored and waits" in await game.answer_to("knock", user="friend")
    offer = await game.waiting("Frieda: knock")
    await game.harness.wire.press(offer, "Retry", user="friend")
    await game.turn_message("knock")
    assert game.turns() == [("look", "done"), ("open the door", "done"), ("knock", "done")]


async def test_a_channel_that_is_deleted_in_the_middle_ends_its_story_and_nothing_else(
    game: StoryDriver, busy: BotHarness
) -> None:
    busy.model.says("one two three four five six", pieces=6, delay=0.3)
    await busy.wire.slash("adventure act", channel=game.place, text="look")
    await game.turn_message("look", until=lambda found: "one" in found.content)
    await busy.wire.remove_channel(game.place)
    busy.model.says("All is well.")
    other = await start_story(busy, (await busy.wire.create_channel("another"))["id"])
    assert "All is well." in (await other.act("look")).content
    states = busy.rows("SELECT state FROM stories WHERE channel_id = ?", int(game.place))
    assert states == [("ended",)]
    assert busy.wire.process is not None
    assert "Traceback" not in busy.wire.process.output


async def test_a_turn_whose_message_is_deleted_in_the_middle_is_posted_anew(game: StoryDriver) -> None:
    game.harness.model.says("one two three four five six", pieces=6, delay=0.3)
    await game.harness.wire.slash("adventure act", channel=game.place, text="look")
    message = await game.turn_message("look", until=lambda found: "one" in found.content)
    await game.harness.wire.remove_message(message)
    again = await game.turn_message("look")
    assert again.id != message.id
    assert "one two three four five six" in again.content
    await game.harness.wire.press(again, "Continue")
    await game.turn_message("…")


async def test_direct_messages_are_turns(busy: BotHarness) -> None:
    """They come without a language: it is that of the person's last command."""
    busy.model.says("All is well.")
    await busy.wire.speak("member", "de")
    await busy.wire.slash("adventure start", channel="dm", scenario="room")
    await busy.wire.until(lambda found: bool(found.buttons), "dm")
    await busy.wire.say("look around", channel="dm")
    message = await busy.wire.until(lambda found: "› look around" in found.content and bool(found.buttons), "dm")
    await busy.wire.speak("member", "en-US")
    assert "All is well." in message.content
    assert "Zurücknehmen" in message.buttons


async def test_after_a_crash_the_next_thing_said_offers_to_go_on() -> None:
    async with open_harness(rate_scale=RATE_SCALE) as harness:
        async with harness.bot() as process:
            game = await start_story(harness, "general")
            await game.act("look")
            harness.model.holds()
            await harness.wire.slash("adventure act", channel=game.place, text="open the door")
            await game.turn_message("open the door", until=lambda _: True)
            await game.answer_to("hum", user="friend")
            process.kill()
            await process.wait()
        harness.model.release()
        async with harness.bot():
            assert "Your turn is stored and waits" in await game.answer_to("knock", user="admin")
            offer = await game.waiting("Ada: knock")
            assert "I was stopped in the middle of this turn." in offer.content
            assert "waiting: Frieda: hum" in offer.content
            assert offer.buttons == ["Retry", "Leave it out", "⋯"]
            await harness.wire.press(offer, "Retry", user="admin")
            await game.turn_message("knock")
            assert game.turns() == [(one, "done") for one in ("look", "open the door", "hum", "knock")]


@dataclass(frozen=True)
class Stopped:
    """A bot that was stopped while one story was being told and a form was open in another, and runs again."""

    harness: BotHarness
    interrupted: StoryDriver
    typed: StoryDriver
    form: Modal
    code: int
    output: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stopped() -> AsyncIterator[Stopped]:
    async with open_harness(rate_scale=RATE_SCALE) as harness:
        async with harness.bot(TEST_LAST_WORDS="0.5") as process:
            typed = await start_story(harness, "general")
            form = await (await harness.wire.press(await typed.newest(), "Act…")).modal()
            interrupted = await start_story(harness, (await harness.wire.create_channel("another"))["id"])
            harness.model.holds()
            await harness.wire.slash("adventure act", channel=interrupted.place, text="open the door")
            await interrupted.turn_message("open the door", until=lambda _: True)
            process.terminate()
            code = await process.wait(30)
        harness.model.release()
        async with harness.bot():
            yield Stopped(harness, interrupted, typed, form, code, process.output)


async def test_a_form_that_was_opened_before_a_restart_can_be_sent_in_after_it(stopped: Stopped) -> None:
    await stopped.harness.wire.submit(stopped.form, {"text": "look around"})
    assert (await stopped.typed.turn_message("look around")).buttons == FULL


async def test_stopping_in_the_middle_keeps_the_turn_and_says_so(stopped: Stopped) -> None:
    assert stopped.code == 0
    assert "Traceback" not in stopped.output
    message = await stopped.interrupted.turn_message("open the door")
    assert "I am being restarted. This turn is kept" in message.content
    await stopped.harness.wire.press(message, "Retry")
    again = await stopped.interrupted.turn_message("open the door", until=lambda found: "Prompt" in found.buttons)
    assert again.buttons == FULL
