"""The Prompt and Share buttons: who may press them, how often, and how long they serve."""

import asyncio

import pytest

from tests.bot.town import Town, final
from tests.wire.exchange import Message

pytestmark = pytest.mark.asyncio(loop_scope="package")

GONE = "The prompt behind this answer is not kept any more."
NOT_YOURS = "Only the one who asked and those who manage this server may see this prompt."


async def pressed(town: Town, message: Message, button: str, *, user: str = "member") -> Message:
    """What the press shows, and it must be for the presser alone."""
    shown = await town.presses(message, button, user=user)
    assert shown.ephemeral
    return shown


async def test_prompt_shows_the_messages_as_sent_and_what_they_took(town: Town) -> None:
    town.model.says('<FACTS entity="Kava"><FACT>She won.</FACT></FACTS>')
    answer = await town.answer("facts", about="Kava")
    card = await pressed(town, answer, "Prompt")
    assert card.text.startswith("### Prompt · one-shot")
    assert "Facts about: Kava" in card.text
    assert "fake-model · " in card.text
    assert "tokens in" in card.text
    assert "price not known" in card.text


async def test_a_stranger_is_refused_the_prompt_and_a_manager_is_not(town: Town) -> None:
    answer = await town.answer("translate", text="my secret", to="Greek", private=False)
    assert (await pressed(town, answer, "Prompt", user="friend")).text == NOT_YOURS
    assert "my secret" in (await pressed(town, answer, "Prompt", user="admin")).text


async def test_a_deleted_answer_takes_its_prompt_along(town: Town) -> None:
    answer = await town.answer("translate", text="my secret", to="Greek", private=False)
    kept = "SELECT count(*) FROM prompts WHERE message_id = ?"
    assert await town.number(kept, answer.id) == 1
    await town.wire.remove_message(answer)
    assert await town.number(kept, answer.id, wanted=0) == 0


async def test_a_private_answers_prompt_is_kept_once_its_asker_opens_it(town: Town) -> None:
    answer = await town.answer("translate", text="hidden words", to="Greek")
    kept = "SELECT count(*) FROM prompts WHERE message_id = ?"
    assert town.rows(kept, answer.id)[0][0] == 0
    await pressed(town, answer, "Prompt")
    assert await town.number(kept, answer.id) == 1


async def test_share_posts_the_answer_for_all_once(town: Town) -> None:
    town.model.says("Bonjour")
    answer = await town.answer("translate", text="Good morning", to="French")
    # All three are on their way before the button goes.
    await town.wire.fault("POST", "/callback", delay=0.3, times=3)
    presses = await asyncio.gather(*(town.wire.press(answer, "Share") for _ in range(3)))
    await asyncio.gather(*(press.messages() for press in presses))
    seen = await town.wire.messages(town.place, as_user="friend")
    assert [found.content for found in seen] == ["Bonjour\n-# fake-model · zero-shot\n-# shared by Max"]
    assert seen[0].buttons == ["Prompt", "⋯"]
    mine = [found for found in await town.wire.messages(town.place) if found.id == answer.id]
    assert mine[0].buttons == ["Prompt", "⋯"]


async def test_a_share_that_fails_can_be_tried_again(town: Town) -> None:
    answer = await town.answer("translate", text="Good morning", to="French")
    await town.wire.fault("POST", "/webhooks/", status=403, code=50013)
    told = await (await town.wire.press(answer, "Share")).messages()
    assert any("I may not do that in this channel" in found.content for found in told)
    again = next(found for found in await town.wire.messages(town.place) if found.id == answer.id)
    assert again.buttons == ["Share", "Prompt", "⋯"]
    await (await town.wire.press(again, "Share")).messages()
    assert len(await town.wire.messages(town.place, as_user="friend")) == 1


async def test_facts_of_several_messages_are_shared_as_they_were_shown(town: Town) -> None:
    place = (await town.wire.create_guild("Quiet", "corner"))["channels"]["corner"]
    await town.told("settings privacy", user="admin", channel=place, command="facts", private=True)
    facts = "".join(f"<FACT>Lap {number} took about a minute and a half.</FACT>" for number in range(60))
    town.model.says(f'<FACTS entity="Kava">{facts}</FACTS>')
    await town.does("facts", about="Kava", channel=place)
    last = await town.wire.until(lambda found: final(found) and found.ephemeral, channel=place)
    await (await town.wire.press(last, "Share")).messages()
    seen = "\n".join(found.content for found in await town.wire.messages(place, as_user="friend"))
    assert seen.count("- Lap ") == 60
    assert "FACT>" not in seen


async def test_what_was_shared_shows_its_prompt_to_its_asker_alone(town: Town) -> None:
    answer = await town.answer("translate", text="Good morning", to="French")
    await (await town.wire.press(answer, "Share")).messages()
    shared = await town.wire.until(final, channel=town.place, as_user="friend")
    assert "Good morning" in (await pressed(town, shared, "Prompt")).text
    assert (await pressed(town, shared, "Prompt", user="friend")).text == NOT_YOURS


async def test_a_long_answer_is_shared_whole(town: Town) -> None:
    town.model.says("A lap of the race, and then the next. " * 100)
    exchange = await town.does("translate", text="long", to="Greek")
    last = await town.wire.until(lambda found: final(found) and found.ephemeral, channel=town.place)
    assert len(await exchange.messages()) == 2
    await (await town.wire.press(last, "Share")).messages()
    seen = await town.wire.messages(town.place, as_user="friend")
    assert sum(found.content.count("A lap of the race") for found in seen) == 100
