"""Prompts that are kept go with the message that they stand behind, whatever kind of answer that is."""

from typing import Any

import pytest

from tests.bot.town import Town, final

pytestmark = pytest.mark.asyncio(loop_scope="package")

CHOSEN = '{"template": "translate", "inputs": {"text": "Hi", "to": "Greek"}, "why": "It asks for Greek."}'
KEPT = "SELECT count(*) FROM prompts WHERE channel_id = ?"


async def lobby(town: Town, command: str, *, private: bool) -> str:
    """A channel of a server of its own, where the answers of `command` are private, or not."""
    place: str = (await town.wire.create_guild("Quiet", "lobby"))["channels"]["lobby"]
    await town.told("settings privacy", user="admin", channel=place, command=command, private=private)
    return place


async def gone_with(town: Town, place: str, message: Any) -> int:
    """How many prompts are left of a channel's when the message is deleted."""
    await town.wire.remove_message(message)
    return await town.number(KEPT, place, wanted=0)


async def test_a_deleted_answer_of_ask_takes_the_choice_of_the_trick_along(town: Town) -> None:
    town.model.once(CHOSEN)
    answer = await town.answer("ask", request="Say hi in Greek")
    assert await town.number(KEPT, town.place, wanted=2) == 2
    assert await gone_with(town, town.place, answer) == 0


async def test_a_request_for_which_no_trick_was_found_goes_with_the_answer_that_says_so(town: Town) -> None:
    town.model.once('{"template": "none", "inputs": {}, "why": "It is none of my business."}')
    answer = await town.answer("ask", lambda found: "none of my business" in found.content, request="What time is it?")
    assert await town.number(KEPT, town.place) == 1
    assert await gone_with(town, town.place, answer) == 0


async def test_a_private_answer_of_ask_leaves_nothing_behind(town: Town) -> None:
    place = await lobby(town, "ask", private=True)
    town.model.once(CHOSEN)
    answer = await town.answer("ask", request="Say hi in Greek", channel=place)
    assert answer.ephemeral
    town.model.once('{"template": "rewrite", "inputs": {"text": "Hi", "style": "pirate"}, "why": "Chosen."}')
    await (await town.wire.select(answer, "rewrite")).answer(final)
    # What is written later is written in order: the only prompt there is that of the last, which is public.
    await town.answer("translate", text="Hi", to="Greek", private=False, channel=place)
    assert await town.number(KEPT, place) == 1


async def test_a_deleted_comparison_takes_all_its_prompts_along(town: Town) -> None:
    place = await lobby(town, "compare", private=False)
    town.model.says("4: fine")
    card = await town.answer("compare", trick="sentiment", text="It works.", channel=place)
    assert await town.number(KEPT, place, wanted=3) == 3
    assert await gone_with(town, place, card) == 0


async def test_the_name_of_who_shared_stands_under_the_longest_message(town: Town) -> None:
    town.model.says("q" * 1_960)
    answer = await town.answer("translate", text="long", to="Greek")
    assert len(answer.content) > 1_980
    await (await town.wire.press(answer, "Share")).messages()
    seen = await town.wire.messages(town.place, as_user="friend")
    assert seen[-1].content.endswith("-# shared by Max")
    assert sum(found.content.count("q") for found in seen) == 1_960


async def test_somebody_elses_message_cannot_be_suggested_as_an_example(town: Town) -> None:
    said = await town.wire.say("Guten Morgen", user="friend", channel=town.place)
    for message, buttons in (
        (said, []),
        (await town.wire.say("Gute Nacht", channel=town.place), ["Suggest to the server"]),
    ):
        answer = await (await town.wire.menu("Translate", message)).answer(final)
        more = await (await town.wire.press(answer, "⋯")).answer(final)
        modal = await (await town.wire.press(more, "Not like that…")).modal()
        corrected = await (await town.wire.submit(modal, {"wanted": "A good morning to you"})).answer(final)
        assert corrected.buttons == ["Share", "Prompt", "⋯", *buttons]


async def test_a_prompt_is_kept_when_the_bot_is_stopped_right_after_its_answer(fresh: Town) -> None:
    """Also those of answers that came in company, which are written together half a second later."""
    fresh.model.says("Words")
    async with fresh.bot() as process:
        crowd = await fresh.wire.burst("translate", 5, text="x", to="Greek", private=False)
        for exchange in crowd:
            await exchange.answer(final)
        process.terminate()
        assert await process.wait() == 0
    assert fresh.rows("SELECT count(*) FROM prompts") == [(5,)]
