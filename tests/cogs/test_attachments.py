"""Pictures and files that people attach to a request."""

import base64
import json
from io import BytesIO
from typing import Any

import pytest
import simcord
from PIL import Image

from bot.server.prompts import Prompts
from bot.ui.views import NO_CHOICE
from cogs.ask import WHOLE_TEXT_PROMPT
from tests.pdf_files import pdf
from tests.simulated import Simulated, parts_of

QUESTION = "Which colours are in this picture?"
CHOICE = json.dumps({"template": "picture", "inputs": {"question": QUESTION}, "why": "it is about a picture"})


def flag() -> bytes:
    """A picture that is red on the left and blue on the right."""
    picture = Image.new("RGB", (60, 40), "red")
    picture.paste("blue", (30, 0, 60, 40))
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def describe(body: dict[str, Any]) -> str:
    """What a model that sees would answer: the colours of the picture in the last message."""
    text, image = body["messages"][-1]["content"]
    assert text == {"type": "text", "text": QUESTION}
    head, _comma, encoded = image["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64"
    with Image.open(BytesIO(base64.b64decode(encoded))) as picture:
        names: dict[object, str] = {(255, 0, 0): "red", (0, 0, 255): "blue"}
        seen = [names[picture.convert("RGB").getpixel(place)] for place in ((0, 0), (59, 39))]
    return f"{' and '.join(seen)}, {picture.width} × {picture.height}"


async def test_a_picture_is_described_and_its_prompt_keeps_only_what_it_was(sim: Simulated) -> None:
    sim.model.sees_pictures = True
    sim.model.says(CHOICE, describe)
    result = await sim.member.slash(sim.general, "ask", request=QUESTION, file=("flag_1.png", flag()))
    assert "red and blue, 60 × 40" in sim.text(result.response)
    asked = sim.model.requests[0]["messages"]
    assert '"template": "picture"' in asked[0]["content"]
    assert asked[-1]["content"][1]["type"] == "image_url"
    card = (await sim.member.click(result.response, label="Prompt")).response
    assert "flag\\_1.png · 60 × 40 pixels" in sim.text(card)
    # The shot selector sends the picture again while it is held.
    await sim.member.click(card, label="0")
    assert "red and blue, 60 × 40" in sim.text(card)
    assert result.response is not None
    # After a restart only its description is left.
    prompt_id = next(
        part["custom_id"] for part in parts_of(result.response.components) if part.get("label") == "Prompt"
    )
    stored = await Prompts(sim.services.database, 30).find(prompt_id.rpartition(":")[2])
    assert stored is not None
    assert [(picture.width, picture.url) for picture in stored.request.pictures] == [(60, "")]
    sim.services.prompts.cache(stored)
    asked_before = len(sim.model.requests)
    again = await sim.member.click(card, label="0")
    assert "The picture flag\\_1.png is gone" in sim.said(again)
    assert len(sim.model.requests) == asked_before


async def test_a_picture_is_still_there_after_a_reply_that_had_to_be_repaired(sim: Simulated) -> None:
    """When another trick is chosen, and when the shot selector runs it."""
    sim.model.sees_pictures = True
    other = json.dumps({"template": "translate", "inputs": {"text": "the picture", "to": "Greek"}})
    sim.model.says("It is about a picture.", CHOICE, "red and blue", other, "κόκκινο")
    asked = await sim.member.slash(sim.general, "ask", request=QUESTION, file=("flag.png", flag()))
    assert "red and blue" in sim.text(asked.response)
    chosen = await sim.member.select(asked.response, ["translate"])
    assert [picture_in(body) for body in sim.model.requests] == [True, False, True, True, True], sim.said(chosen)
    template = {
        "reply": "json",
        "schema": {"type": "object"},
        "about": "The mood of a picture",
        "messages": [{"role": "user", "content": "{{text}}"}],
    }
    await sim.admin.slash(sim.general, "trick import", file=("mood.json", json.dumps(template).encode()))
    sim.model.says("good", '{"mood": "good"}')
    used = await sim.member.slash(sim.general, "trick use", name="mood", file=("flag.png", flag()))
    assert "good" in sim.text(used.response), sim.said(used)
    card = (await sim.member.click(used.response, label="Prompt")).response
    await sim.member.click(card, label="0")
    assert picture_in(sim.model.requests[-1])


# The beginning of a photo of an iPhone.
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
CANNOT = "The file photo.heic is none that I can read: send a picture (PNG, JPEG, GIF, WebP), a PDF, or a text"


async def test_what_cannot_be_read_in_a_message_or_command_is_said(sim: Simulated) -> None:
    """Also pictures beyond those that are read."""
    assert sim.bot.user is not None
    me = f"<@{sim.bot.user.id}>"
    sim.model.sees_pictures = True
    refused = await sim.member.slash(sim.general, "ask", request=QUESTION, file=("photo.heic", HEIC))
    assert sim.said(refused).startswith(CANNOT)
    await sim.member.send(sim.general, me, attachments=[("photo.heic", HEIC)])
    assert sim.general.history()[-1].content.startswith(CANNOT)
    assert not sim.model.requests
    await sim.member.send(sim.general, f"{me} What is it?", attachments=[("photo_1.heic", HEIC)])
    assert sim.general.history()[-1].content.endswith(" · not read: photo\\_1.heic")
    assert sim.model.requests[-1]["messages"][-1]["content"] == "What is it?"
    await sim.member.send(sim.general, f"{me} Compare", attachments=[(f"{n}.png", flag()) for n in range(6)])
    assert sim.general.history()[-1].content.endswith(" · not read: 4.png, 5.png")
    assert len(sim.model.requests[-1]["messages"][-1]["content"]) == 5


def picture_in(body: dict[str, Any]) -> bool:
    """Whether the last message of a request has a picture."""
    content = body["messages"][-1]["content"]
    return isinstance(content, list) and content[-1]["type"] == "image_url"


async def test_a_model_that_refuses_pictures_is_asked_once(sim: Simulated) -> None:
    for _attempt in range(2):
        result = await sim.member.slash(sim.general, "ask", request=QUESTION, file=("flag.png", flag()))
        assert "cannot see pictures" in sim.said(result)
    assert len(sim.model.requests) == 1
    sim.model.says("Bonjour")
    result = await sim.member.slash(sim.general, "translate", text="Hello", to="French")
    assert sim.text(result.response).startswith("Bonjour")


@pytest.mark.settings(moderation_model="omni-moderation-latest")
async def test_a_picture_is_moderated_before_it_is_sent(sim: Simulated) -> None:
    sim.model.moderator.flags["data:image/png"] = ["violence/graphic"]
    result = await sim.member.slash(sim.general, "ask", request=QUESTION, file=("flag.png", flag()))
    assert "does not let me send that to the model (violence: graphic)" in sim.said(result)
    assert not sim.model.requests


async def test_an_attached_text_need_not_be_written_by_the_model_that_chooses(sim: Simulated) -> None:
    text = "Sehr geehrte Damen und Herren, " + "so ist es. " * 900
    choice = {"template": "translate", "inputs": {"text": WHOLE_TEXT_PROMPT, "to": "Greek"}, "why": "it is a letter"}
    sim.model.says(json.dumps(choice), "Γεια")
    result = await sim.member.slash(sim.general, "ask", request="Into Greek", file=("a.txt", text.encode()))
    assert "a.txt: only the first 6,000 of 9,931 characters" in sim.text(result.response)
    assert sim.model.requests[-1]["messages"][-1]["content"] == text[:6_000]
    # Another trick gets the same text.
    sim.model.says(json.dumps({"template": "sentiment", "inputs": {"review": WHOLE_TEXT_PROMPT}}), "3: polite")
    await sim.member.select(result.response, ["sentiment"])
    assert sim.model.requests[-1]["messages"][-1]["content"] == text[:6_000]


async def test_a_trick_is_used_on_a_pdf_and_on_a_picture_without_a_text(sim: Simulated) -> None:
    opened = await sim.admin.slash(sim.general, "trick teach", name="sum-up")
    example = {"instruction": "Sum it up.", "given": "A long text", "wanted": "Short"}
    await sim.admin.submit_modal(opened, example)
    sim.model.says("Hello, in short")
    result = await sim.member.slash(sim.general, "trick use", name="sum-up", file=("a.pdf", pdf("Hello", "there")))
    assert sim.model.requests[-1]["messages"][-1]["content"] == "Hello\n\nthere"
    assert "Hello, in short" in sim.text(result.response)
    sim.model.sees_pictures = True
    await sim.member.slash(sim.general, "trick use", name="sum-up", file=("a.png", flag()))
    assert [part["type"] for part in sim.model.requests[-1]["messages"][-1]["content"]] == ["image_url"]
    refused = await sim.member.slash(sim.general, "trick use", name="sum-up")
    assert "give a text or a file" in sim.said(refused)
    broken = await sim.member.slash(sim.general, "trick use", name="sum-up", file=("b.png", flag()[:50]))
    assert "is broken" in sim.said(broken)


async def test_a_message_is_taught_as_an_example_and_tricks_are_used_on_messages(sim: Simulated) -> None:
    posted = await sim.member.send(sim.general, "Kannst du am Sonntag arbeiten?")
    opened = await sim.admin.context_menu(sim.general, "Teach from this…", posted)
    assert texts_in_window(opened) == {"given": "Kannst du am Sonntag arbeiten?"}
    new = {"wanted": "Leider nein.", "name": "refuse", "instruction": "Refuse."}
    taught = await sim.admin.submit_modal(opened, {"given": "Kannst du am Sonntag arbeiten?", **new})
    assert "new trick: refuse" in sim.text(taught.response)
    other = await sim.member.send(sim.general, "Leihst du mir dein Auto?")
    opened = await sim.admin.context_menu(sim.general, "Teach from this…", other)
    more = {"given": "Leihst du mir dein Auto?", "wanted": "Ach nein.", "trick": "refuse"}
    assert "One example more" in sim.text((await sim.admin.submit_modal(opened, more)).response)
    again = {"trick": NO_CHOICE, "name": "decline", "instruction": "Decline."}
    opened = await sim.admin.context_menu(sim.general, "Teach from this…", other)
    taught = await sim.admin.submit_modal(opened, more | again)
    assert "new trick: decline" in sim.text(taught.response)
    sim.model.says("Lieber nicht.")
    asked = await sim.other.send(sim.general, "Tanzt du?")
    opened = await sim.member.context_menu(sim.general, "Use a trick…", asked)
    used = await sim.member.submit_modal(opened, {"trick": "refuse", "text": "Tanzt du?"})
    assert sim.text(used.response).startswith("Lieber nicht.")
    assert used.response is not None
    assert used.response.ephemeral
    contents = [message["content"] for message in sim.model.requests[-1]["messages"]]
    assert contents[1:] == [
        "Kannst du am Sonntag arbeiten?",
        "Leider nein.",
        "Leihst du mir dein Auto?",
        "Ach nein.",
        "Tanzt du?",
    ]
    # The words of the member go when the member asks for it.
    await sim.services.privacy.erase(sim.member.id)
    trick = await sim.services.tricks.get(sim.guild.id, "refuse")
    assert trick.examples == ()


async def test_the_menus_read_a_picture_where_there_is_no_text_and_files_beside_it(sim: Simulated) -> None:
    sim.model.sees_pictures = True
    opened = await sim.admin.slash(sim.general, "trick teach", name="sum-up")
    await sim.admin.submit_modal(opened, {"instruction": "Sum up.", "given": "A long text", "wanted": "Short"})
    posted = await sim.member.send(sim.general, attachments=[("flag.png", flag())])
    for menu in ("Translate", "Use a trick…"):
        result = await sim.other.context_menu(sim.general, menu, posted)
        if menu != "Translate":
            result = await sim.other.submit_modal(result, {"trick": ["sum-up"], "text": ""})
        assert sim.text(result.response).startswith("ok")
        assert sim.model.requests[-1]["messages"][-1]["content"][-1]["type"] == "image_url"
    posted = await sim.member.send(
        sim.general, "See the file.", attachments=[("a.pdf", pdf("Hello")), ("flag.png", flag())]
    )
    await sim.other.context_menu(sim.general, "Translate", posted)
    assert sim.model.requests[-1]["messages"][-1]["content"] == "See the file.\n\nHello"
    posted = await sim.member.send(sim.general, attachments=[("b.md", b"To rewrite")])
    opened = await sim.other.context_menu(sim.general, "Rewrite…", posted)
    assert texts_in_window(opened) == {"text": "To rewrite"}
    posted = await sim.member.send(sim.general, "Only this.", attachments=[("a.txt", b"Gr\x00\x01e")])
    result = await sim.other.context_menu(sim.general, "Translate", posted)
    assert "a.txt is not a text" in sim.text(result.response)
    assert sim.model.requests[-1]["messages"][-1]["content"] == "Only this."


def texts_in_window(opened: simcord.InteractionResult) -> dict[str, str]:
    """The texts that stand in the fields of an open window."""
    assert opened.modal is not None
    fields = [part["component"] for part in opened.modal["components"]]
    return {field["custom_id"]: field["value"] for field in fields if field.get("value")}
