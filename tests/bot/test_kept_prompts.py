"""Prompts that are kept go with the message that they stand behind, whatever kind of answer that is."""

from typing import Any

import pytest

from tests.bot.harness import BotHarness, is_final

pytestmark = pytest.mark.asyncio(loop_scope="package")

CHOSEN = '{"template": "translate", "inputs": {"text": "Hi", "to": "Greek"}, "why": "It asks for Greek."}'
KEPT = "SELECT count(*) FROM prompts WHERE channel_id = ?"


async def lobby(harness: BotHarness, command: str, *, private: bool) -> str:
    """A channel of a server of its own, where the answers of `command` are private, or not."""
    place: str = (await harness.wire.create_guild("Quiet", "lobby"))["channels"]["lobby"]
    await harness.notice("settings privacy", user="admin", channel=place, command=command, private=private)
    return place


async def gone_with(harness: BotHarness, place: str, message: Any) -> int:
    """How many prompts are left of a channel's when the message is deleted."""
    await harness.wire.remove_message(message)
    return await harness.wait_for_count(KEPT, place, wanted=0)


async def test_a_deleted_answer_of_ask_takes_the_choice_of_the_trick_along(harness: BotHarness) -> None:
    harness.model.once(CHOSEN)
    answer = await harness.answer("ask", request="Say hi in Greek")
    assert await harness.wait_for_count(KEPT, harness.place, wanted=2) == 2
    assert await gone_with(harness, harness.place, answer) == 0


async def test_a_request_for_which_no_trick_was_found_goes_with_the_answer_that_says_so(harness: BotHarness) -> None:
    harness.model.once('{"template": "none", "inputs": {}, "why": "It is none of my business."}')
    answer = await harness.answer(
        "ask", lambda found: "none of my business" in found.content, request="What time is it?"
    )
    assert await harness.wait_for_count(KEPT, harness.place) == 1
    assert await gone_with(harness, harness.place, answer) == 0


async def test_a_private_answer_of_ask_leaves_nothing_behind(harness: BotHarness) -> None:
    place = await lobby(harness, "ask", private=True)
    harness.model.once(CHOSEN)
    answer = await harness.answer("ask", request="Say hi in Greek", channel=place)
    assert answer.ephemeral
    harness.model.once('{"template": "rewrite", "inputs": {"text": "Hi", "style": "pirate"}, "why": "Chosen."}')
    await (await harness.wire.select(answer, "rewrite")).answer(is_final)
    # What is written later is written in order: the only prompt there is that of the last, which is public.
    await harness.answer("translate", text="Hi", to="Greek", private=False, channel=place)
    assert await harness.wait_for_count(KEPT, place) == 1


async def test_a_deleted_comparison_takes_all_its_prompts_along(harness: BotHarness) -> None:
    place = await lobby(harness, "compare", private=False)
    harness.model.says("4: fine")
    card = await harness.answer("compare", trick="sentiment", text="It works.", channel=place)
    assert await harness.wait_for_count(KEPT, place, wanted=3) == 3
    assert await gone_with(harness, place, card) == 0


async def test_the_name_of_who_shared_stands_under_the_longest_message(harness: BotHarness) -> None:
    harness.model.says("q" * 1_960)
    answer = await harness.answer("translate", text="long", to="Greek")
    assert len(answer.content) > 1_980
    await (await harness.wire.press(answer, "Share")).messages()
    seen = await harness.wire.messages(harness.place, as_user="friend")
    assert seen[-1].content.endswith("-# shared by Max")
    assert sum(found.content.count("q") for found in seen) == 1_960


async def test_somebody_elses_message_cannot_be_suggested_as_an_example(harness: BotHarness) -> None:
    said = await harness.wire.say("Guten Morgen", user="friend", channel=harness.place)
    for message, buttons in (
        (said, []),
        (await harness.wire.say("Gute Nacht", channel=harness.place), ["Suggest to the server"]),
    ):
        answer = await (await harness.wire.menu("Translate", message)).answer(is_final)
        more = await (await harness.wire.press(answer, "⋯")).answer(is_final)
        modal = await (await harness.wire.press(more, "Not like that…")).modal()
        corrected = await (await harness.wire.submit(modal, {"wanted": "A good morning to you"})).answer(is_final)
        assert corrected.buttons == ["Prompt", "Again", "Follow up…", "Share", "⋯", *buttons]


async def test_a_prompt_is_kept_when_the_bot_is_stopped_right_after_its_answer(fresh: BotHarness) -> None:
    """Also those of answers that came in company, which are written together half a second later."""
    fresh.model.says("Words")
    async with fresh.bot() as process:
        burst = await fresh.wire.burst("translate", 5, text="x", to="Greek", private=False)
        for exchange in burst:
            await exchange.answer(is_final)
        process.terminate()
        assert await process.wait() == 0
    assert fresh.rows("SELECT count(*) FROM prompts") == [(5,)]
