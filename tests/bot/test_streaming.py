"""An answer on its way: frames about once a second, the newest text, and a final text whatever Discord does."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from tests.bot.harness import LONG_ANSWER, SLOW_STREAM, BotHarness, is_final, is_sentence
from tests.wire.exchange import Exchange, Message

pytestmark = pytest.mark.asyncio(loop_scope="package")

# Discord's code for a message that is not there.
UNKNOWN_MESSAGE = 10008


def whole(message: Message) -> bool:
    """The whole text, with its footer and buttons."""
    return message.content.startswith(f"{LONG_ANSWER}\n-# ") and is_final(message)


async def begun(harness: BotHarness, *, private: bool = False) -> Exchange:
    """An answer whose first words are to be seen and whose last are still to come."""
    harness.model.says(LONG_ANSWER, **SLOW_STREAM)
    exchange = await harness.slash("translate", text="slowly", to="Greek", private=private)
    first = await exchange.answer(lambda found: found.content.endswith(" ▌"))
    assert LONG_ANSWER.startswith(first.content.removesuffix(" ▌"))
    assert not is_final(first)
    return exchange


async def test_first_words_come_before_the_last_and_edits_keep_a_second_apart(harness: BotHarness) -> None:
    exchange = await begun(harness)
    await exchange.answer(whole)
    events = await exchange.events()
    edits = [event for event in events if event["what"] == "edit"]
    assert events[0]["what"] == "callback"
    assert 3 <= len(edits) <= len(events) - 1
    # The last one is the whole text, which waits for nothing.
    assert all(later["at"] - earlier["at"] >= 1.0 for earlier, later in pairwise(edits[:-1]))
    assert all(later["length"] > earlier["length"] for earlier, later in pairwise(edits))


FAULTS: dict[str, dict[str, Any]] = {
    "told to wait": {"status": 429, "retry_after": 0.7},
    "a fault of Discord's": {"status": 500},
    "a broken connection": {"drop": True},
}


async def test_whatever_becomes_of_an_edit_in_between_the_newest_text_overtakes_it_and_the_last_one_comes(
    harness: BotHarness,
) -> None:
    """Also where a frame is held back and let go later: the texts between are not sent after it."""
    exchanges = await asyncio.gather(*(begun(harness) for _ in FAULTS))
    for exchange, fault in zip(exchanges, FAULTS.values(), strict=True):
        await harness.fault_on(exchange, **fault)
    for exchange in exchanges:
        await exchange.answer(whole)
        lengths = [event["length"] for event in await exchange.events() if event["what"] == "edit"]
        assert lengths == sorted(set(lengths))
    assert [fault["hits"] for fault in await harness.wire.clear_faults()] == [1] * len(FAULTS)


async def test_a_fault_on_the_final_edit_is_outlived(harness: BotHarness) -> None:
    harness.model.says(LONG_ANSWER)
    exchange = await harness.slash("translate", text="at once", to="Greek")
    await harness.fault_on(exchange, status=503)
    assert whole(await exchange.answer(whole))
    assert len([call for call in harness.model.calls if call.body["messages"][-1]["content"] == "at once"]) == 1


async def test_a_connection_that_breaks_under_the_final_edit_is_outlived(harness: BotHarness) -> None:
    harness.model.holds()
    exchange = await harness.slash("translate", text="at once", to="Greek")
    await exchange.state(after=0, timeout=5)
    await harness.fault_on(exchange, drop=True, times=1)
    harness.model.release()
    assert (await exchange.answer(is_final)).content.startswith("All is well.")


async def test_a_connection_that_breaks_under_the_second_of_two_messages_is_outlived(harness: BotHarness) -> None:
    harness.model.says("A lap of the race, and then the next. " * 100)
    exchange = await harness.slash("translate", text="long", to="Greek", private=False)
    await harness.fault_on(exchange, "POST", drop=True)
    await harness.wire.until(is_final, channel=harness.place)
    assert len(await exchange.messages()) == 2


async def test_a_first_response_whose_receipt_is_lost_is_not_taken_for_a_failure(harness: BotHarness) -> None:
    await harness.wire.fault("POST", "/callback", drop=True, after=True)
    assert (await harness.answer("translate", text="x", to="Greek")).content.startswith("All is well.")
    await harness.wire.fault("POST", "/callback", status=500, after=True)
    assert (await harness.answer("translate", text="x", to="Greek")).content.startswith("All is well.")


async def test_a_first_response_whose_receipt_is_lost_leaves_no_spinner_when_the_command_fails(
    harness: BotHarness,
) -> None:
    harness.model.fails(401)
    await harness.wire.fault("POST", "/callback", drop=True, after=True)
    told = await harness.notice("facts", about="Kava")
    assert told.ephemeral
    assert "credentials" in told.content
    assert await harness.wire.messages(harness.place, as_user="friend") == []


async def test_a_public_answer_whose_token_has_run_out_comes_as_a_normal_message(harness: BotHarness) -> None:
    exchange = await begun(harness)
    await harness.wire.expire_tokens()
    message = await harness.wire.until(whole, channel=harness.place, as_user="friend")
    assert message.id != (await exchange.state())["original"]["id"]


async def test_a_private_answer_whose_token_has_run_out_comes_to_the_person_alone(harness: BotHarness) -> None:
    await begun(harness, private=True)
    await harness.wire.expire_tokens()
    assert whole(await harness.wire.until(whole, channel="dm"))
    assert not [found for found in await harness.wire.messages(harness.place, as_user="friend") if whole(found)]


async def test_a_deleted_answer_ends_the_call_of_the_model(harness: BotHarness) -> None:
    exchange = await begun(harness)
    harness.model.says("unused")
    await harness.wire.remove_message(await exchange.answer(is_sentence))
    await asyncio.wait_for(harness.model.calls[0].ended.wait(), 10)
    assert harness.model.calls[0].cancelled
    assert not [
        found for found in await harness.wire.messages(harness.place) if found.author_id == harness.wire.people["bot"]
    ]


async def test_where_the_bot_may_not_write_its_answer_to_a_command_comes_all_the_same(harness: BotHarness) -> None:
    """Responses to interactions need no permission; this holds the bot to using them."""
    await harness.wire.permissions(harness.place, deny=("send_messages", "view_channel"))
    assert (await harness.answer("translate", text="x", to="Greek", private=False)).content.startswith("All is well.")


async def test_where_a_late_answer_may_not_be_written_nothing_breaks(harness: BotHarness) -> None:
    await begun(harness)
    await harness.wire.permissions(harness.place, deny=("send_messages",))
    await harness.wire.expire_tokens()
    refused = await harness.wire.answered("POST", f"/channels/{harness.place}/messages")
    assert refused[-1]["status"] == 403
    harness.model.says("Next.")
    assert (await harness.answer("translate", text="x", to="Greek")).content.startswith("Next.")
