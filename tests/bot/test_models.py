"""What models and their servers do wrong, as the person meets it: a sentence in time, and nothing about keys."""

import asyncio
import json
import shutil
from collections.abc import Callable

import psutil
import pytest

from bot.app import TEMPLATES
from tests.bot.harness import LONG_ANSWER, BotHarness, is_final, is_sentence
from tests.bot.test_bad_input import only_a_sentence
from tests.fake_model import FakeModel
from tests.wire.exchange import Message

HALF = "the connection broke off here; ask again for the rest"
pytestmark = pytest.mark.asyncio(loop_scope="package")

BROKEN: list[tuple[str, Callable[[FakeModel], None], str]] = [
    ("a wrong key", lambda model: model.fails(401, message="Incorrect API key: test-token"), "credentials"),
    ("no right", lambda model: model.fails(403), "may not use this model"),
    ("no such model", lambda model: model.fails(404, code="model_not_found"), "does not exist"),
    ("no such address", lambda model: model.fails(404, message="404 page not found"), "OPENAI_BASE_URL"),
    ("no credit", lambda model: model.fails(429, code="insufficient_quota", times=3, retry_after=0), "credit"),
    ("too many", lambda model: model.fails(429, times=3, retry_after=0), "more requests than it takes"),
    ("a fault", lambda model: model.fails(500, times=3, retry_after=0), "has a fault right now"),
    ("a bad request", lambda model: model.fails(400), "did not accept this request"),
    ("nothing", lambda model: model.says_nothing(), "The model answered nothing."),
    ("no first word", lambda model: model.breaks_off(after=1, times=3, text="\n \n ", pieces=3), "Try again"),
]


@pytest.mark.parametrize(("fault", "sentence"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
async def test_a_server_that_does_not_serve_is_told(
    harness: BotHarness, fault: Callable[[FakeModel], None], sentence: str
) -> None:
    fault(harness.model)
    told = only_a_sentence(await harness.notice("translate", text="Good morning", to="Greek", private=False))
    assert sentence in told
    assert "key" not in told.lower()
    assert harness.wire.process is not None
    assert harness.model.token not in told + harness.wire.process.output
    assert await harness.wire.messages(harness.place, as_user="friend") == []


async def test_what_a_model_wrote_before_it_stopped_is_kept_and_said_to_be_half(harness: BotHarness) -> None:
    for fault in (harness.model.breaks_off, harness.model.errs_in_stream):
        fault(after=2)
        answer = await harness.answer("translate", text="count", to="Greek", private=False)
        assert answer.content.startswith("one two ")
        assert HALF in answer.content


async def test_thinking_and_half_emoji_are_not_shown(harness: BotHarness) -> None:
    said = "<think>\nFrench, then.\n</think>\n\nBonjour \ud83d tout le monde"
    harness.model.once(said, pieces=12, delay=0.15)
    exchange = await harness.slash("translate", text="x", to="Greek", private=False)
    shown: set[str] = set()

    def last_of_shown(message: Message) -> bool:
        shown.add(message.content)
        return is_final(message)

    answer = await exchange.answer(last_of_shown)
    assert answer.content.startswith("Bonjour \ufffd tout le monde\n-# ")
    assert not any("French" in text or "think" in text for text in shown)


async def test_a_rating_with_thinking_and_marks_around_it_takes_one_call(harness: BotHarness) -> None:
    harness.model.once("<think>\nIs it 5 or 2: hm.\n</think>\n\n**Rating:** 4/5 – friendly but slow")
    answer = await harness.answer("sentiment", review="Friendly, but the soup took an hour.")
    assert "★★★★☆" in answer.text
    assert "friendly but slow" in answer.text
    assert len(harness.model.calls) == 1


async def test_a_model_that_refuses_is_quoted(harness: BotHarness) -> None:
    harness.model.declines("I cannot help with that.")
    assert (await harness.answer("translate", text="x", to="Greek")).content.startswith("I cannot help with that.\n-# ")


async def test_an_answer_at_the_limit_of_its_length_says_so(harness: BotHarness) -> None:
    harness.model.once("one two", finish="length")
    assert "cut off at the length limit" in (await harness.answer("translate", text="x", to="Greek")).content


async def test_a_silent_model_is_given_up_and_a_slow_one_waited_for(harness: BotHarness) -> None:
    """The slow one takes longer in all than the bot waits for a silent one."""
    harness.model.hangs(times=3)
    silent = await harness.slash("translate", text="silent", to="Greek", private=False)
    await asked(harness, 1)
    harness.model._next.clear()
    harness.model.hangs(after=2)
    half = await harness.slash("translate", text="half", to="Greek")
    await asked(harness, 2)
    harness.model.says(LONG_ANSWER, pieces=10, delay=0.45)
    slow = await harness.slash("translate", text="slow", to="Greek")
    assert "took too long to answer" in only_a_sentence(await silent.answer(is_sentence))
    assert HALF in (await half.answer(is_final)).content
    assert (await slow.answer(is_final)).content.startswith(LONG_ANSWER)


async def asked(server: BotHarness | FakeModel, times: int) -> None:
    """Returns once the model was asked so often."""
    model = server.model if isinstance(server, BotHarness) else server
    for _ in range(500):
        if len(model.calls) >= times:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"the model was asked {len(model.calls)} times")


async def test_each_address_has_its_own_queue_and_one_that_hangs_holds_up_no_other(fresh: BotHarness) -> None:
    """With one call at a time: two models share the second address, where people see their place in the queue."""
    async with FakeModel(token="other-token") as other:
        server = {"base_url": other.url, "key": other.token}
        listed = [{"name": "fast"}, {"name": "slow", "label": "Slow", **server}, {"name": "third", **server}]
        given = {"CHAT_MODEL": "", "CHAT_CONCURRENCY": "1", "CHAT_MODELS": json.dumps(listed)}
        async with fresh.bot(given, TEST_FIRST_NOTICE="0.2"):
            other.says("σελήνη")
            other.holds()
            waiting = []
            for number, (user, model) in enumerate((("member", "Slow"), ("friend", "third"), ("operator", "slow"))):
                waiting.append(await fresh.slash("translate", text="moon", to="Greek", user=user, model=model))
                told = await waiting[-1].answer(waits_behind(number))
                assert told.content.startswith("Waiting for the model's first word: ")
            assert [body["model"] for body in other.requests] == ["slow"]
            assert (await fresh.answer("translate", text="moon", to="Greek")).content.startswith("ok\n-# fast · ")
            assert [body["model"] for body in fresh.model.requests] == ["fast"]
            await fresh.wire.press(await waiting[1].answer(waits_behind(1)), "Stop", user="friend")
            await waiting[2].answer(waits_behind(1))
            other.release()
            for exchange in (waiting[0], waiting[2]):
                assert (await exchange.answer(is_final)).content.startswith("σελήνη\n-# Slow · ")
        assert [body["model"] for body in other.requests] == ["slow", "slow"]
        assert {call.headers["Authorization"] for call in other.calls} == {"Bearer other-token"}
        assert other.most_running == 1


def waits_behind(others: int) -> Callable[[Message], bool]:
    """Whether a message says that so many requests come first."""
    place = f"\n-# {others} request{'s are' if others > 1 else ' is'} before yours at this model's server."
    return lambda found: "first word" in found.content and found.content.endswith(place if others else " …")


async def test_a_bot_that_waits_for_the_model_takes_other_commands(harness: BotHarness) -> None:
    harness.model.holds()
    waiting = await harness.slash("translate", text="x", to="Greek")
    page = await (await harness.slash("help")).answer(is_sentence)
    assert "What I do" in page.text
    harness.model.release()
    await waiting.answer(is_final)


async def unparsed(harness: BotHarness, words: str, command: str, **options: str) -> str:
    """What is said of an answer in another form, above the model's own `words`, with the prompt that led to them."""
    told = await harness.answer(command, **options)
    sentence, _, rest = told.content.partition("\n\n")
    assert rest.startswith(f"{words}\n-# fake-model · ")
    assert "asked twice for the right format" in rest
    assert {"Prompt", "Again", "Follow up…", "⋯"} <= set(told.buttons)
    assert len(harness.model.calls) == 2
    assert words in (await harness.press(told, "Prompt")).text
    return sentence


BAD_XML = {
    "entities": '<!DOCTYPE FACTS [<!ENTITY a "aaaa">]><FACTS entity="x"><FACT>&a;</FACT></FACTS>',
    "half an element": '<FACTS entity="x"><FACT>She won.</FACT><FACT>She',
    "another root": "<facts><fact>She won.</fact></facts>",
    "another child": '<FACTS entity="x"><FACT>She won.</FACT><SCRIPT>x</SCRIPT></FACTS>',
    "no entity": "<FACTS><FACT>She won.</FACT></FACTS>",
    "not XML": "She won the cup.",
}


@pytest.mark.parametrize("xml", BAD_XML.values(), ids=BAD_XML.keys())
async def test_facts_that_stay_in_another_form_are_a_visible_failure(harness: BotHarness, xml: str) -> None:
    harness.model.says(xml)
    told = await unparsed(harness, xml, "facts", about="Kava")
    assert "element" in told or "XML" in told


async def test_a_rating_in_another_form_is_a_visible_failure(harness: BotHarness) -> None:
    harness.model.says("Rather good, six stars.")
    assert "N: reason" in await unparsed(harness, "Rather good, six stars.", "sentiment", review="Good.")


BAD_CHOICES = {
    "unknown template": ({"template": "fly", "inputs": {}, "why": "x"}, "chose “fly”, which is not one of my tricks"),
    "no template": ({"template": "none", "inputs": {}, "why": "No trick can fly."}, "None of my tricks fits this: No"),
    "missing inputs": ({"template": "translate", "inputs": {"to": "Greek"}, "why": "x"}, "found no text"),
    "the bot's own": ({"template": "select", "inputs": {}, "why": "x"}, "not one of my tricks"),
}


@pytest.mark.parametrize(("choice", "sentence"), BAD_CHOICES.values(), ids=BAD_CHOICES.keys())
async def test_a_choice_that_fits_nothing_leaves_the_choice_to_the_person(
    harness: BotHarness, choice: dict[str, object], sentence: str
) -> None:
    harness.model.says(json.dumps(choice))
    answer = await harness.answer("ask", lambda found: bool(found.menus), request="Fly me to the moon")
    assert sentence in answer.content
    harness.model.once('{"template": "translate", "inputs": {"text": "moon", "to": "Greek"}, "why": "x"}')
    harness.model.says("σελήνη")
    assert "σελήνη" in (await (await harness.wire.select(answer, "translate")).answer(is_final)).content


async def test_a_choice_that_is_no_json_is_told_after_one_repair(harness: BotHarness) -> None:
    harness.model.says("I would translate it.")
    assert "could not be read" in await unparsed(harness, "I would translate it.", "ask", request="Say hi in Greek")


def no_model_card(message: Message) -> bool:
    """The card that shows what would have been sent."""
    return "No model connected" in message.text and is_final(message)


async def test_without_a_model_every_trick_shows_what_it_would_send(fresh: BotHarness) -> None:
    """With a template that is broken at start, too: it is named, and the others serve. Ctrl-C ends the engine, too."""
    templates = fresh.wire.folder / "templates"
    shutil.copytree(TEMPLATES, templates)
    (templates / "rewrite.json").write_text('{"messages": [{"role": "king"', encoding="utf-8")
    bare = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", "CHAT_MODEL": "", "TEST_TEMPLATES": str(templates)}
    async with fresh.bot(bare) as process:
        assert "Model: stand-in" in process.output
        assert "rewrite.json" in process.output
        cards = await asyncio.gather(
            fresh.answer("translate", no_model_card, text="Good morning", to="Greek"),
            fresh.answer("facts", no_model_card, about="Senn Kava"),
            fresh.answer("ask", no_model_card, request="Say hi in Greek"),
        )
        assert "Good morning" in cards[0].text
        assert "Facts about: Senn Kava" in cards[1].text
        assert "Say hi in Greek" in cards[2].text
        assert "Connect a model" in cards[0].buttons
        page = await fresh.press(cards[0], "Connect a model")
        assert "OPENAI_API_KEY" in page.text
        assert "rewrite" not in {one["name"] for one in (await fresh.wire.commands())["0"]}
        rated = await fresh.notice("sentiment", review="Wonderful, I love it!")
        assert "Stand-in · no model connected" in rated.text
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        process.interrupt()
        assert await process.wait() == 0
        _, alive = await asyncio.to_thread(psutil.wait_procs, children, 5)
        assert not alive
        assert "Traceback" not in process.output
