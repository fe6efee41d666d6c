"""What the bot acknowledges is stored already: the acknowledgement is held, and the row is there.

`tests/named_points.py` kills the bot at these points.
"""

import json
from collections.abc import Awaitable

import pytest

from tests.bot.harness import BotHarness, is_final, is_sentence
from tests.wire.driver import Wire
from tests.wire.exchange import Exchange, Message

# The bots of this folder live in one loop.
pytestmark = pytest.mark.asyncio(loop_scope="package")

ACKNOWLEDGEMENT = r"/interactions/.*/callback"
TRICKS = "SELECT count(*) FROM tricks WHERE name = ?"
EXAMPLES = "SELECT count(*) FROM trick_examples JOIN tricks ON tricks.id = trick_id WHERE name = ?"
SUGGESTIONS = "SELECT count(*) FROM trick_suggestions WHERE wanted = ?"
ADMIN = {"user": "admin"}
FILE = {"about": "x", "messages": [{"role": "user", "content": "{{text}}"}]}


async def stored_first(
    harness: BotHarness, acting: Awaitable[Exchange], sql: str, value: object, wanted: int
) -> Exchange:
    """Hold the acknowledgement of an action until the query returns `wanted`."""
    await harness.wire.hold("POST", ACKNOWLEDGEMENT)
    exchange = await acting
    assert await harness.wait_for_count(sql, value, wanted=wanted) == wanted
    await harness.wire.release()
    await harness.wire.clear_faults()
    return exchange


async def taught(harness: BotHarness, name: str) -> Message:
    """Teach a trick, and check that it is stored first."""
    modal = await (await harness.slash("trick teach", name=name, **ADMIN)).modal()
    typed = {"instruction": "Refuse.", "given": "Work on Sunday?", "wanted": "Alas, no."}
    exchange = await stored_first(harness, harness.wire.submit(modal, typed), TRICKS, name, 1)
    return await exchange.answer(is_sentence)


async def test_a_trick_its_examples_and_its_removal_are_stored_first(harness: BotHarness) -> None:
    name = f"refuse-{harness.place}"
    assert f"This server has a new trick: {name}" in (await taught(harness, name)).text
    modal = await (await harness.slash("trick example", name=name, **ADMIN)).modal()
    typed = {"given": "Dance?", "wanted": "My feet refuse."}
    exchange = await stored_first(harness, harness.wire.submit(modal, typed), EXAMPLES, name, 2)
    assert "One example more" in (await exchange.answer(is_sentence)).text
    removing = harness.slash("trick remove", name=name, **ADMIN)
    exchange = await stored_first(harness, removing, TRICKS, name, 0)
    assert (await exchange.answer(is_sentence)).text


async def test_an_imported_trick_is_stored_first(harness: BotHarness) -> None:
    name = f"brought-{harness.place}"
    file = Wire.file(f"{name}.json", json.dumps(FILE).encode())
    exchange = await stored_first(harness, harness.slash("trick import", file=file, **ADMIN), TRICKS, name, 1)
    assert name in (await exchange.answer(is_sentence)).text


async def test_a_suggestion_and_the_decision_on_it_are_stored_first(harness: BotHarness) -> None:
    wanted = f"Not today {harness.place}"
    answer = await harness.answer("sentiment", review="Fine, mostly.")
    more = await (await harness.wire.press(answer, "⋯")).answer(is_final)
    modal = await (await harness.wire.press(more, "Not like that…")).modal()
    harness.model.says("4: kind")
    corrected = await (await harness.wire.submit(modal, {"wanted": f"3: {wanted}"})).answer(is_final)
    suggesting = harness.wire.press(corrected, "Suggest to the server")
    await stored_first(harness, suggesting, SUGGESTIONS, f"3: {wanted}", 1)
    listed = await harness.answer("trick list", **ADMIN)
    card = await (await harness.wire.press(listed, listed.buttons[0], user="admin")).answer(is_final)
    await stored_first(harness, harness.wire.press(card, "Drop", user="admin"), SUGGESTIONS, f"3: {wanted}", 0)


async def test_a_setting_is_stored_first(harness: BotHarness) -> None:
    sql = "SELECT count(*) FROM guild_settings WHERE settings LIKE ?"
    setting = harness.slash("settings privacy", menus=False, **ADMIN)
    exchange = await stored_first(harness, setting, sql, '%"menus": false%', 1)
    assert "do not send other people's messages" in (await exchange.answer(is_sentence)).text
    await harness.notice("settings privacy", menus=True, **ADMIN)


async def test_the_window_of_a_correction_shows_what_was_typed_before_the_model_answers(harness: BotHarness) -> None:
    answer = await harness.answer("sentiment", review="Fine, mostly.")
    more = await (await harness.wire.press(answer, "⋯")).answer(is_final)
    modal = await (await harness.wire.press(more, "Not like that…")).modal()
    harness.model.holds()
    exchange = await harness.wire.submit(modal, {"wanted": "3: lukewarm"})
    shown = await exchange.answer(lambda found: "3: lukewarm" in found.content)
    assert shown.content.startswith("Trying again with your correction")
    harness.model.release()
    await exchange.answer(is_final)
