"""Follow-ups under answers, and conversations by mentions, direct messages and replies."""

from typing import Any

import pytest
import simcord
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.errors import StorageError
from bot.llm.completion import Answer
from bot.storage.errors import AWAY
from bot.storage.tables import CALLS
from tests.simulated import Simulated

pytestmark = pytest.mark.asyncio

NOT_STORED = "The prompt of this answer is no longer stored, so I cannot follow up on it; ask again."


async def follow(
    sim: Simulated, message: simcord.ResponseMessage | None, text: str, *, who: Any = None
) -> simcord.ResponseMessage:
    """Follow up on an answer in the window; the new answer."""
    assert message is not None
    opened = await (who or sim.member).click(message, label="Follow up…")
    assert opened.modal is not None, sim.said(opened)
    answer = (await (who or sim.member).submit_modal(opened, {"text": text})).response
    assert answer is not None
    return answer


async def charged(connection: AsyncConnection) -> dict[int, int]:
    """The number of settled calls by person."""
    query = select(CALLS.c.user_id, func.count()).group_by(CALLS.c.user_id)
    return {user: int(count) for user, count in await connection.execute(query)}


def said(sim: Simulated) -> list[str]:
    """The newest request's messages, after those of its template."""
    return [message["content"] for message in sim.model.requests[-1]["messages"]]


async def test_a_follow_up_gets_the_whole_exchange_and_answers_in_words(sim: Simulated) -> None:
    """Its prompt card has the whole chain, and runs it with other numbers of examples."""
    sim.model.says("3: It works.", "It is neither good nor bad.", "Neither.", "Neither, without examples.")
    rated = await sim.member.slash(sim.general, "sentiment", review="It works.", private=False)
    why = await follow(sim, rated.response, "Why 3 stars?")
    assert why.content.startswith(
        "> Why 3 stars?\n\nIt is neither good nor bad.\n-# fake-model · few-shot · follow-up 1"
    )
    assert sim.buttons(why) == ["Prompt", "Again", "Follow up…", "⋯"]
    shorter = await follow(sim, why, "Shorter!")
    chain = ["It works.", "3: It works.", "Why 3 stars?", "It is neither good nor bad.", "Shorter!"]
    assert said(sim)[-4:] == chain[1:]
    assert {"stop", "response_format"}.isdisjoint(sim.model.requests[-1])
    card = (await sim.member.click(shorter, label="Prompt")).response
    assert all(text in sim.text(card) for text in chain)
    assert sim.buttons(card) == ["0", "1", "3", "All"]
    assert card is not None
    await sim.member.click(card, label="0")
    assert "Neither, without examples." in sim.text(card)
    assert len(said(sim)) == 6
    assert said(sim)[-4:] == chain[1:]


async def test_people_talk_to_the_bot_and_branch_where_they_reply(sim: Simulated) -> None:
    """By a mention, without a template; then by replies, each of which has the chain above it as its memory."""
    me = sim.bot.user
    assert me is not None
    sim.model.says("A star.", "Very hot.", "Very old.", "Red.")
    await sim.member.send(sim.general, f"<@{me.id}> What is the Sun?")
    first = sim.general.history()[-1]
    assert first.content.startswith("A star.\n-# fake-model · zero-shot")
    assert said(sim) == ["What is the Sun?"]
    await sim.member.send(sim.general, "How hot?", reply_to=first)
    hot = sim.general.history()[-1]
    assert hot.content.startswith("Very hot.\n-# fake-model · zero-shot · follow-up 1")
    await sim.other.send(sim.general, "How old?", reply_to=first)
    assert said(sim) == ["What is the Sun?", "A star.", "How old?"]
    await sim.member.send(sim.general, "And its colour?", reply_to=hot)
    assert said(sim) == ["What is the Sun?", "A star.", "How hot?", "Very hot.", "And its colour?"]
    assert len(sim.model.requests) == 4
    used = await sim.services.database.transact(charged)
    assert used == {sim.member.id: 3, sim.other.id: 1}
    for ignored in ("How odd!", f"<@{me.id}>"):
        await sim.member.send(sim.general, ignored)
    await sim.member.send(sim.general, "Not for you", reply_to=sim.general.history()[0])
    assert len(sim.model.requests) == 4


async def test_direct_messages_are_a_conversation(sim: Simulated) -> None:
    sim.model.says("Hello Ben.", "Still Ben.")
    await sim.member.send_dm("I am Ben.")
    first = sim.member.user.dm_channel.history()[-1]
    assert first.content.startswith("Hello Ben.\n")
    assert said(sim) == ["I am Ben."]


async def test_what_cannot_be_continued_says_why(sim: Simulated) -> None:
    me = sim.bot.user
    assert me is not None
    sim.model.says("Bonjour")
    answer = (await sim.member.slash(sim.general, "translate", text="Hi", to="French", private=False)).response
    assert answer is not None
    window = await sim.other.click(answer, label="Follow up…")
    assert "There is nothing" in sim.said(await sim.other.submit_modal(window, {"text": "  "}))
    await sim.admin.slash(sim.general, "settings privacy", menus=False)
    forbidden = "This server does not let me send other people's messages to a model"
    assert forbidden in sim.said(await sim.other.click(answer, label="Follow up…"))
    for options in ({"conversations": False}, {"conversations": True, "quiet": sim.general}):
        for name, value in options.items():
            command = "settings channels" if name == "quiet" else "settings privacy"
            assert "**Conversations**" in sim.said(await sim.admin.slash(sim.general, command, **{name: value}))
        assert "has no follow-ups here" in sim.said(await sim.member.click(answer, label="Follow up…"))
        await sim.member.send(sim.general, f"<@{me.id}> Hi")
    await sim.admin.slash(sim.general, "settings channels", remove=sim.general)
    window = await sim.member.click(answer, label="Follow up…")
    sim.services.prompts._cached.clear()
    await sim.services.prompts.forget_message(answer.id)
    assert sim.said(await sim.member.submit_modal(window, {"text": "Why?"})) == NOT_STORED
    await sim.member.send(sim.general, f"<@{me.id}> Why?", reply_to=answer)
    assert sim.general.history()[-1].content == NOT_STORED
    assert len(sim.model.requests) == 1


async def test_a_window_that_cannot_be_answered_gives_back_what_was_typed(sim: Simulated) -> None:
    answer = (await sim.member.slash(sim.general, "translate", text="Hi", to="French", private=False)).response
    text = "Say it once more, in three sentences, and for a child of six."
    sim.model.fails(401)
    assert answer is not None
    window = await sim.member.click(answer, label="Follow up…")
    failed = sim.said(await sim.member.submit_modal(window, {"text": text}))
    assert "credentials" in failed
    assert failed.endswith(f"This is what you typed:\n```\n{text}\n```")
    window = await sim.member.click(answer, label="Follow up…")
    await sim.services.prompts.forget_message(answer.id)
    long = f"{text} " * 60
    told = await sim.member.submit_modal(window, {"text": long})
    assert sim.said(told) == f"{NOT_STORED} The file has what you typed."
    shown = told.response
    assert shown is not None
    assert (await shown.message.attachments[0].read()).decode() == long


async def test_who_writes_to_the_bot_is_told_that_its_database_is_away(
    sim: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By one sentence, whether the message would be a turn of a story or an answer. What is not for the bot is not."""
    me = sim.bot.user
    assert me is not None
    await sim.admin.slash(sim.general, "settings channels", adventure=sim.adventures)
    await sim.member.slash(sim.adventures, "adventure start", scenario="room")
    turn = sim.adventures.history()[-1]
    await sim.member.send(sim.general, f"<@{me.id}> Hi")
    answer = sim.general.history()[-1]

    async def away(*_: object) -> None:
        raise StorageError(AWAY)

    for name in ("active_in", "story_of_message"):
        monkeypatch.setattr(sim.services.adventures, name, away)
    for place, text, replied in (
        (sim.general, f"<@{me.id}> Hi", None),
        (sim.general, "Why?", answer),
        (sim.adventures, "look", turn),
        (sim.adventures, f"<@{me.id}> look", turn),
    ):
        before = len(place.history())
        await sim.member.send(place, text, reply_to=replied)
        assert [message.content for message in place.history()[before + 1 :]] == [AWAY]
    before = len(sim.general.history())
    await sim.member.send(sim.general, "Not for you.")
    await sim.member.send_dm("Hello?")
    assert len(sim.general.history()) == before + 1
    assert [message.content for message in sim.member.user.dm_channel.history()][1:] == [AWAY]
    assert not sim.errors


async def test_what_fails_after_an_answer_is_shown_does_not_take_it_away(
    sim: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim.model.says("Bonjour", "Salut")
    answer = (await sim.member.slash(sim.general, "translate", text="Hi", to="French")).response
    persist = sim.services.prompts.persist

    async def away(stored: Answer, *, new: bool = True, soon: bool = False) -> None:
        if not new:
            raise StorageError(AWAY)
        await persist(stored, new=new, soon=soon)

    monkeypatch.setattr(sim.services.prompts, "persist", away)
    window = await sim.member.click(answer, label="Follow up…")
    continued = await sim.member.submit_modal(window, {"text": "Shorter"})
    assert "Salut" in sim.text(continued.response)
    assert [sim.text(one) for one in continued.followups] == [AWAY]


async def test_an_adventure_has_its_channel_for_itself(sim: Simulated) -> None:
    me = sim.bot.user
    assert me is not None
    await sim.admin.slash(sim.general, "settings channels", adventure=sim.adventures)
    await sim.member.slash(sim.adventures, "adventure start", scenario="room")
    sim.model.says("You look.")
    await sim.member.send(sim.adventures, f"<@{me.id}> look")
    assert len(sim.model.requests) == 1
    assert "You look." in sim.adventures.history()[-1].content
    await sim.member.slash(sim.adventures, "adventure end")
    await sim.member.send(sim.adventures, "look again", reply_to=sim.adventures.history()[-2])
    assert len(sim.model.requests) == 1
