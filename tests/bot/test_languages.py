"""The bot speaks to each person in the language of their Discord, and to all in that of the place."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.bot.harness import BotHarness, is_final

# One bot serves this folder.
pytestmark = pytest.mark.asyncio(loop_scope="package")

XML = '<FACTS entity="Kava"><FACT>She won the cup.</FACT></FACTS>'


@pytest_asyncio.fixture(loop_scope="package")
async def abroad(harness: BotHarness) -> AsyncIterator[BotHarness]:
    """A member who reads Discord in German, in a server that has English."""
    await harness.wire.speak("member", "de")
    yield harness
    await harness.wire.speak("member", "en-US")


async def test_a_private_answer_is_in_the_language_of_its_reader(abroad: BotHarness) -> None:
    answer = await abroad.answer("translate", text="Good morning", to="French")
    assert answer.buttons == ["Prompt", "Noch mal", "Weiterfragen…", "Teilen", "⋯"]
    more = await abroad.press(answer, "⋯")
    assert "Die Moderation dieses Servers sieht diese Antwort" in more.text
    asked = await (await abroad.wire.press(more, "So nicht…")).modal()
    assert asked.title == "So nicht…"


async def test_what_goes_wrong_is_told_in_the_language_of_who_asked(abroad: BotHarness) -> None:
    told = await abroad.notice("facts", about="  ")
    assert told.text == "Fakten worüber? Nenn einen Menschen, einen Ort oder eine Sache."
    assert told.ephemeral


async def test_a_public_answer_is_in_the_language_of_the_place(abroad: BotHarness) -> None:
    abroad.model.says("She won the cup.", XML)
    answer = await abroad.answer("facts", about="Senn Kava")
    assert "asked twice for the right format" in answer.content
    shown = await abroad.press(answer, "Prompt")
    assert "Exportieren" in shown.buttons, "the prompt is shown to the one who pressed alone"


async def test_a_direct_message_is_answered_in_the_language_of_its_authors_last_command(abroad: BotHarness) -> None:
    """Messages come without a language. A mention in a server is answered in that of the place, as commands are."""
    await abroad.notice("usage")
    asked = await abroad.wire.say("Hallo", channel="dm")
    # The answers to other tests are in this channel too.
    answer = await abroad.wire.until(lambda message: message.id > asked.id and is_final(message), "dm")
    assert answer.buttons == ["Prompt", "Noch mal", "Weiterfragen…", "⋯"]
    await abroad.wire.say(f"<@{abroad.wire.people['bot']}> Hallo", channel=abroad.place)
    assert "Again" in (await abroad.wire.until(is_final, abroad.place)).buttons


async def test_braces_and_percents_that_people_and_models_write_stand_as_they_are(abroad: BotHarness) -> None:
    odd = "{x} %s {{text}} %(n)d {n:,} }{"
    abroad.model.says(odd)
    answer = await abroad.answer("translate", text=odd, to=odd)
    assert odd in answer.content
    assert odd in abroad.model.requests[-1]["messages"][0]["content"]
    told = await abroad.notice("trick use", name="{x} %s", text=odd)
    assert told.text.startswith("Dieser Server hat keinen Kniff namens {x} %s;")


async def test_numbers_are_written_as_the_reader_writes_them(abroad: BotHarness) -> None:
    told = await abroad.notice("usage")
    assert "250.000 Token" in told.text


async def test_a_language_that_is_not_spoken_is_english(harness: BotHarness) -> None:
    await harness.wire.speak("member", "ja")
    told = await harness.notice("facts", about="  ")
    await harness.wire.speak("member", "en-US")
    assert told.text == "Facts about what? Name a person, a place or a thing."


async def test_commands_are_registered_in_all_languages(harness: BotHarness) -> None:
    everywhere = (await harness.wire.commands())["0"]
    (translate,) = [command for command in everywhere if command["name"] == "translate"]
    assert translate["name_localizations"] == {"de": "übersetzen", "fr": "traduire"}
    assert translate["description_localizations"]["fr"] == "Traduire un texte dans une autre langue"
    private = translate["options"][-1]
    assert private["name_localizations"] == {"de": "privat", "fr": "privé"}
    menus = {command["name"]: command.get("name_localizations") for command in everywhere if command.get("type") == 3}
    assert menus["Rewrite…"] == {"de": "Umschreiben…", "fr": "Réécrire…"}
    (racing,) = [command for command in everywhere if command["name"] == "racing"]
    assert racing["description_localizations"]["de"] == "Das auf racing feinabgestimmte Modell fragen"


async def test_an_admin_chooses_the_language_of_the_place(harness: BotHarness) -> None:
    """What all see is in it from then on; the admin, who reads English, is still answered in English."""
    shown = await harness.notice("settings language", user="admin", language="fr")
    assert "**Language** Français" in shown.text
    harness.model.says("She won the cup.", XML)
    answer = await harness.answer("facts", about="Senn Kava")
    back = await harness.notice("settings language", user="admin", language="server")
    assert "demandé deux fois pour le bon format" in answer.content
    assert "the server’s own" in back.text
