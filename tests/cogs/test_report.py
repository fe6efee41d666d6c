"""Report: what a member finds wrong reaches the channel that the moderators have chosen, or they are told why not."""

import discord
import pytest
import simcord
from simcord.actors import MessageLike

from bot.ui.actions import ActionButton
from bot.ui.views import View
from tests.simulated import Person, Simulated, texts_of


async def answer(sim: Simulated, *, private: bool = False) -> simcord.ResponseMessage:
    sim.model.says("Something rude.")
    result = await sim.member.slash(sim.general, "translate", text="Hallo", private=private)
    assert result.response is not None
    return result.response


async def pressed(sim: Simulated, who: Person, message: MessageLike) -> simcord.InteractionResult:
    more = await who.click(message, label="⋯")
    assert more.response is not None
    return await who.click(more.response, label="Report")


async def report(sim: Simulated, who: Person, message: MessageLike, why: str) -> str:
    """Report it; what the reporter is told."""
    opened = await pressed(sim, who, message)
    sent = await who.submit_modal(opened, {"why": why})
    return sim.text(sent.response)


def reports(sim: Simulated) -> list[str]:
    """What the moderators read."""
    return ["\n".join(texts_of([part.to_dict() for part in one.components])) for one in sim.adventures.history()]


@pytest.fixture
async def chosen(sim: Simulated) -> Simulated:
    """A server whose moderators take reports in #adventures."""
    await sim.admin.slash(sim.general, "settings channels", reports=sim.adventures)
    return sim


async def test_a_report_says_who_reports_what_where_and_why(chosen: Simulated) -> None:
    sim, message = chosen, await answer(chosen)
    assert "Thank you" in await report(sim, sim.other, message, "It is *rude* to @everyone")
    (text,) = reports(sim)
    assert f"<@{sim.other.id}>" in text
    assert f"**Where** in <#{sim.general.id}> · [the answer](https://discord.com/channels/" in text
    assert f"/{sim.general.id}/{message.message.id})" in text
    assert "It is \\*rude\\*" in text
    assert "> Something rude." in text
    assert f"**Asked by** <@{sim.member.id}>" in text
    assert not sim.errors


async def test_a_private_answer_can_be_reported_by_the_one_who_sees_it(chosen: Simulated) -> None:
    sim = chosen
    await report(sim, sim.member, await answer(sim, private=True), "")
    (text,) = reports(sim)
    assert "Something rude." in text
    assert f"in <#{sim.general.id}>" in text
    assert "Why" not in text


async def test_a_report_quotes_the_answer_as_it_was_shown(chosen: Simulated) -> None:
    sim = chosen
    sim.model.says('<FACTS entity="Mars"><FACT>It is red.</FACT><FACT>It is cold.</FACT></FACTS>')
    result = await sim.member.slash(sim.general, "facts", about="Mars")
    assert result.response is not None
    await report(sim, sim.other, result.response, "")
    assert "> **Mars**\n> - It is red.\n> - It is cold." in reports(sim)[-1]


async def test_an_answer_is_reported_once_by_each(chosen: Simulated) -> None:
    sim, message = chosen, await answer(chosen)
    await report(sim, sim.other, message, "rude")
    again = await pressed(sim, sim.other, message)
    assert "You have reported this answer already" in sim.text(again.response)
    await report(sim, sim.admin, message, "rude indeed")
    assert len(reports(sim)) == 2


async def test_where_no_channel_is_chosen_the_reporter_is_told_who_can_choose_one(sim: Simulated) -> None:
    told = await pressed(sim, sim.other, await answer(sim))
    assert "No channel takes reports here yet" in sim.text(told.response)


async def test_where_the_channel_is_gone_the_reporter_is_told_so(chosen: Simulated) -> None:
    sim, message = chosen, await answer(chosen)
    opened = await pressed(sim, sim.other, message)
    channel = sim.bot.get_channel(sim.adventures.id)
    assert isinstance(channel, discord.TextChannel)
    await channel.delete()
    sent = await sim.other.submit_modal(opened, {"why": "rude"})
    assert "The channel for reports was deleted" in sim.text(sent.followups[0] if sent.followups else sent.response)


async def test_the_more_of_ones_own_answer_holds_both(sim: Simulated) -> None:
    message = await answer(sim)
    own = await sim.member.click(message, label="⋯")
    assert sim.buttons(own.response) == ["Not like that…", "Report"]
    others = await sim.other.click(message, label="⋯")
    assert sim.buttons(others.response) == ["Report"]


async def test_a_turn_of_an_adventure_can_be_reported(chosen: Simulated) -> None:
    sim = chosen
    sim.model.says("You fall into a pit of rude words.")
    await sim.admin.slash(sim.adventures, "settings channels", adventure=sim.general)
    await sim.member.slash(sim.general, "adventure start", scenario="room")
    await sim.member.slash(sim.general, "adventure act", text="look around")
    turn = sim.general.history()[-1]
    await report(sim, sim.other, turn, "rude")
    (text,) = reports(sim)
    assert f"/{sim.general.id}/{turn.id}" in text
    assert "> You fall into a pit of rude words." in text


async def test_one_person_can_report_five_answers_in_an_hour(chosen: Simulated) -> None:
    sim = chosen
    for _ in range(5):
        assert "Thank you" in await report(sim, sim.other, await answer(sim), "rude")
    message = await answer(sim)
    refused = await pressed(sim, sim.other, message)
    assert "You have sent 5 reports within an hour" in sim.text(refused.response)
    assert "Thank you" in await report(sim, sim.admin, message, "rude")
    assert len(reports(sim)) == 6


@pytest.mark.parametrize(
    "argument", ["", "x", "1", ":", "1:", "-1:abc", "99999999999999999999:abc", "1:" + "a" * 60, "1:ä"]
)
async def test_a_forged_custom_id_of_a_report_gets_a_sentence_and_no_fault_number(
    chosen: Simulated, argument: str
) -> None:
    sim = chosen
    channel = sim.bot.get_channel(sim.general.id)
    assert isinstance(channel, discord.TextChannel)
    await channel.send("x", view=View(ActionButton("report", argument, label="R")))
    result = await sim.other.click(sim.general.history()[-1], label="R")
    assert "from an older version" in sim.text(result.response)
    assert not reports(sim)
