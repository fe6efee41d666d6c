"""The menus read the text of a message wherever Discord shows it."""

from typing import Any

import pytest

from tests.bot.harness import BotHarness, is_final, is_sentence
from tests.bot.test_bad_input import only_a_sentence
from tests.wire.exchange import Message

pytestmark = pytest.mark.asyncio(loop_scope="package")

EMBED = {"title": "Neuer Rekord", "description": "Senn Kava gewinnt das Rennen."}
FIELDS = {"fields": [{"name": "Sieger", "value": "Senn Kava"}, {"name": "Zeit", "value": "12:03"}]}
EVERYWHERE = {"author": {"name": "Rennleitung"}, "footer": {"text": "Runde 3"}, **EMBED, **FIELDS}
PREVIEW = {"type": "link", "title": "A page", "description": "About something else", "url": "https://a.example"}
BUTTON = {"type": 2, "style": 2, "label": "Mehr", "custom_id": "x"}
SECTION = {"type": 9, "components": [{"type": 10, "content": "Es regnet."}], "accessory": BUTTON}
CARD = [{"type": 17, "components": [{"type": 10, "content": "# Wetter"}, SECTION]}]
ALL = "Rennleitung\nNeuer Rekord\nSenn Kava gewinnt das Rennen.\nSieger\nSenn Kava\nZeit\n12:03\nRunde 3"
TWO = "Achtung!\n\nSieger\nSenn Kava\nZeit\n12:03\n\nEnde"
POLL = {"question": "Wann treffen wir uns?", "answers": ["Heute", "Morgen"]}


async def said(harness: BotHarness, text: str = "", **more: Any) -> Message:
    """A message of another bot, or of a person where it has a poll."""
    user = "admin" if "poll" in more or not more else "other_bot"
    return await harness.wire.say(text, user=user, channel=harness.place, **more)


async def translated(harness: BotHarness, message: Message) -> str:
    """What the menu Translate sends to the model as the text of `message`."""
    asked = len(harness.model.requests)
    answer = await (await harness.wire.menu("Translate", message)).answer(is_final)
    assert answer.ephemeral
    assert len(harness.model.requests) == asked + 1
    return str(harness.model.requests[-1]["messages"][-1]["content"])


MESSAGES: dict[str, tuple[str, dict[str, Any], str]] = {
    "a title and a description": ("", {"embeds": [EMBED]}, "Neuer Rekord\nSenn Kava gewinnt das Rennen."),
    "fields alone": ("", {"embeds": [FIELDS]}, "Sieger\nSenn Kava\nZeit\n12:03"),
    "every part of an embed": ("", {"embeds": [EVERYWHERE]}, ALL),
    "content and two embeds": ("Achtung!", {"embeds": [FIELDS, {"title": "Ende"}]}, TWO),
    "a preview of a link": ("Siehe https://a.example", {"embeds": [PREVIEW]}, "Siehe https://a.example"),
    "text components": ("", {"components": CARD, "flags": 1 << 15}, "# Wetter\n\nEs regnet."),
    "a poll": ("", {"poll": POLL}, "Wann treffen wir uns?\n- Heute\n- Morgen"),
    "plain words": ("Guten Tag zusammen", {}, "Guten Tag zusammen"),
}


@pytest.mark.parametrize(("text", "more", "shown"), MESSAGES.values(), ids=MESSAGES.keys())
async def test_the_text_that_people_see_is_translated(
    harness: BotHarness, text: str, more: dict[str, Any], shown: str
) -> None:
    message = await said(harness, text, **more)
    assert await translated(harness, message) == shown
    forwarded = await harness.wire.forward(message, channel=harness.place)
    if "poll" not in more:  # Discord forwards no polls.
        assert await translated(harness, forwarded) == shown


async def test_the_window_for_rewriting_holds_the_text_of_a_forward(harness: BotHarness) -> None:
    message = await harness.wire.forward(await said(harness, "Guten Tag zusammen"), channel=harness.place)
    window = await (await harness.wire.menu("Rewrite…", message)).modal()
    assert window.fields["text"]["value"] == "Guten Tag zusammen"
    answer = await (await harness.wire.submit(window, {"style": "haiku"})).answer(is_final)
    assert answer.ephemeral
    assert "Guten Tag zusammen" in harness.model.requests[-1]["messages"][-1]["content"]


async def test_a_message_without_text_keeps_its_sentence(harness: BotHarness) -> None:
    picture = await harness.wire.say(
        "", user="admin", channel=harness.place, files=[harness.wire.file("voice.ogg", b"OggS" + bytes(20))]
    )
    for menu, sentence in (("Translate", "to translate."), ("Rewrite…", "to rewrite.")):
        told = await (await harness.wire.menu(menu, picture)).answer(is_sentence)
        assert only_a_sentence(told) == f"This message has no text {sentence}"
    assert harness.model.calls == []


async def test_a_text_longer_than_the_input_is_cut(harness: BotHarness) -> None:
    long = {"title": "x" * 256, "description": "ä" * 4_000}
    message = await said(harness, "b" * 2_000, embeds=[long])
    assert len(await translated(harness, message)) == 6_000
