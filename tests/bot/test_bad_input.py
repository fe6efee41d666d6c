"""What people send that cannot be used: one plain sentence each, in time, for them alone, and no call of the model."""

from html import escape
from typing import Any

import pytest

from tests.bot.harness import BotHarness, is_final, is_sentence
from tests.wire.exchange import Message

pytestmark = pytest.mark.asyncio(loop_scope="package")

PNG = b"\x89PNG\r\n\x1a\n" + bytes(200)


def only_a_sentence(told: Message) -> str:
    """The sentence, which only the asker sees, without buttons and without a fault's number."""
    assert told.ephemeral
    assert not told.buttons
    assert "(fault " not in told.content
    assert told.content.endswith((".", "”"))
    assert "\n" not in told.content
    return told.content


EMPTY: list[tuple[str, dict[str, Any], str]] = [
    ("translate", {"text": " \u2003 "}, "There is nothing to translate: the text is empty."),
    ("rewrite", {"text": "  ", "style": "noir"}, "There is nothing to rewrite: the text is empty."),
    ("facts", {"about": "  "}, "Facts about what? Name a person, a place or a thing."),
    ("sentiment", {}, "Give a review to rate, or a file of them."),
    ("sentiment", {"review": " "}, "Give a review to rate, or a file of them."),
    ("ask", {"request": " "}, "Ask for something"),
]


async def test_blank_text_is_told_before_anything_is_asked(harness: BotHarness) -> None:
    for command, options, sentence in EMPTY:
        told = only_a_sentence(await harness.notice(command, **options))
        assert told.startswith(sentence), command
    assert harness.model.calls == []


async def test_six_thousand_characters_are_served(harness: BotHarness) -> None:
    text = "ä" * 5_999 + "b"
    for command, options in (("translate", {"text": text}), ("rewrite", {"text": text, "style": "noir"})):
        harness.model.calls.clear()
        await harness.answer(command, **options)
        assert text in harness.model.requests[0]["messages"][-1]["content"]
    harness.model.says("3: It is long.")
    await harness.answer("sentiment", review=text)
    harness.model.once('{"template": "none", "inputs": {}, "why": "It is only letters."}')
    assert (
        "None of my tricks fits this: It is only letters."
        in (await harness.answer("ask", final_menu, request=text)).content
    )


def final_menu(message: Message) -> bool:
    """An answer that offers a menu."""
    return bool(message.menus)


async def test_the_prompt_of_six_thousand_characters_is_shown_with_all_of_it_in_a_file(harness: BotHarness) -> None:
    text = "🏁 " * 3_000
    answer = await harness.answer("translate", text=text, to="Greek")
    card = await harness.press(answer, "Prompt")
    assert card.text.startswith("### Prompt · zero-shot")
    assert text.strip() in (await harness.wire.download(card.attachments[0])).decode()


FILES: list[tuple[str, bytes, str]] = [
    ("many.txt", b"Good.\n" * 10_000, "The file contains 10,000 reviews; up to 500 can be rated at once."),
    ("wide.txt", b"x" * 2_000_000, "The file wide.txt is too large: up to 1,000 kB can be read here."),
    ("line.txt", b"Good.\n" + b"x" * 6_001, "Entry 2 has 6,001 characters; up to 6,000 can be read."),
    (
        "sjis.txt",
        "\u6d0b\u98df\u5c4b".encode("shift_jis"),
        "The encoding of the file sjis.txt is not known; save it as UTF-8",
    ),
    (
        "two.csv",
        b"name;town\nAnna;Rome\nBert;Paris\n",
        "The table has no column \u201creview\u201d, and several that could",
    ),
    ("empty.txt", b"", "The file empty.txt is empty."),
    ("blank.csv", b" \n\n ", "The file blank.csv contains only white space."),
    ("heads.csv", b"review,stars\n", "The file contains no review."),
    ("@everyone_`a`.png", PNG, "is not a text; send a .txt or .csv file."),
    ("quotes.csv", b'review\n"never closed', ""),
]


@pytest.mark.parametrize(("name", "data", "sentence"), FILES, ids=[name for name, _, _ in FILES])
async def test_a_file_that_cannot_be_rated_is_told(harness: BotHarness, name: str, data: bytes, sentence: str) -> None:
    harness.model.says("3: Half a sentence.")
    file = harness.wire.file(name, data)
    told = await harness.answer("sentiment", lambda found: is_sentence(found) and "▱" not in found.content, file=file)
    if sentence:
        assert sentence in only_a_sentence(told)
        assert harness.model.calls == []
    assert told.pings == []


async def test_a_file_that_cannot_be_rewritten_is_told(harness: BotHarness) -> None:
    for name, data, sentence in (
        ("long.txt", b"x" * 6_001, "The file contains 6,001 characters; up to 6,000 can be rewritten."),
        ("picture.txt", PNG, "The file picture.txt is not a text"),
    ):
        told = await harness.notice("rewrite", file=harness.wire.file(name, data), style="noir")
        assert sentence in only_a_sentence(told)


async def test_a_style_without_a_sample_is_told_with_those_that_have_one(harness: BotHarness) -> None:
    told = only_a_sentence(await harness.notice("rewrite", text="Hello.", style="Esperanto haiku"))
    assert told.startswith("I have no sample of the style “Esperanto haiku”.")
    assert "noir, pirate" in told
    assert "In which style?" in only_a_sentence(await harness.notice("rewrite", text="Hello."))


async def test_a_review_and_a_file_at_once_are_told(harness: BotHarness) -> None:
    told = await harness.notice("sentiment", review="Good.", file=harness.wire.file("a.txt", b"Good."))
    assert only_a_sentence(told) == "Give either a review or a file, not both."


async def test_a_menu_on_a_message_without_text_is_told(harness: BotHarness) -> None:
    said = await harness.wire.say("", files=[harness.wire.file("a.mp4", b"0" * 100)], channel=harness.place)
    for menu, sentence in (("Translate", "no text to translate"), ("Rewrite…", "no text to rewrite")):
        told = await (await harness.wire.menu(menu, said)).answer(is_sentence)
        assert sentence in only_a_sentence(told)


async def test_a_placeholder_in_a_value_stays_what_the_person_wrote(harness: BotHarness) -> None:
    await harness.answer("translate", text="{{text}} {{to}} {{secret}}", to="{{text}}")
    sent = harness.model.requests[0]["messages"]
    assert sent[-1]["content"] == "{{text}} {{to}} {{secret}}"
    assert "translator into {{text}}." in sent[0]["content"]


async def test_mentions_in_what_people_or_models_write_ping_nobody(harness: BotHarness) -> None:
    everybody = f"@everyone @here <@{harness.wire.people['friend']}> <@&{harness.wire.guild_id + 1}>"
    harness.model.says(everybody)
    answer = await harness.answer("translate", text=everybody, to="Greek", private=False)
    assert answer.content.startswith(everybody)
    private = await harness.answer("translate", text=everybody, to="Greek")
    await (await harness.wire.press(private, "Share")).messages()
    shared = (await harness.wire.messages(harness.place, as_user="friend"))[-1]
    card = await harness.press(answer, "Prompt")
    style = await harness.notice("rewrite", text="x", style=everybody)
    harness.model.says(f'<FACTS entity="{escape(everybody)}"><FACT>@everyone won.</FACT></FACTS>')
    facts = await harness.answer("facts", about=everybody)
    harness.model.says("A lap @everyone. " * 200)
    long = await (await harness.slash("translate", text="x", to="Greek", private=False)).messages()
    assert [message.pings for message in (answer, shared, card, style, facts, *long)] == [[]] * (5 + len(long))


async def test_a_member_without_the_right_is_told_what_they_lack(harness: BotHarness) -> None:
    answer = await harness.answer("translate", text="x", to="Greek", private=False)
    told = await harness.press(answer, "Prompt", user="friend")
    assert only_a_sentence(told).startswith("Only the one who asked")
    assert is_final(answer)


@pytest.mark.parametrize("method", ["PATCH", "DELETE", "POST"])
async def test_a_sentence_comes_where_the_connection_breaks_off_once(harness: BotHarness, method: str) -> None:
    """The placeholder is edited and deleted, and the sentence sent: each request is lost once."""
    harness.model.fails(401)
    await harness.wire.fault(method, "^/webhooks/", drop=True)
    told = await harness.notice("facts", about="Kava")
    assert "credentials" in told.text
    assert [rule["hits"] for rule in await harness.wire.clear_faults()] == [1]
    assert not any(message.loading for message in await harness.wire.messages(harness.place))
