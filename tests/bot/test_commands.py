"""Every command and both menus, with every option."""

import pytest

from tests.bot.harness import BotHarness, is_final, is_sentence
from tests.wire.exchange import Message

# One bot serves this folder.
pytestmark = pytest.mark.asyncio(loop_scope="package")

XML = '<FACTS entity="Kava"><FACT>She won the cup.</FACT><FACT>Her pod is *The Thunderbolt*.</FACT></FACTS>'


def sent(harness: BotHarness) -> list[dict[str, str]]:
    """The messages of the one call that was made."""
    assert len(harness.model.calls) == 1
    messages: list[dict[str, str]] = harness.model.requests[0]["messages"]
    return messages


async def test_translate_answers_the_asker_alone_in_the_language_of_their_discord(harness: BotHarness) -> None:
    await harness.wire.speak("member", "pt-BR")
    harness.model.says("Bom dia")
    answer = await harness.answer("translate", text="Good morning")
    assert answer.content == "Bom dia\n-# fake-model · zero-shot"
    assert answer.ephemeral
    assert answer.buttons == ["Prompt", "Again", "Follow up…", "Share", "⋯"]
    assert "Portuguese" in sent(harness)[0]["content"]
    await harness.wire.speak("member", "en-US")


async def test_translate_answers_all_where_asked_to_and_offers_nothing_to_share(harness: BotHarness) -> None:
    answer = await harness.answer("translate", text="Good morning", to="Klingon", private=False)
    assert not answer.ephemeral
    assert answer.buttons == ["Prompt", "Again", "Follow up…", "⋯"]
    assert "translator into Klingon" in sent(harness)[0]["content"]


async def test_languages_are_offered_by_any_of_their_names(harness: BotHarness) -> None:
    for typed, language in (("fra", "French"), ("deut", "German"), ("ελλ", "Greek")):
        found = await harness.wire.autocomplete("translate", "to", typed, text="x")
        assert language in [choice["value"] for choice in found]
    assert len(await harness.wire.autocomplete("translate", "to", "", text="x")) == 25


async def test_the_menu_translate_reads_anybodys_message_for_its_reader_alone(harness: BotHarness) -> None:
    said = await harness.wire.say("Guten Morgen", user="admin", channel=harness.place)
    harness.model.says("Good morning")
    answer = await (await harness.wire.menu("Translate", said, user="friend")).answer(is_final)
    assert answer.content.startswith("Good morning\n")
    assert answer.ephemeral
    assert sent(harness)[-1]["content"] == "Guten Morgen"
    assert "English" in sent(harness)[0]["content"]


async def test_rewrite_shows_the_model_the_sample_of_a_shipped_style(harness: BotHarness) -> None:
    styles = await harness.wire.autocomplete("rewrite", "style", "noir")
    assert [choice["value"] for choice in styles] == ["noir"]
    answer = await harness.answer("rewrite", text="We meet on Monday.", style="noir")
    assert answer.content.endswith("-# fake-model · one-shot")
    assert answer.ephemeral
    assert [message["role"] for message in sent(harness)] == ["system", "user", "assistant", "user"]
    assert "The rain had been at it" in sent(harness)[2]["content"]


async def test_rewrite_takes_a_sample_of_the_persons_own_and_a_file(harness: BotHarness) -> None:
    file = harness.wire.file("letter.txt", "Dear friends,\nthe race is off.".encode("utf-8-sig"))
    answer = await harness.answer("rewrite", file=file, sample="Hear ye, hear ye!", private=False)
    assert not answer.ephemeral
    assert sent(harness)[2]["content"] == "Hear ye, hear ye!"
    assert sent(harness)[-1]["content"].endswith("\n\nDear friends,\nthe race is off.")


async def test_rewrite_without_a_text_opens_a_window(harness: BotHarness) -> None:
    modal = await (await harness.slash("rewrite", style="pirate")).modal()
    assert [one["value"] for one in modal.fields["style"]["options"] if one.get("default")] == ["pirate"]
    answer = await (await harness.wire.submit(modal, {"Text": "Line one.\nLine two."})).answer(is_final)
    assert answer.ephemeral
    assert sent(harness)[-1]["content"].endswith("Line one.\nLine two.")


async def test_the_menu_rewrite_brings_the_message_into_the_window(harness: BotHarness) -> None:
    said = await harness.wire.say("The cup is ours.", user="admin", channel=harness.place)
    modal = await (await harness.wire.menu("Rewrite…", said)).modal()
    assert "The cup is ours." in [field.get("value") for field in modal.fields.values()]
    answer = await (await harness.wire.submit(modal, {"Style": "haiku"})).answer(is_final)
    assert answer.ephemeral
    assert sent(harness)[-1]["content"].endswith("The cup is ours.")


async def test_facts_are_checked_and_laid_out_for_all(harness: BotHarness) -> None:
    harness.model.says(f"Of course!\n{XML}")
    answer = await harness.answer("facts", about="Senn Kava")
    assert not answer.ephemeral
    assert answer.content.startswith("**Kava**\n- She won the cup.\n- Her pod is \\*The Thunderbolt\\*.\n\n-# ")
    assert sent(harness)[-1]["content"] == "Facts about: Senn Kava"


async def test_raw_facts_are_the_xml_as_it_came(harness: BotHarness) -> None:
    harness.model.says(XML)
    answer = await harness.answer("facts", about="Senn Kava", raw=True)
    assert answer.content.startswith(f"```xml\n{XML}\n```")


async def test_facts_in_another_form_are_asked_for_once_more(harness: BotHarness) -> None:
    harness.model.says("She won the cup.", XML)
    answer = await harness.answer("facts", about="Senn Kava")
    assert "asked twice for the right format" in answer.content
    assert len(harness.model.calls) == 2


async def test_a_review_gets_stars_and_a_reason(harness: BotHarness) -> None:
    harness.model.says("4: Good food, slow service.")
    answer = await harness.answer("sentiment", review="Slow, but good.")
    assert answer.content.startswith("★★★★☆ **4/5**\nGood food, slow service.\n-# fake-model · few-shot")
    assert answer.ephemeral
    assert sum(message["role"] == "assistant" for message in sent(harness)) == 3


async def test_ask_names_the_trick_and_why_and_lets_the_person_choose_another(harness: BotHarness) -> None:
    harness.model.once(
        '{"template": "translate", "inputs": {"text": "Hi", "to": "Greek"}, "why": "It asks for Greek."}'
    )
    harness.model.says("Γεια")
    answer = await harness.answer("ask", request="Say hi in Greek")
    assert answer.content.startswith("-# **translate** · It asks for Greek.\nΓεια\n")
    assert not answer.ephemeral
    harness.model.once('{"template": "rewrite", "inputs": {"text": "Hi", "style": "pirate"}, "why": "Chosen."}')
    harness.model.says("Ahoy")
    other = await (await harness.wire.select(answer, "rewrite")).answer(is_final)
    assert other.id != answer.id
    assert "Ahoy" in other.content


async def test_help_turns_its_pages_in_place_for_one_reader(harness: BotHarness) -> None:
    page = await (await harness.slash("help", page="few-shot")).answer(is_sentence)
    assert page.ephemeral
    assert "show it a few times" in page.text
    turned = await (await harness.wire.select(page, "one-shot")).answer(lambda found: "show it once" in found.text)
    assert turned.id == page.id


async def test_commands_and_menus_say_where_they_may_be_used(harness: BotHarness) -> None:
    registered = (await harness.wire.commands())["0"]
    assert {"translate", "rewrite", "facts", "sentiment", "ask", "help"} <= {one["name"] for one in registered}
    assert {one["name"] for one in registered if one["type"] == 3} >= {"Translate", "Rewrite…"}
    for command in registered:
        assert command["integration_types"] == [0]
        assert set(command["contexts"]) <= {0, 1}


async def test_a_direct_message_is_answered_like_a_server(harness: BotHarness) -> None:
    answer = await harness.answer("translate", text="Good morning", to="Greek", channel="dm")
    assert answer.content.startswith("All is well.")
    assert is_final(answer)


def _inside_fences(message: Message) -> str:
    """What stands in the message's code blocks."""
    return "\n".join(message.content.split("```")[1::2])


async def test_a_long_answer_is_split_with_its_code_whole(harness: BotHarness) -> None:
    code = "\n".join(f"print({number})  # lap {number} of the race" for number in range(120))
    harness.model.says(f"Here it is:\n\n```python\n{code}\n```\n\nThat was all.")
    exchange = await harness.slash("translate", text="code please", to="Python", private=False)
    await exchange.answer(timeout=10)
    await harness.wire.until(is_final, channel=harness.place)
    messages = await exchange.messages()
    assert 2 <= len(messages) <= 3
    assert [bool(message.buttons) for message in messages] == [False] * (len(messages) - 1) + [True]
    assert all(message.content.count("```") % 2 == 0 for message in messages)
    shown = "\n".join(_inside_fences(message) for message in messages)
    assert all(f"# lap {number} of" in shown for number in range(120))


async def test_an_answer_beyond_three_messages_comes_as_a_file(harness: BotHarness) -> None:
    text = "A-lap-of-the-race, and-then-the-next. " * 300
    harness.model.says(text)
    answer = await harness.answer("translate", text="all of it", to="Greek")
    assert "as a file" in answer.content
    assert await harness.wire.download(answer.attachments[0]) == text.strip().encode()
