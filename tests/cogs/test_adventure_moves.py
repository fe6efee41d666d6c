"""Undo, retry, the arrows, branches and notes, and who may use them, as players see it."""

from collections.abc import Mapping
from typing import Any

import simcord

from bot.ui.actions import ActionButton
from bot.ui.views import View
from tests.cogs.adventure_simulated import act, answer_text, labels, newest_message, sent_messages, start_story
from tests.cogs.test_adventure import UNDER
from tests.simulated import Person, Simulated, parts_of

MOVED_ON = "The story has gone on since."


async def more(sim: Simulated, who: Person) -> simcord.InteractionResult:
    return await who.click(newest_message(sim), label="⋯")


def menus(card: simcord.InteractionResult) -> list[Mapping[str, Any]]:
    """The menus of a card."""
    assert card.response is not None
    return [part for part in parts_of(card.response.components) if part.get("type") == 3]


async def test_undo_takes_the_players_own_newest_turn_back(sim: Simulated) -> None:
    await start_story(sim)
    await act(sim, "look around", "Four walls.")
    second = await act(sim, "eat the door", "You bite.")
    await sim.member.click(second, label="Undo")
    taken = sim.adventures.history()[-2]
    assert taken.content == "**ben** › eat the door\n-# ↩ taken back by ben"
    assert labels(taken) == []
    assert newest_message(sim).content.startswith("**ben** › look around\nFour walls.")
    assert labels(newest_message(sim)) == UNDER
    await act(sim, "open door", "Locked.")
    assert "You bite." not in str(sent_messages(sim))
    assert not sim.errors


async def test_undo_goes_back_to_the_opening_and_no_further(sim: Simulated) -> None:
    await start_story(sim)
    await sim.member.click(await act(sim, "look around", "Four walls."), label="Undo")
    assert "You wake on a stone floor" in newest_message(sim).content
    assert labels(newest_message(sim)) == ["Act…", "Continue", "Undo", "⋯"]


async def test_the_last_arrow_tells_the_turn_again_and_the_others_walk(sim: Simulated) -> None:
    await start_story(sim)
    shown = await act(sim, "look around", "Four walls.")
    sim.model.says("Five walls.")
    await sim.member.click(shown, label="▶")
    assert newest_message(sim).id == shown.id
    assert "Five walls." in newest_message(sim).content
    assert labels(newest_message(sim))[-3:] == ["◀", "2/2", "▶"]
    await sim.member.click(newest_message(sim), label="◀")
    assert "Four walls." in newest_message(sim).content
    assert labels(newest_message(sim))[-3:] == ["◀", "1/2", "▶"]
    await sim.member.click(newest_message(sim), label="▶")
    assert "Five walls." in newest_message(sim).content
    await act(sim, "count them", "Five.")
    assert "Five walls." in str(sent_messages(sim))
    assert "Four walls." not in str(sent_messages(sim))
    assert not sim.errors


async def test_a_move_on_somebody_elses_turn_takes_votes(sim: Simulated) -> None:
    await start_story(sim)
    await act(sim, "look around", "Four walls.")
    await act(sim, "wait", "Nothing.", who=sim.other)
    shown = await act(sim, "eat the door", "You bite.", who=sim.admin)
    voted = await sim.other.click(shown, label="Undo")
    assert "cleo votes to undo the turn: 1 of 2" in answer_text(sim, voted)
    again = await sim.other.click(shown, label="Undo")
    assert "1 of 2" in answer_text(sim, again)
    await sim.member.click(shown, label="Undo")
    assert newest_message(sim).content.startswith("**cleo** › wait")


async def test_a_stranger_may_act_but_not_move(sim: Simulated) -> None:
    await start_story(sim)
    shown = await act(sim, "look around", "Four walls.")
    assert "say something in it first" in answer_text(sim, await sim.other.click(shown, label="Undo"))
    assert "say something in it first" in answer_text(sim, await sim.other.click(shown, label="▶"))
    assert len(sim.model.requests) == 1


async def test_a_button_of_a_turn_long_past_says_that_the_story_has_gone_on(sim: Simulated) -> None:
    await start_story(sim)
    await act(sim, "look around", "Four walls.")
    channel = sim.adventures.id
    story = await sim.services.adventures.active_in(channel)
    assert story is not None
    await act(sim, "open door", "Locked.")
    # The buttons under old turns go; a client that still shows one presses it all the same.
    past = await sim.bot.get_partial_messageable(channel).send(
        "old", view=View(ActionButton("turn", f"{story.id}:1:undo", label="Undo"),
                         ActionButton("turn", f"{story.id}:1:act", label="Act…"),
                         ActionButton("turn", f"{story.id}:1:continue", label="Continue"),
                         ActionButton("turn", f"{story.id}:1:forward", label="▶"))
    )  # fmt: skip
    for label in labels(past):
        assert MOVED_ON in answer_text(sim, await sim.member.click(past, label=label))
    assert len(sim.model.requests) == 2


async def test_a_branch_is_named_and_switched_to(sim: Simulated) -> None:
    await start_story(sim)
    await act(sim, "look around", "Four walls.")
    card = await more(sim, sim.member)
    form = await sim.member.click(card.response, label="Branch here…")
    named = await sim.member.submit_modal(form, {"text": "before the door"})
    assert "before the door" in answer_text(sim, named)
    await act(sim, "kick the door", "Ouch.")
    await act(sim, "cry", "Tears.")
    card = await more(sim, sim.member)
    assert "Turn 3 · players: ben" in sim.text(card.response)
    menu = next(part for part in menus(card) if part["custom_id"].startswith("pick:story-switch"))
    choice = next(option for option in menu["options"] if option["label"] == "before the door")
    await sim.member.select(card.response, [choice["value"]], custom_id=menu["custom_id"])
    assert newest_message(sim).content.startswith("**ben** › look around\nFour walls.")
    await act(sim, "knock", "Knock.")
    assert "Ouch." not in str(sent_messages(sim))
    card = await more(sim, sim.member)
    menu = next(part for part in menus(card) if part["custom_id"].startswith("pick:story-switch"))
    assert [option["label"] for option in menu["options"]] == ["before the door", "turn 3"]


async def test_a_pinned_note_is_in_every_prompt_until_it_is_unpinned(sim: Simulated) -> None:
    await start_story(sim)
    await act(sim, "look around", "Four walls.")
    card = await more(sim, sim.member)
    form = await sim.member.click(card.response, label="Pin a note…")
    await sim.member.submit_modal(form, {"text": "Ben is afraid of doors."})
    await act(sim, "wait", "Nothing.")
    note = next(one for one in sent_messages(sim) if "Ben is afraid of doors." in one["content"])
    assert note["role"] == "user"
    card = await more(sim, sim.member)
    menu = next(part for part in menus(card) if part["custom_id"].startswith("pick:story-unpin"))
    await sim.member.select(card.response, [menu["options"][0]["value"]], custom_id=menu["custom_id"])
    await act(sim, "wait", "Nothing.")
    assert "afraid" not in str(sent_messages(sim))
    assert not sim.errors


async def test_dice_are_a_form_with_a_roll_in_it(sim: Simulated) -> None:
    await start_story(sim)
    card = await more(sim, sim.member)
    form = await sim.member.click(card.response, label="Roll dice…")
    await sim.member.submit_modal(form, {"text": "roll 1d20 to jump"})
    assert "🎲 1d20 = " in newest_message(sim).content


async def test_those_who_lead_lock_a_story_and_take_players_out(sim: Simulated) -> None:
    await start_story(sim)
    await act(sim, "hello", "Hi.", who=sim.other)
    card = await more(sim, sim.other)
    assert "Lock" not in sim.buttons(card.response)
    card = await more(sim, sim.admin)
    await sim.admin.click(card.response, label="Lock")
    refused = await sim.other.slash(sim.adventures, "adventure act", text="look")
    assert "locked" in answer_text(sim, refused)
    await act(sim, "look", "Walls.")
    card = await more(sim, sim.admin)
    await sim.admin.click(card.response, label="Unlock")
    menu = next(part for part in menus(card) if part["custom_id"].startswith("pick:story-remove"))
    await sim.admin.select(card.response, [f"{sim.other.id}:out"], custom_id=menu["custom_id"])
    refused = await sim.other.slash(sim.adventures, "adventure act", text="look")
    assert "removed you from this story" in answer_text(sim, refused)
    refused = await sim.other.slash(sim.adventures, "adventure end")
    assert "Only the one who started" in answer_text(sim, refused)
