"""A locked thread at every moment of a turn: Discord answers 50083 to sending and to editing."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bot.engine.errors import APIError
from tests.bot.harness import BotHarness, open_harness
from tests.cogs.adventure_story import FULL, StoryDriver, start_story
from tests.wire.exchange import Exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")
FAULT = APIError("no", status=500, code="server_error", headers={"x-should-retry": "false"})
LOCKED = "This thread is locked, so I cannot write in it."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bot() -> AsyncIterator[BotHarness]:
    async with open_harness(rate_scale=0.1) as harness, harness.bot():
        yield harness


@pytest_asyncio.fixture(loop_scope="module")
async def game(bot: BotHarness) -> StoryDriver:
    """A story with one turn, and a model that answers at once."""
    bot.model.release()
    bot.model.says("All is well.")
    story = await start_story(bot, (await bot.wire.create_channel("a-test"))["id"])
    await story.act("look")
    bot.model.calls.clear()
    return story


async def lock(game: StoryDriver) -> None:
    await game.harness.wire.set_thread(game.place, archived=True, locked=True)


async def unlock(game: StoryDriver) -> None:
    await game.harness.wire.set_thread(game.place, archived=False, locked=False)


async def says_locked(pressed: Exchange) -> None:
    """Wait for the private sentence, which comes after the acknowledgement."""
    for _ in range(20):
        if any(LOCKED in found.text for found in await pressed.messages()):
            return
    raise AssertionError("nothing was said about the lock")


async def goes_on(game: StoryDriver) -> None:
    """The next turn is told, and nothing of the lock is left."""
    message = await game.act("go on")
    assert message.buttons == FULL
    assert game.turns() == [("look", "done"), ("go on", "done")]


async def test_a_command_in_a_locked_thread_is_refused_and_leaves_nothing(game: StoryDriver) -> None:
    await lock(game)
    assert (await game.answer_to("open the door")).startswith(LOCKED)
    assert game.turns() == [("look", "done")]
    assert not game.harness.model.calls
    await unlock(game)
    await goes_on(game)


async def test_a_modal_that_was_opened_before_the_lock_gives_the_sentence(game: StoryDriver) -> None:
    wire = game.harness.wire
    modal = await (await wire.press(await game.newest(), "Act…")).modal()
    await lock(game)
    answer = await (await wire.submit(modal, {"text": "open the door"})).answer(lambda found: LOCKED in found.text)
    assert answer.ephemeral
    await unlock(game)
    await goes_on(game)


async def test_a_button_in_a_locked_thread_gives_the_sentence(game: StoryDriver) -> None:
    newest = await game.newest()
    await lock(game)
    for button in ("Continue", "Undo", "▶"):
        pressed = await game.harness.wire.press(newest, button)
        await says_locked(pressed)
    await unlock(game)
    await goes_on(game)


async def test_a_lock_between_the_command_and_its_message_gives_the_words_back(game: StoryDriver) -> None:
    await game.harness.wire.fault("POST", f"/channels/{game.place}/messages", status=400, code=50083, times=1)
    exchange = await game.harness.wire.slash("adventure act", channel=game.place, text="open the door")
    answer = await exchange.answer(lambda found: found.text.startswith(LOCKED))
    assert answer.text.endswith("You said: open the door")
    assert game.turns() == [("look", "done"), ("open the door", "dropped")]
    assert not game.harness.model.calls
    # The story is not stopped by it.
    message = await game.act("go on")
    assert message.buttons == FULL
    assert "turn 2" in message.content


async def test_a_lock_between_another_reply_and_its_edit_leaves_the_reply_before(game: StoryDriver) -> None:
    newest = await game.newest()
    for method, path in (("PATCH", f"/messages/{newest.id}"), ("POST", f"/channels/{game.place}/messages")):
        await game.harness.wire.fault(method, path, status=400, code=50083, times=1)
    pressed = await game.harness.wire.press(newest, "▶")
    await says_locked(pressed)
    assert game.turns() == [("look", "done"), ("look", "dropped")]
    assert (await game.newest()).buttons == FULL
    await game.harness.wire.clear_faults()
    assert (await game.act("go on")).buttons == FULL


async def test_what_was_told_while_the_thread_was_locked_is_there_when_it_is_open(game: StoryDriver) -> None:
    game.harness.model.says("one two three four five six", pieces=6, delay=0.3)
    await game.harness.wire.slash("adventure act", channel=game.place, text="open the door")
    started = await game.turn_message("open the door", until=lambda found: "one" in found.content)
    await lock(game)
    await game.harness.wait_for_count("SELECT count(*) FROM turns WHERE reply LIKE '%five six'")
    assert "six" not in (await game.turn_message("open the door", until=lambda _: True)).content
    await unlock(game)
    message = await game.turn_message("open the door")
    assert message.id == started.id
    assert "one two three four five six" in message.content
    assert message.buttons == FULL


async def test_turns_that_wait_when_the_thread_is_locked_are_told_when_it_is_open(game: StoryDriver) -> None:
    game.harness.model.holds()
    await game.harness.wire.slash("adventure act", channel=game.place, text="open the gate")
    await game.turn_message("open the gate", until=lambda _: True)
    assert (await game.answer_to("knock", user="friend")).startswith("Another turn is before yours")
    await lock(game)
    game.harness.model.release()
    await game.harness.wait_for_count("SELECT count(*) FROM turns WHERE words = 'open the gate' AND state = 'done'")
    await unlock(game)
    assert (await game.turn_message("knock")).buttons == FULL
    assert game.turns() == [(words, "done") for words in ("look", "open the gate", "knock")]


async def test_after_a_restart_a_thread_that_was_opened_meanwhile_shows_what_was_told() -> None:
    async with open_harness(rate_scale=0.1) as harness:
        async with harness.bot() as process:
            game = await start_story(harness, "general")
            harness.model.says("one two three four five six", pieces=6, delay=0.3)
            await harness.wire.slash("adventure act", channel=game.place, text="open the door")
            await game.turn_message("open the door", until=lambda found: "one" in found.content)
            await lock(game)
            await harness.wait_for_count("SELECT count(*) FROM turns WHERE reply LIKE '%five six'")
            process.kill()
            await process.wait()
        await unlock(game)
        async with harness.bot():
            assert "five six" in (await game.turn_message("open the door")).content


async def test_another_players_turn_goes_on_waiting_when_it_cannot_be_shown(game: StoryDriver) -> None:
    wire = game.harness.wire
    game.harness.model.says("never", error=FAULT)
    await wire.slash("adventure act", channel=game.place, text="open the hatch")
    await game.turn_message("open the hatch")
    await game.answer_to("knock", user="friend")
    offer = await game.waiting("Frieda: knock")
    game.harness.model.says("All is well.")
    await wire.fault("POST", f"/channels/{game.place}/messages", status=400, code=50083, times=1)
    pressed = await wire.press(offer, "Leave it out")
    await says_locked(pressed)
    assert game.turns()[-1] == ("knock", "waiting")
    await unlock(game)
    # The turn that was left out is its sibling.
    assert (await game.turn_message("knock")).buttons == [*FULL[:-2], "2/2", "▶"]
