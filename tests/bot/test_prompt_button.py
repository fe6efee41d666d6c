"""The Prompt and Share buttons: who may press them, how often, and how long they serve."""

import asyncio

import pytest

from tests.bot.harness import BotHarness, is_final
from tests.wire.exchange import Message

pytestmark = pytest.mark.asyncio(loop_scope="package")

NOT_STORED = "The prompt of this answer is no longer stored."
NOT_YOURS = "Only the one who asked and those who manage this server may see this prompt."


async def pressed(harness: BotHarness, message: Message, button: str, *, user: str = "member") -> Message:
    """What the press shows, and it must be for the presser alone."""
    shown = await harness.press(message, button, user=user)
    assert shown.ephemeral
    return shown


async def test_prompt_shows_the_messages_as_sent_and_what_they_took(harness: BotHarness) -> None:
    harness.model.says('<FACTS entity="Kava"><FACT>She won.</FACT></FACTS>')
    answer = await harness.answer("facts", about="Kava")
    card = await pressed(harness, answer, "Prompt")
    assert card.text.startswith("### Prompt · one-shot")
    assert "Facts about: Kava" in card.text
    assert "fake-model · " in card.text
    assert "tokens in" in card.text
    assert "price not known" in card.text


async def test_a_stranger_is_refused_the_prompt_and_a_manager_is_not(harness: BotHarness) -> None:
    answer = await harness.answer("translate", text="my secret", to="Greek", private=False)
    assert (await pressed(harness, answer, "Prompt", user="friend")).text == NOT_YOURS
    assert "my secret" in (await pressed(harness, answer, "Prompt", user="admin")).text


async def test_a_deleted_answer_takes_its_prompt_along(harness: BotHarness) -> None:
    answer = await harness.answer("translate", text="my secret", to="Greek", private=False)
    kept = "SELECT count(*) FROM prompts WHERE message_id = ?"
    assert await harness.wait_for_count(kept, answer.id) == 1
    await harness.wire.remove_message(answer)
    assert await harness.wait_for_count(kept, answer.id, wanted=0) == 0


async def test_a_private_answers_prompt_is_kept_once_its_asker_opens_it(harness: BotHarness) -> None:
    answer = await harness.answer("translate", text="hidden words", to="Greek")
    kept = "SELECT count(*) FROM prompts WHERE message_id = ?"
    assert harness.rows(kept, answer.id)[0][0] == 0
    await pressed(harness, answer, "Prompt")
    assert await harness.wait_for_count(kept, answer.id) == 1


async def test_share_posts_the_answer_for_all_once(harness: BotHarness) -> None:
    harness.model.says("Bonjour")
    answer = await harness.answer("translate", text="Good morning", to="French")
    # All three are on their way before the button goes.
    await harness.wire.fault("POST", "/callback", delay=0.3, times=3)
    presses = await asyncio.gather(*(harness.wire.press(answer, "Share") for _ in range(3)))
    await asyncio.gather(*(press.messages() for press in presses))
    seen = await harness.wire.messages(harness.place, as_user="friend")
    assert [found.content for found in seen] == ["Bonjour\n-# fake-model · zero-shot\n-# shared by Max"]
    assert seen[0].buttons == ["Prompt", "Again", "Follow up…", "⋯"]
    mine = [found for found in await harness.wire.messages(harness.place) if found.id == answer.id]
    assert mine[0].buttons == ["Prompt", "Again", "Follow up…", "⋯"]


async def test_a_share_that_fails_can_be_tried_again(harness: BotHarness) -> None:
    answer = await harness.answer("translate", text="Good morning", to="French")
    await harness.wire.fault("POST", "/webhooks/", status=403, code=50013)
    told = await (await harness.wire.press(answer, "Share")).messages()
    assert any("I may not do that in this channel" in found.content for found in told)
    again = next(found for found in await harness.wire.messages(harness.place) if found.id == answer.id)
    assert again.buttons == ["Prompt", "Again", "Follow up…", "Share", "⋯"]
    await (await harness.wire.press(again, "Share")).messages()
    assert len(await harness.wire.messages(harness.place, as_user="friend")) == 1


async def test_facts_of_several_messages_are_shared_as_they_were_shown(harness: BotHarness) -> None:
    place = (await harness.wire.create_guild("Quiet", "corner"))["channels"]["corner"]
    await harness.notice("settings privacy", user="admin", channel=place, command="facts", private=True)
    facts = "".join(f"<FACT>Lap {number} took about a minute and a half.</FACT>" for number in range(60))
    harness.model.says(f'<FACTS entity="Kava">{facts}</FACTS>')
    await harness.slash("facts", about="Kava", channel=place)
    last = await harness.wire.until(lambda found: is_final(found) and found.ephemeral, channel=place)
    await (await harness.wire.press(last, "Share")).messages()
    seen = "\n".join(found.content for found in await harness.wire.messages(place, as_user="friend"))
    assert seen.count("- Lap ") == 60
    assert "FACT>" not in seen


async def test_what_was_shared_shows_its_prompt_to_its_asker_alone(harness: BotHarness) -> None:
    answer = await harness.answer("translate", text="Good morning", to="French")
    await (await harness.wire.press(answer, "Share")).messages()
    shared = await harness.wire.until(is_final, channel=harness.place, as_user="friend")
    assert "Good morning" in (await pressed(harness, shared, "Prompt")).text
    assert (await pressed(harness, shared, "Prompt", user="friend")).text == NOT_YOURS


async def test_a_long_answer_is_shared_whole(harness: BotHarness) -> None:
    harness.model.says("A lap of the race, and then the next. " * 100)
    exchange = await harness.slash("translate", text="long", to="Greek")
    last = await harness.wire.until(lambda found: is_final(found) and found.ephemeral, channel=harness.place)
    assert len(await exchange.messages()) == 2
    await (await harness.wire.press(last, "Share")).messages()
    seen = await harness.wire.messages(harness.place, as_user="friend")
    assert sum(found.content.count("A lap of the race") for found in seen) == 100
