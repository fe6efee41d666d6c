"""`/compare blind:true`: the channel votes before it sees which answer is whose."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import discord
import pytest
import simcord

from bot.core.caller import Caller
from bot.core.errors import NotFoundError
from bot.server.arena import MAX_VOTES
from bot.storage import arenas
from tests.cogs.operating import TIMEOUT, shown
from tests.cogs.operating import card as revealed_card
from tests.simulated import Simulated

REVIEW = "The lamp flickers, but the seller sent a new one within a day."


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for votes whose time is over without ten seconds in between."""
    monkeypatch.setattr("cogs.compare.arena.MIN_INTERVAL", 0.1)
    monkeypatch.setattr("cogs.compare.arena.MAX_INTERVAL", 0.1)


async def compared(sim: Simulated) -> simcord.ResponseMessage:
    """A blind comparison of three answers: with no, one and all examples."""

    def rate(body: dict[str, Any]) -> str:
        examples = sum(message["role"] == "assistant" for message in body["messages"])
        return f"{examples + 1}: because"

    sim.model.says(rate)
    result = await sim.member.slash(sim.general, "compare", trick="sentiment", text=REVIEW, blind=True)
    assert result.response is not None
    return result.response


def letter_of(text: str, stars: int) -> str:
    """The letter of the answer with that many stars."""
    before = text.split(f"**{stars}/5**")[0]
    return before.rsplit("**", 3)[-2]


async def test_the_channel_votes_blindly_and_the_names_are_revealed_with_the_counts(sim: Simulated) -> None:
    card = await compared(sim)
    text = sim.text(card)
    assert not card.ephemeral
    assert "example" not in text
    assert "tokens" not in text
    assert sim.buttons(card) == ["A", "B", "C", "Reveal"]
    best, other = letter_of(text, 4), letter_of(text, 1)
    await sim.member.click(card, label=other)
    changed = await sim.member.click(card, label=best)
    assert f"Your vote for **{best}** is counted." in sim.text(changed.response)
    assert changed.response is not None
    assert changed.response.ephemeral
    await sim.other.click(card, label=best)
    refused = await sim.other.click(card, label="Reveal")
    assert "Only the one who asked and moderators can end the vote." in sim.text(refused.response)
    sim.guild.remove_member(sim.other)  # Who leaves has voted.
    revealed = await sim.member.click(card, label="Reveal")
    text = sim.text(revealed.response)
    assert f"🏆 **{best}** · all 3 examples · few-shot · 2 votes" in text
    assert text.count(" · 0 votes") == 2
    assert "fake-model" in text
    assert sim.buttons(revealed.response)[0] == f"Prompt {best}"
    prompt = await sim.member.click(revealed.response, label=f"Prompt {best}")
    assert "few-shot" in sim.text(prompt.response)
    assert not sim.errors


async def test_two_hundred_votes_at_once_are_counted_once_each(sim: Simulated) -> None:
    await compared(sim)
    service = sim.services.arenas
    ((arena_id, guild, channel),) = [(row.id, row.guild_id, row.channel_id) for row in await _stored(sim)]

    def voter(user: int) -> Caller:
        return Caller(user, guild, channel)

    await asyncio.gather(*(service.vote(arena_id, voter(user), 0) for user in range(1, 201)))
    await asyncio.gather(*(service.vote(arena_id, voter(user), user % 3) for user in range(1, 201)))
    closed = await service.close(arena_id)
    assert closed.votes is not None
    assert sum(closed.votes) == 200 < MAX_VOTES
    assert closed.votes == (66, 67, 67)
    # Who voted is not stored any more, and a late vote is refused.
    with pytest.raises(NotFoundError, match="This vote is over"):
        await service.vote(arena_id, voter(7), 0)
    assert (await service.close(arena_id)).votes == closed.votes


async def test_a_vote_whose_time_ended_while_the_bot_was_down_is_revealed(sim: Simulated) -> None:
    card = await compared(sim)
    await sim.other.click(card, label="B")
    (row,) = await _stored(sim)
    await arenas.close(sim.services.database, row.id)
    assert "**B**" in shown(await revealed_card(sim, "sentiment, revealed"))


async def test_a_vote_is_revealed_when_its_time_is_over(sim: Simulated, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search waits for the vote that ends next, and not for a minute."""
    monkeypatch.setattr("bot.server.arena.OPEN_SECONDS", 0.5)
    await compared(sim)
    monkeypatch.setattr("cogs.compare.arena.MAX_INTERVAL", 3_600.0)
    assert "fake-model" in shown(await revealed_card(sim, "sentiment, revealed"))


async def test_a_card_that_cannot_be_edited_holds_up_no_other_vote(
    sim: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is gone, and Discord fails at another, which is revealed as soon as it can be."""
    gone, stuck, free = [await compared(sim) for _ in range(3)]
    edit = discord.PartialMessage.edit

    async def failing(message: discord.PartialMessage, **fields: Any) -> discord.Message:
        if message.id == stuck.id:
            raise discord.DiscordServerError(cast(Any, SimpleNamespace(status=503, reason="down")), "down")
        return await edit(message, **fields)

    with monkeypatch.context() as patched:
        patched.setattr(discord.PartialMessage, "edit", failing)
        await sim.admin.delete(gone)
        for row in await _stored(sim):
            await arenas.close(sim.services.database, row.id)
        assert (await revealed_card(sim, "sentiment, revealed")).id == free.id
        assert [row.message_id for row in await _stored(sim)] == [stuck.id]
    async with asyncio.timeout(TIMEOUT):
        while True:
            if not await _stored(sim):
                break
            await asyncio.sleep(0.05)
    assert "sentiment, revealed" in sim.text(stuck)
    assert not sim.errors


async def test_nobody_votes_or_ends_the_vote_from_another_channel_or_server(sim: Simulated) -> None:
    """A moderator of another server can forge the button of a card."""
    await compared(sim)
    ((arena, guild, channel),) = [(row.id, row.guild_id, row.channel_id) for row in await _stored(sim)]
    for guild_id, channel_id in ((guild + 1, channel), (guild, channel + 1), (None, channel)):
        stranger = Caller(7, guild_id, channel_id, is_moderator=True)
        with pytest.raises(NotFoundError):
            await sim.services.arenas.vote(arena, stranger, 0)
        with pytest.raises(NotFoundError):
            await sim.services.arenas.close(arena, stranger)
    assert len(await _stored(sim)) == 1


async def _stored(sim: Simulated) -> list[arenas.ArenaRow]:
    """All comparisons of the database."""
    from sqlalchemy import select

    from bot.storage.tables import ARENAS

    async with sim.services.database.read() as connection:
        ids = list((await connection.execute(select(ARENAS.c.id))).scalars())
    return [row for each in ids if (row := await arenas.find(sim.services.database, each)) is not None]
