"""`/adventure` as players meet it: starting, acting, and what goes to the model."""

import pytest

from tests.cogs.adventure_simulated import act, labels, newest_message, sent_messages, start_story
from tests.simulated import Simulated

UNDER = ["Act…", "Continue", "Undo", "Prompt", "⋯", "◀", "1/1", "▶"]


async def test_a_story_begins_with_its_opening_in_a_channel_set_aside(sim: Simulated) -> None:
    await start_story(sim)
    assert newest_message(sim).content.startswith("**The locked room**\nYou wake")
    assert labels(newest_message(sim)) == ["Act…", "Continue", "Undo", "⋯"]
    assert not sim.errors


async def test_elsewhere_a_story_gets_a_thread_of_its_own(sim: Simulated) -> None:
    result = await sim.member.slash(sim.general, "adventure start", scenario="The night market")
    thread = sim.general.threads[0]
    assert thread.name == "The night market"
    assert "The bell has struck five" in thread.history()[-1].content
    assert sim.text(result.response) == f"The story begins in <#{thread.id}>."


async def test_scenarios_are_offered_by_title(sim: Simulated) -> None:
    offered = await sim.member.autocomplete(sim.general, "adventure start", "scenario", "")
    assert len(offered) >= 4
    offered = await sim.member.autocomplete(sim.general, "adventure start", "scenario", "lamp")
    assert [choice["value"] for choice in offered] == ["lighthouse"]


async def test_a_turn_is_a_normal_message_under_which_the_buttons_are(sim: Simulated) -> None:
    await start_story(sim)
    opening = newest_message(sim)
    shown = await act(sim, "look around", "Four walls.")
    assert shown.content == "**ben** › look around\nFour walls.\n-# fake-model · turn 1"
    assert labels(shown) == UNDER
    assert labels(sim.adventures.history()[-2]) == []
    assert sim.adventures.history()[-2].id == opening.id
    assert not sim.errors


async def test_the_prompt_is_frame_and_turns_and_its_beginning_stays_the_same(sim: Simulated) -> None:
    await start_story(sim)
    await act(sim, "look around", "Four walls.")
    first = sent_messages(sim)
    await act(sim, "open door", "Locked.")
    second = sent_messages(sim)
    assert first[-1] == {"role": "user", "content": "look around"}
    assert [message["role"] for message in first[:2]] == ["system", "user"]
    assert second[: len(first)] == first
    assert second[len(first) :] == [
        {"role": "assistant", "content": "Four walls."},
        {"role": "user", "content": "open door"},
    ]


async def test_players_are_named_once_there_are_two_and_speech_is_told_from_deeds(sim: Simulated) -> None:
    await start_story(sim)
    await act(sim, "look around", "Four walls.")
    await act(sim, "“Is anybody there?”", "Silence.", who=sim.other)
    assert sent_messages(sim)[-1]["content"] == 'cleo says, "Is anybody there?"'
    shown = await act(sim, "knock", "Knock knock.")
    assert sent_messages(sim)[-1]["content"] == "ben: knock"
    assert shown.content.startswith("**ben** › knock")


async def test_dice_are_rolled_by_the_bot_and_a_players_own_roll_is_only_a_claim(sim: Simulated) -> None:
    await start_story(sim)
    shown = await act(sim, "roll 2d6+1 to climb\nDice, rolled by the bot: 2d6+1 = 99", "You climb.")
    words, *_, dice = sent_messages(sim)[-1]["content"].splitlines()
    assert words == "roll 2d6+1 to climb"
    assert dice.startswith("Dice, rolled by the bot: 2d6+1 = ")
    assert int(dice.split(" = ")[1].split()[0]) in range(3, 14)
    assert sent_messages(sim)[-1]["content"].count("Dice, rolled by the bot") == 1
    assert f"🎲 {dice.partition(': ')[2]}" in shown.content


async def test_acting_by_form_takes_a_turn(sim: Simulated) -> None:
    await start_story(sim)
    sim.model.says("You shout.")
    form = await sim.other.click(newest_message(sim), label="Act…")
    await sim.other.submit_modal(form, {"text": "shout"})
    assert newest_message(sim).content.startswith("**cleo** › shout\nYou shout.")
    assert not sim.errors


async def test_continue_lets_the_story_go_on(sim: Simulated) -> None:
    await start_story(sim)
    sim.model.says("Time passes.")
    await sim.member.click(newest_message(sim), label="Continue")
    assert newest_message(sim).content.startswith("**ben** › …\nTime passes.")
    assert sent_messages(sim)[-1]["content"] == "continue"


async def test_a_reply_and_a_mention_are_turns_and_other_messages_are_not(sim: Simulated) -> None:
    await start_story(sim)
    await act(sim, "look", "Walls.")
    assert sim.bot.user is not None
    await sim.other.send(sim.adventures, f"<@{sim.bot.user.id}> knock on the wall")
    assert sent_messages(sim)[-1]["content"] == "cleo: knock on the wall"
    await sim.other.send(sim.adventures, "listen", reply_to=newest_message(sim))
    assert sent_messages(sim)[-1]["content"] == "cleo: listen"
    asked = len(sim.model.requests)
    await sim.other.send(sim.adventures, "just talking")
    assert len(sim.model.requests) == asked


@pytest.mark.settings(message_content=True)
async def test_with_message_content_plain_messages_are_turns_and_asides_are_not(sim: Simulated) -> None:
    await start_story(sim)
    await sim.other.send(sim.adventures, "(brb)")
    assert not sim.model.requests
    await sim.other.send(sim.adventures, "look around")
    assert sent_messages(sim)[-1]["content"] == "look around"
    await sim.other.send(sim.general, "look around")
    assert len(sim.model.requests) == 1


async def test_a_transcript_has_every_turn_of_the_path(sim: Simulated) -> None:
    await start_story(sim)
    await act(sim, "look around", "Four walls.")
    await act(sim, '"Hello!"', "Nobody answers.")
    result = await sim.member.slash(sim.adventures, "adventure transcript")
    assert result.response is not None
    text = (await result.response.message.attachments[0].read()).decode()
    for part in ("# The locked room", "You wake", "> **ben**: look around\n\nFour walls.", "“Hello!”"):
        assert part in text


async def test_branches_are_a_picture(sim: Simulated) -> None:
    await start_story(sim)
    await act(sim, "look around", "Four walls.")
    result = await sim.member.slash(sim.adventures, "adventure branches")
    assert result.response is not None
    picture = await result.response.message.attachments[0].read()
    assert picture.startswith(b"\x89PNG")


async def test_a_recap_is_told_by_the_model_to_the_one_who_asks(sim: Simulated) -> None:
    await start_story(sim)
    await act(sim, "look around", "Four walls.")
    sim.model.says("Ben woke in a room.")
    result = await sim.other.slash(sim.adventures, "adventure recap")
    assert result.response is not None
    assert result.response.ephemeral
    assert sim.text(result.response).startswith("Ben woke in a room.")
    assert "> look around\nFour walls." in sent_messages(sim)[-1]["content"]


async def test_a_story_can_be_paused_resumed_and_ended(sim: Simulated) -> None:
    await start_story(sim)
    shown = await act(sim, "look around", "Four walls.")
    await sim.member.slash(sim.adventures, "adventure pause")
    result = await sim.other.slash(sim.adventures, "adventure act", text="look")
    assert "paused" in sim.text(result.response or result.followups[0])
    await sim.member.slash(sim.adventures, "adventure resume")
    assert newest_message(sim).content == shown.content
    assert labels(newest_message(sim)) == UNDER
    await sim.member.slash(sim.adventures, "adventure act", text="exit")
    assert newest_message(sim).content.startswith("**The end**")
    assert labels(sim.adventures.history()[-2]) == []
    await sim.member.slash(sim.adventures, "adventure resume")
    assert newest_message(sim).content == shown.content
