"""People who wait: each has a share of the model, hears of a slow one, and sees nothing that moderation may hold."""

import asyncio
from collections.abc import Callable

import pytest

from tests.bot.harness import BotHarness, is_final, is_sentence
from tests.bot.test_bad_input import only_a_sentence
from tests.wire.exchange import Message

pytestmark = pytest.mark.asyncio(loop_scope="package")

WAITING = "Waiting for the model's first word: "
PLACE = "Your earlier requests come first. This one has place {} in your queue."


def says(text: str) -> Callable[[Message], bool]:
    return lambda found: found.content == text


def begins(text: str) -> Callable[[Message], bool]:
    return lambda found: found.content.startswith(text)


async def calls(harness: BotHarness, number: int) -> list[str]:
    """The texts that the model was asked for, once they are so many."""
    for _ in range(500):
        if len(harness.model.requests) >= number:
            break
        await asyncio.sleep(0.02)
    return [str(body["messages"][-1]["content"]) for body in harness.model.requests]


async def test_the_requests_of_one_person_queue_with_their_place_and_hold_up_nobody_else(harness: BotHarness) -> None:
    harness.model.says(lambda body: f"Said {body['messages'][-1]['content']}.")
    harness.model.holds()
    exchanges = [await harness.slash("translate", text=f"text {number}", to="Greek") for number in range(1, 4)]
    assert sorted(await calls(harness, 3)) == ["text 1", "text 2", "text 3"]
    for number in (4, 5):
        exchanges.append(await harness.slash("translate", text=f"text {number}", to="Greek"))
        assert (await exchanges[-1].answer(says(PLACE.format(number - 3)))).ephemeral
    other = await harness.slash("translate", text="another's", to="Greek", user="friend")
    assert await calls(harness, 4) == [*(await calls(harness, 3))[:3], "another's"]
    harness.model.release()
    assert (await other.answer(is_final)).content.startswith("Said another's.\n")
    for number, exchange in enumerate(exchanges, 1):
        assert (await exchange.answer(is_final)).content.startswith(f"Said text {number}.\n")
    assert (await calls(harness, 6))[-2:] == ["text 4", "text 5"]


async def test_a_person_sees_how_many_requests_a_local_model_answers_first(harness: BotHarness) -> None:
    harness.model.once("Καλημέρα", places=(2, 1))
    harness.model.holds()
    exchange = await harness.slash("translate", text="Good morning", to="Greek")
    told = await exchange.answer(lambda found: "1 request is before yours at this model's server." in found.content)
    assert told.content.startswith(WAITING)
    harness.model.release()
    assert (await exchange.answer(is_final)).content.startswith("Καλημέρα\n")


async def test_a_queued_request_whose_answer_is_deleted_leaves_the_queue(harness: BotHarness) -> None:
    harness.model.holds()
    exchanges = [await harness.slash("translate", text=f"text {number}", to="Greek") for number in range(1, 4)]
    await calls(harness, 3)
    exchanges.append(await harness.slash("translate", text="text 4", to="Greek"))
    fourth = await exchanges[3].answer(says(PLACE.format(1)))
    exchanges.append(await harness.slash("translate", text="text 5", to="Greek"))
    await exchanges[4].answer(says(PLACE.format(2)))
    await harness.wire.remove_message(fourth)
    harness.model.release()
    await exchanges[4].answer(is_final)
    await exchanges[0].answer(is_final)


async def test_the_setting_bounds_the_calls_of_a_person(fresh: BotHarness) -> None:
    async with fresh.bot(CALLS_PER_PERSON="1"):
        fresh.model.holds()
        first = await fresh.slash("translate", text="text 1", to="Greek")
        await calls(fresh, 1)
        second = await fresh.slash("facts", about="text 2")
        assert not (await second.answer(says(PLACE.format(1)))).ephemeral
        assert len(fresh.model.requests) == 1
        fresh.model.release()
        await first.answer(is_final)
        await second.answer(is_sentence)


async def test_a_model_without_a_first_word_is_told_with_the_time_until_it_comes(fresh: BotHarness) -> None:
    async with fresh.bot(TEST_FIRST_NOTICE="1"):
        fresh.model.says("Here it is.")
        fresh.model.holds()
        for command, options in (("translate", {"text": "x", "to": "Greek"}), ("facts", {"about": "Kava"})):
            exchange = await fresh.slash(command, **options)
            first, later = [await exchange.answer(begins(f"{WAITING}{n} s so far")) for n in (1, 2)]
            assert first.id == later.id
            fresh.model.release()
            assert "Here it is." in (await exchange.answer(is_final)).content
            fresh.model.holds()


async def test_words_that_are_shown_once_they_are_complete_are_no_wait_for_the_first(fresh: BotHarness) -> None:
    async with fresh.bot(TEST_FIRST_NOTICE="1"):
        fresh.model.says('<FACTS entity="Kava"><FACT>It is a root.</FACT></FACTS>', pieces=8, delay=0.5)
        exchange = await fresh.slash("facts", about="Kava")
        await exchange.answer(lambda found: found.content.startswith("The model is writing: "))
        assert "It is a root." in (await exchange.answer(is_final)).content


BLOCKED = "The model's answer was held back by this bot's moderation (hate)."


def shows(exchange_events: list[dict[str, object]]) -> list[object]:
    """How long each text was that was shown."""
    return [event["length"] for event in exchange_events if event["what"] == "edit"]


async def test_with_moderation_nothing_is_shown_before_the_whole_answer_has_passed(fresh: BotHarness) -> None:
    words = "one two three four five six seven eight nine ten "
    fresh.model.moderator.flags = {"slur": ["hate"]}
    async with fresh.bot(MODERATION_MODEL="omni-moderation-latest"):
        fresh.model.says(words + "a slur", pieces=12, delay=0.2)
        blocked = await fresh.slash("translate", text="x", to="Greek", private=False)
        told = await blocked.answer(lambda found: is_sentence(found) and found.ephemeral)
        assert only_a_sentence(told) == BLOCKED
        assert not any("one" in message.content for message in await fresh.wire.messages(fresh.place))
        assert all(length in (0, 1) for length in shows(await blocked.events()))
        fresh.model.says(words + "a star", pieces=12, delay=0.2)
        passed = await fresh.slash("translate", text="x", to="Greek", private=False)
        answer = await passed.answer(is_final)
        assert answer.content.startswith(f"{words}a star\n-# ")
        assert shows(await passed.events()) == [len(answer.content)]
        # A reply in another form is shown as it is, and so it must pass as well.
        fresh.model.says("a slur in no form")
        unparsed = await fresh.answer("sentiment", is_sentence, review="Fine.")
        assert only_a_sentence(unparsed) == BLOCKED


async def test_only_the_one_who_asked_chooses_another_trick(harness: BotHarness) -> None:
    harness.model.once('{"template": "translate", "inputs": {"text": "moon", "to": "Greek"}, "why": "x"}')
    harness.model.says("σελήνη")
    public = await harness.answer("ask", request="Say moon in Greek")
    asked = len(harness.model.requests)
    refused = await (await harness.wire.select(public, "facts", user="friend")).answer(is_sentence)
    assert only_a_sentence(refused).startswith("Only the one who asked can choose another trick")
    assert len(harness.model.requests) == asked


async def test_the_choice_of_another_trick_is_answered_for_the_one_who_asked(harness: BotHarness) -> None:
    harness.model.once('{"template": "translate", "inputs": {"text": "moon", "to": "Greek"}, "why": "x"}')
    harness.model.says("σελήνη")
    answer = await harness.answer("ask", request="Say moon in Greek")
    harness.model.once('{"template": "facts", "inputs": {"about": "moon"}, "why": "y"}')
    harness.model.says('<FACTS entity="Moon"><FACT>It is round.</FACT></FACTS>')

    def facts(found: Message) -> bool:
        return is_final(found) and "It is round." in found.content

    assert "**facts** · y" in (await (await harness.wire.select(answer, "facts")).answer(facts)).content
