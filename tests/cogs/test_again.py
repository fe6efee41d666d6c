"""Again under an answer, and the arrows between its versions."""

from typing import Any

import discord
import pytest

from bot.ui.actions import BUTTON, ActionButton
from bot.ui.views import View
from tests.simulated import Simulated, parts_of

pytestmark = pytest.mark.asyncio

STRANGER = "Only the one who asked can ask again and choose the version that is shown."
NOT_STORED = "This message does not show that answer any more."
PUBLIC = ["Prompt", "Again", "Follow up…", "⋯"]
CHOICE = '{"template": "translate", "inputs": {"text": "Hi", "to": "Greek"}, "why": "It asks for Greek."}'
LONG = "A lap of the race, and then the next. " * 60


async def test_versions_stand_beside_each_other_with_their_own_prompts(sim: Simulated) -> None:
    """A new one is asked without what makes a model repeat itself; what the command added stays."""
    sim.model.says(CHOICE, "Γεια", "Γεια σου", "Χαίρετε")
    shown = (await sim.member.slash(sim.general, "ask", request="Say hi in Greek")).response
    assert shown is not None
    heading = "-# **translate** · It asks for Greek.\n"
    assert shown.content.startswith(f"{heading}Γεια\n-# ")
    assert sim.buttons(shown) == PUBLIC
    await sim.member.click(shown, label="Again")
    assert shown.content.startswith(f"{heading}Γεια σου\n-# ")
    await sim.member.click(shown, label="Again")
    assert shown.content.startswith(f"{heading}Χαίρετε\n-# ")
    assert sim.buttons(shown) == [*PUBLIC, "◀", "3/3", "▶"]
    assert [body.get("temperature") for body in sim.model.requests] == [0, 0, None, None]
    await sim.member.click(shown, label="◀")
    await sim.member.click(shown, label="◀")
    assert shown.content.startswith(f"{heading}Γεια\n-# ")
    assert sim.buttons(shown) == [*PUBLIC, "◀", "1/3", "▶"]
    assert "temperature 0" in sim.text((await sim.member.click(shown, label="Prompt")).response)
    await sim.member.click(shown, label="▶")
    assert "temperature 0" not in sim.text((await sim.member.click(shown, label="Prompt")).response)
    for label in ("Again", "▶"):
        assert sim.said(await sim.other.click(shown, label=label)) == STRANGER
    sim.model.fails(401)
    assert "credentials" in sim.said(await sim.member.click(shown, label="Again"))
    assert shown.content.startswith(f"{heading}Γεια σου\n-# ")
    assert sim.buttons(shown) == [*PUBLIC, "◀", "2/3", "▶"]


async def test_a_forged_button_replaces_no_message_that_shows_something_else(sim: Simulated) -> None:
    """A modified client sends any custom id, with any message that it sees: here another's answer, and a sentence."""

    async def forge(interaction: discord.Interaction[Any], argument: str) -> None:
        action, _slash, forged = argument.partition("/")
        await sim.services.actions.run(interaction, BUTTON, action, forged)

    sim.services.actions.register("forge", forge)
    ids = []
    for who, channel in ((sim.member, sim.adventures), (sim.other, sim.general)):
        result = await who.slash(channel, "translate", text="Hi", to="French", private=False)
        assert result.response is not None
        ids += [item["custom_id"].split(":")[2] for item in parts_of(result.response.components) if "custom_id" in item]
    own, others = ids[0], ids[-1]
    general = sim.bot.get_partial_messageable(sim.general.id)
    for below in ([], [ActionButton("again", others, label="Again")]):
        for forged, said in (
            (f"again/{own}", NOT_STORED),
            (f"version/{own}:on", NOT_STORED),
            (f"again/{others}", STRANGER),
        ):
            message = await general.send("Somebody else's", view=View(ActionButton("forge", forged, label="x"), *below))
            assert sim.said(await sim.member.click(message, label="x")) == said
            assert sim.general.history()[-1].content == "Somebody else's"
    assert len(sim.model.requests) == 2


async def test_an_answer_of_several_messages_stays_and_a_long_version_becomes_a_file(sim: Simulated) -> None:
    sim.model.says(LONG, "Short.", "Short too.", LONG)
    long = await sim.member.slash(sim.general, "translate", text="laps", to="Greek")
    again = (await sim.member.click(long.followups[-1], label="Again")).response
    assert again is not None
    assert again.content.startswith("Short.\n")
    assert sim.buttons(again) == [*PUBLIC[:-1], "Share", PUBLIC[-1]]
    await sim.member.click(again, label="Again")
    await sim.member.click(again, label="Again")
    assert again.content.startswith("The answer is too long for a message, so here it is as a file.")
    assert [file.filename for file in again.attachments] == ["answer.md"]
    await sim.member.click(again, label="◀")
    assert again.content.startswith("Short too.\n")
    assert not again.attachments


async def test_the_sentence_about_an_unreadable_version_is_not_that_of_the_next(sim: Simulated) -> None:
    sim.model.says("nine stars", "nine stars, as I said", "4: Good soup.")
    shown = (await sim.member.slash(sim.general, "sentiment", review="Soup.")).response
    assert shown is not None
    assert 'not in the form "N: reason"' in shown.content
    await sim.member.click(shown, label="Again")
    assert shown.content.startswith("★★★★☆ **4/5**\nGood soup.\n")
    assert "Once more" not in str(sim.model.requests[-1]["messages"])
    await sim.member.click(shown, label="◀")
    assert 'not in the form "N: reason"' in shown.content
