"""A story is told in the language of the place, however a turn came; its players hear of their own in theirs."""

import gettext

import pytest

from bot.core import i18n as speech
from tests.cogs.adventure_simulated import act, answer_text, labels, newest_message, start_story
from tests.simulated import Simulated

# What the double's people have with Discord is English; the server speaks German.
PLACE = "de"


class Marked(gettext.NullTranslations):
    """A catalogue that tells whether it was asked: every sentence stands in brackets."""

    def gettext(self, message: str) -> str:
        """The sentence in brackets."""
        return f"[{message}]"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        """The same for so many."""
        return self.gettext(msgid1 if n == 1 else msgid2)


@pytest.fixture(autouse=True)
async def german(sim: Simulated, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's language, marked in what is said."""
    monkeypatch.setattr(
        speech, "_catalogue", lambda language: Marked() if language == PLACE else gettext.NullTranslations()
    )
    await sim.services.guilds.change(sim.guild.id, language=PLACE)


async def test_turns_by_command_and_by_message_look_alike(sim: Simulated) -> None:
    await start_story(sim)
    assert labels(newest_message(sim))[0] == "[Act…]"
    by_command = await act(sim, "look around", "Four walls.")
    sim.model.says("Locked.")
    await sim.member.send(sim.adventures, "open door", reply_to=by_command)
    by_message = newest_message(sim)
    assert "Locked." in by_message.content
    for shown in (by_command, by_message):
        assert "[turn " in shown.content
    assert "[Undo]" in labels(by_message)


async def test_votes_and_what_was_taken_back_are_for_all_and_the_card_is_for_one(sim: Simulated) -> None:
    await start_story(sim)
    await act(sim, "look around", "Four walls.")
    await act(sim, "wait", "Nothing.", who=sim.other)
    shown = await act(sim, "eat the door", "You bite.", who=sim.admin)
    voted = await sim.other.click(shown, label="[Undo]")
    assert "[-# cleo votes to undo the turn: 1 of 2" in answer_text(sim, voted)
    card = await sim.member.click(shown, label="⋯")
    assert "[" not in sim.text(card.response)
    assert "Branch here…" in sim.buttons(card.response)
    await sim.member.click(shown, label="[Undo]")
    assert any(one.content.endswith("[-# ↩ taken back by ben]") for one in sim.adventures.history())


async def test_a_refusal_is_the_players_and_the_end_is_everybodys(sim: Simulated) -> None:
    await start_story(sim)
    refused = await sim.member.slash(sim.adventures, "adventure act", text="roll 99d6")
    assert answer_text(sim, refused).startswith("I have up to 20 dice")
    assert sim.bot.user is not None
    await sim.member.send(sim.adventures, f"<@{sim.bot.user.id}> roll 99d6")
    assert newest_message(sim).content.startswith("[I have up to 20 dice")
    await sim.member.slash(sim.adventures, "adventure end")
    assert newest_message(sim).content.startswith("[**The end** of")


async def test_a_turn_that_fails_says_why_to_all(sim: Simulated) -> None:
    await start_story(sim)
    sim.model.fails(401)
    shown = await act(sim, "look around")
    assert "-# ⚠ [" in shown.content
    assert labels(shown)[:2] == ["[Retry]", "[Leave it out]"]
    waits = await sim.other.slash(sim.adventures, "adventure act", text="sing")
    assert answer_text(sim, waits).startswith("The story has stopped before your turn.")
    assert "[-# waiting: cleo: sing]" in newest_message(sim).content
