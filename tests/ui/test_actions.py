"""Custom ids from a message, a modal or a modified client: each gets an answer, and none a fault number."""

from typing import Any

import discord
import pytest
import simcord

from bot.ui.actions import ID
from bot.ui.views import PersistentModal, View
from tests.bot.harness import is_sentence, open_harness
from tests.simulated import Person, Simulated

OUTDATED = "This button is from an older version of me and does nothing any more."
LOST = "I was restarted after you opened this window, so I could not use it. Please open it again."

MALFORMED = [
    "do:UPPER:1",
    "do:",
    "do",
    "do:x",
    "",
    "pick:a:b",
    f"do:{'a' * 21}:x",
    f"do:a:{'x' * 80}",
    "do:prompt:\n",
    "ähm:1",
]


async def _send(sim: Simulated, item: discord.ui.Item[Any]) -> Any:
    """Send a message with a component that the bot does not have in memory, as after a restart; returns it.

    discord.py stores no view that is finished. SimCord walks all stored views several times for each press.
    """
    view = View(item)
    view.stop()
    channel: Any = sim.bot.get_channel(sim.general.id)
    return await channel.send(view=view)


async def _press(sim: Simulated, custom_id: str, actor: Person | None = None) -> simcord.InteractionResult:
    """Press a button that has this custom id."""
    message = await _send(sim, discord.ui.Button(custom_id=custom_id or " ", label="Press"))
    return await (actor or sim.member).click(message, label="Press")


@pytest.mark.parametrize("custom_id", MALFORMED)
async def test_a_malformed_custom_id_is_answered_with_is_sentence(sim: Simulated, custom_id: str) -> None:
    result = await _press(sim, custom_id)
    text = sim.text(result.response or result.followups[-1])
    assert text
    assert "fault" not in text


async def test_a_button_without_a_handler_says_so(sim: Simulated) -> None:
    assert sim.text((await _press(sim, "do:no-such-action:1")).response) == OUTDATED


@pytest.mark.parametrize("argument", ["", "x", "1:2", "9" * 19, "9" * 40, "-1", "1\n", "١"])
async def test_an_argument_of_another_form_does_not_reach_the_handler(sim: Simulated, argument: str) -> None:
    reached = []

    async def handler(_interaction: discord.Interaction[Any], argument: str) -> None:
        reached.append(argument)

    sim.services.actions.register("a-test", handler, argument=ID)
    assert sim.text((await _press(sim, f"do:a-test:{argument}")).response) == OUTDATED
    assert not reached


async def test_a_modal_of_an_unknown_action_gives_back_what_was_typed(sim: Simulated) -> None:
    async def open_modal(interaction: discord.Interaction[Any], _argument: str) -> None:
        modal = PersistentModal("no-such-action", title="A window").add_text("text", "Text", max_length=4000)
        await interaction.response.send_modal(modal)

    sim.services.actions.register("a-test", open_modal)
    for typed in ("A few words ``` with marks", "word " * 700):
        opened = await _press(sim, "do:a-test:")
        answer = (await sim.member.submit_modal(opened, {"text": typed})).response
        assert answer is not None
        assert answer.ephemeral
        assert LOST in answer.content
        assert ("word" in answer.content) == (len(typed) < 100)
        assert len(answer.attachments) == (len(typed) > 100)


async def test_a_modal_reaches_its_handler_with_its_fields(sim: Simulated) -> None:
    seen = []

    async def open_modal(interaction: discord.Interaction[Any], _argument: str) -> None:
        modal = PersistentModal("a-modal", "7", title="A window")
        modal.add_text("why", "Why", max_length=100).add_text("more", "More", max_length=100, required=False)
        await interaction.response.send_modal(modal)

    async def submitted(interaction: discord.Interaction[Any], argument: str, fields: Any) -> None:
        seen.append((argument, dict(fields)))
        await interaction.response.send_message("Thank you")

    sim.services.actions.register("a-test", open_modal)
    sim.services.actions.register_modal("a-modal", submitted, argument=ID)
    result = await sim.member.submit_modal(await _press(sim, "do:a-test:"), {"why": "Because"})
    assert sim.text(result.response) == "Thank you"
    assert seen == [("7", {"why": "Because", "more": ""})]


@pytest.mark.asyncio
async def test_a_window_opened_before_a_restart_is_answered_after_it() -> None:
    async with open_harness() as harness:
        async with harness.bot() as process:
            modals = [
                await (await harness.slash("trick teach", user="admin", name="polite")).modal(),
                await (await harness.slash("rewrite", style="noir")).modal(),
            ]
            process.terminate()
            await process.wait(30)
        async with harness.bot():
            for modal in modals:
                fields = dict.fromkeys(_required(modal.fields), "What I typed.")
                answer = await (await harness.wire.submit(modal, fields)).answer(is_sentence)
                assert "fault" not in answer.text
                assert "What I typed." in answer.text or "fake-model" in answer.text or "polite" in answer.text


def _required(fields: dict[str, Any]) -> list[str]:
    text = discord.ComponentType.text_input.value
    return [name for name, field in fields.items() if field["type"] == text and field.get("required", True)]


MALFORMED_ARGUMENTS = ["", "x", "9" * 60, "1:2:999999999999999999999"]


async def test_no_action_fails_for_a_malformed_argument(sim: Simulated) -> None:
    """A modified client can send any custom id. The user gets a sentence and no fault number."""
    for action in sorted({action for kind, action in sim.services.actions.names if kind != "modal"}):
        for argument in MALFORMED_ARGUMENTS:
            result = await _press(sim, f"do:{action}:{argument}", sim.admin)
            shown = [sim.text(message) for message in (result.response, *result.followups) if message is not None]
            assert not [text for text in shown if "fault " in text], (action, argument, shown)


async def test_no_menu_fails_for_a_malformed_choice(sim: Simulated) -> None:
    for action in sorted({action for kind, action in sim.services.actions.names if kind != "modal"}):
        for value in ("x", "9" * 40):
            menu: discord.ui.Select[Any] = discord.ui.Select(
                custom_id=f"pick:{action}:1", options=[discord.SelectOption(label="One", value=value)]
            )
            result = await sim.admin.select(await _send(sim, menu), [value])
            shown = [sim.text(message) for message in (result.response, *result.followups) if message is not None]
            assert not [text for text in shown if "fault " in text], (action, value, shown)


async def test_no_modal_fails_for_a_malformed_argument(sim: Simulated) -> None:
    opened: list[PersistentModal] = []

    async def open_modal(interaction: discord.Interaction[Any], _argument: str) -> None:
        await interaction.response.send_modal(opened[-1])

    sim.services.actions.register("a-test", open_modal)
    for action in sorted(action for kind, action in sim.services.actions.names if kind == "modal"):
        for argument in MALFORMED_ARGUMENTS:
            opened.append(PersistentModal(action, argument, title="A window").add_text("other", "Text", max_length=100))
            result = await sim.admin.submit_modal(await _press(sim, "do:a-test:", sim.admin), {"other": "typed"})
            shown = [sim.text(message) for message in (result.response, *result.followups) if message is not None]
            assert not [text for text in shown if "fault " in text], (action, argument, shown)
