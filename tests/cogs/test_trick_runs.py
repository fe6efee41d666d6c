"""The test set of a trick and its runs, as managers use them."""

import asyncio
import json
import re
from typing import Any

import discord
import pytest
import simcord

from bot.core.caller import Caller
from bot.server.trick_tests import MAX_TESTS
from tests.cogs import operating
from tests.cogs.operating import TIMEOUT, shown
from tests.simulated import Simulated, parts_of

CSV = 'input,expected\nLend me a pod?,"Alas, no."\nDance with me?,"Alas, no."\n=1+1,"Alas, no."\n'


def refusal(body: dict[str, Any]) -> str:
    """A model that refuses politely where an example shows how, and bluntly where one is blunt."""
    shown = [message["content"] for message in body["messages"] if message["role"] == "assistant"]
    return "Never!" if "Never!" in shown else "Alas, no." if "Alas, no." in shown else "No."


async def taught(sim: Simulated, *examples: tuple[str, str], name: str = "refuse") -> None:
    messages = [{"role": "system", "content": "Refuse."}]
    for given, wanted in examples:
        messages += [{"role": "user", "content": given}, {"role": "assistant", "content": wanted}]
    data = {"about": "refuse", "messages": [*messages, {"role": "user", "content": "{{input}}"}]}
    await sim.services.tricks.import_file(sim.guild.id, sim.admin.id, name, json.dumps(data))


async def imported(sim: Simulated, text: str, file: str = "tests.csv", name: str = "refuse") -> str:
    return sim.said(await sim.admin.slash(sim.general, "trick test import", name=name, file=(file, text.encode())))


async def estimate(sim: Simulated, name: str = "refuse") -> simcord.ResponseMessage:
    result = await sim.admin.slash(sim.general, "trick test run", name=name)
    assert result.response is not None
    return result.response


async def ran(sim: Simulated, message: simcord.ResponseMessage | None = None, label: str = "Run") -> discord.Message:
    """Press the button, and wait for the end of the run; its card."""
    await sim.admin.click(message or await estimate(sim), label=label)
    async with asyncio.timeout(TIMEOUT):
        while True:
            card = sim.general.history()[-1]
            if "Testing" not in shown(card) and not await sim.services.trick_runs.running():
                return card
            await asyncio.sleep(0.05)


def card_buttons(message: discord.Message) -> list[discord.Button]:
    """The buttons of a card."""
    (box,) = message.components
    assert isinstance(box, discord.Container)
    rows = [row for row in box.children if isinstance(row, discord.ActionRow)]
    return [part for row in rows for part in row.children if isinstance(part, discord.Button)]


def menu(message: simcord.ResponseMessage | None, action: str) -> str:
    """The custom id of a menu."""
    assert message is not None
    return next(str(part["custom_id"]) for part in parts_of(message.components) if action in str(part.get("custom_id")))


async def test_examples_make_a_trick_better_and_a_revert_makes_it_worse(sim: Simulated) -> None:
    sim.model.says(refusal)
    await taught(sim, ("Work on Sunday?", "No!"))
    assert "3 tests were added" in await imported(sim, CSV)
    asked = await estimate(sim)
    assert "**Asks** 3 tests with no example, all examples" in sim.text(asked)
    assert "**Judge** exactly the expected answer" in sim.text(asked)
    assert "**Takes** 6 calls, about" in sim.text(asked)
    card = await ran(sim, asked)
    assert "refuse, version 1, on 3 inputs\n**0%** no example" in shown(card)
    await sim.services.tricks.add_example(sim.guild.id, sim.admin.id, "refuse", "Sing?", "Alas, no.")
    better = shown(card := await ran(sim))
    assert "**100%** all examples" in better
    assert "**0%** the version before" in better
    assert "Failures" not in [part.label for part in card_buttons(card)]
    await sim.services.tricks.revert(sim.guild.id, sim.admin.id, "refuse", 1)
    worse = shown(card := await ran(sim))
    assert "**0%** all examples" in worse
    assert "**100%** the version before" in worse
    failed = await sim.admin.click(card, label="Failures")
    assert "Lend me a pod? → Alas, no.\n-# The answer was: No." in sim.text(failed.response)
    assert failed.response is not None
    assert b'\'=1+1,"Alas, no.",No.' in await failed.response.attachments[0].read()
    again = await sim.admin.click(failed.response, label="Run these again")
    assert "**Asks** 3 tests" in sim.text(again.response)
    assert not sim.errors


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("input,expected\na,b\nA!,c\na,B\n", "1 test was added.\nLine 3: The same input has another answer already: b"),
        (
            "input,expected\na,\n,b\n",
            "0 tests were added.\nLine 2: The expected answer is empty.\nLine 3: The input is",
        ),
        ("input,expected\nwork on sunday,b\n", "Line 2: It is an example of the trick: the model would only have to"),
        ("question;answer\na;b\n", "must name the columns “input” and “expected”"),
        ('{"input": "a", "expected": {"b": 1}}\n{"input": "c"}', "1 test was added.\nLine 2: The expected answer is"),
        ('{"input": "a"\n', "Line 1 is not a JSON object"),
        (
            "input,expected\n" + "".join(f"a{n},b\n" for n in range(MAX_TESTS + 2)),
            "50 tests were added.\nLine 52: A tr",
        ),
        ("x" * 10_000_000, "too large"),
        ("input,expected\na," + "x" * 3_000, "its answer up to 2,000"),
    ],
)
async def test_a_row_that_is_no_test_is_named_with_its_line(sim: Simulated, text: str, said: str) -> None:
    await taught(sim, ("Work on Sunday?", "No!"))
    assert said in await imported(sim, text, "tests.jsonl" if text.startswith("{") else "tests.csv")


async def test_an_export_for_promptfoo_has_the_tests_and_is_imported_again(sim: Simulated) -> None:
    await taught(sim, ("Work on Sunday?", "No!"))
    await imported(sim, CSV)
    exported = await sim.admin.slash(sim.general, "trick export", name="refuse", format="promptfoo")
    assert "**refuse** with its 3 tests: `npx promptfoo eval -c refuse.yaml` runs them" in sim.text(exported.response)
    assert exported.response is not None
    (file,) = exported.response.attachments
    data = await file.read()
    assert b"id: openai:chat:fake-model\n" in data
    again = await sim.admin.slash(sim.general, "trick import", file=("again.yaml", data))
    assert "3 tests were added." in sim.said(again)
    first, second = [await sim.services.trick_tests.all(sim.guild.id, name) for name in ("refuse", "again")]
    assert (second[0].system, second[0].examples) == (first[0].system, first[0].examples)
    assert [(test.input, test.expected) for test in second[1]] == [(test.input, test.expected) for test in first[1]]
    prompt = {"id": "pmpt_1", "model": "gpt-9", "tools": [{"type": "web_search"}], "instructions": "Refuse."}
    bare = await sim.admin.slash(sim.general, "trick import", file=("bare.json", json.dumps(prompt).encode()))
    assert "⚠️ Left out, because a trick has no such part: model, tools" in sim.said(bare)
    assert not sim.errors


async def test_an_answer_is_kept_as_a_test_and_the_list_removes_it(sim: Simulated) -> None:
    sim.model.says("Alas, no.")
    await taught(sim, ("Work on Sunday?", "No!"))
    used = await sim.member.slash(sim.general, "trick use", name="refuse", text="Dance?")
    prompt = await sim.admin.click(used.response, label="Prompt")
    opened = await sim.admin.click(prompt.response, label="Keep as a test")
    kept = await sim.admin.submit_modal(opened, {"input": "Dance?", "expected": "Alas, no."})
    assert "**refuse** has 1 test now." in sim.text(kept.response)
    # The example was added later: the test leaks, and is left out.
    await imported(sim, CSV)
    await sim.services.tricks.add_example(sim.guild.id, sim.admin.id, "refuse", "dance", "Alas, no.")
    assert "**Left out**, because an example has the same input: Dance?" in sim.text(await estimate(sim))
    listed = await sim.admin.slash(sim.general, "trick test list", name="refuse")
    assert "1. Dance? → Alas, no." in sim.text(listed.response)
    _trick, tests = await sim.services.trick_tests.all(sim.guild.id, "refuse")
    await sim.admin.select(listed.response, [tests[0].id])
    assert len((await sim.services.trick_tests.all(sim.guild.id, "refuse"))[1]) == 3


async def test_without_tests_each_example_is_asked_for_with_the_others(sim: Simulated) -> None:
    await taught(sim, ("one", "first"), ("two", "second"), ("three", "third"))
    sim.model.says("Second!")
    card = shown(await ran(sim))
    assert "**33%** no example" in card
    assert "**33%** all examples" in card
    for body in sim.model.requests:
        texts = [message["content"] for message in body["messages"]]
        assert texts.count(texts[-1]) == 1


async def test_a_judge_is_shown_and_one_that_talks_nonsense_is_counted(sim: Simulated) -> None:
    def judged(body: dict[str, Any]) -> str:
        asked = body["messages"][-1]["content"]
        if "Answer to judge" not in asked and "Answer once more" not in asked:
            return "Never ever"
        return '{"right": true, "why": "fine"}' if "pod" in str(body["messages"]) else "Well, well."

    sim.model.says(judged)
    await taught(sim)
    await imported(sim, "input,expected\nLend me a pod?,no\nDance?,no\n")
    asked = await estimate(sim)
    chosen = await sim.admin.select(asked, ["model"], custom_id=menu(asked, "test-judge"))
    assert "You judge answers." in sim.text(chosen.response)
    chosen = await sim.admin.select(chosen.response, ["2"], custom_id=menu(chosen.response, "test-repeat"))
    assert "**Takes** 8 calls" in sim.text(chosen.response)
    text = shown(await ran(sim, chosen.response))
    assert "**100%** (100% to 100%) all examples" in text
    assert "2 answers could not be judged: The judge's answer could not be read." in text


@pytest.mark.settings(daily_tokens_per_user=2_500)
async def test_a_run_that_does_not_fit_into_the_day_is_refused_before_its_first_call(sim: Simulated) -> None:
    await taught(sim, ("Work on Sunday?", "No!"))
    await imported(sim, "input,expected\n" + "".join(f"a{n},b\n" for n in range(40)))
    result = await sim.admin.slash(sim.general, "trick test run", name="refuse")
    assert "You have used up today's tokens: this would take about" in sim.said(result)
    assert not sim.model.requests


async def test_two_runs_of_a_trick_do_not_run_at_once_and_a_stopped_one_goes_on(sim: Simulated) -> None:
    sim.model.says(refusal)
    await taught(sim, ("Sing?", "Alas, no."))
    await imported(sim, CSV)
    runs, caller = sim.services.trick_runs, Caller(sim.admin.id, sim.guild.id, sim.general.id)
    plan = (await runs.prepare(sim.guild.id, "refuse")).plan
    started = await runs.start(caller, plan)
    refused = await sim.admin.click(await estimate(sim), label="Run")
    assert "A test of refuse is running already" in sim.said(refused)
    # The process dies after some answers: what is stored is not asked again.
    two = asyncio.Event()

    def noted(done: int, _total: int) -> None:
        if done == 2:
            two.set()

    executing = asyncio.create_task(runs.execute(started, noted))
    await two.wait()
    executing.cancel()
    await asyncio.wait([executing])
    await sim.services.database.transact(lambda _connection: asyncio.sleep(0))  # after what was being written
    paid = len((await runs.results(started)).cells)
    before = len(sim.model.calls)
    ended = await runs.execute(started, lambda _done, _total: None)
    assert ended.row.state == "done"
    assert len(sim.model.calls) - before == len(plan.cells) - paid
    sim.model.fails(500, times=50)
    text = shown(card := await ran(sim))
    assert "⚠️ Only 0 of 6 answers" in text
    sim.model._next.clear()
    await sim.admin.click(card, label="Go on")
    await operating.card(sim, "on 3 inputs\n**0%** no example")


async def test_a_run_is_stopped_and_keeps_its_answers(sim: Simulated) -> None:
    sim.model.says(refusal)
    await taught(sim, ("Sing?", "Alas, no."))
    await imported(sim, CSV)
    sim.model.holds()
    await sim.admin.click(await estimate(sim), label="Run")
    refused = await sim.member.click(await operating.card(sim, "Testing refuse"), label="Stop")
    assert "Only those who may manage this server" in sim.said(refused)
    await sim.admin.click(sim.general.history()[-1], label="Stop")
    stopped = await operating.card(sim, "⚠️ Only 0 of 6 answers: Somebody stopped it.")
    sim.model.release()
    await sim.admin.click(stopped, label="Go on")
    assert "**100%** all examples" in shown(await operating.card(sim, "refuse, version 1, on 3 inputs\n**0%**"))


async def test_an_idle_and_a_harmful_example_are_found_and_dropped(sim: Simulated) -> None:
    sim.model.says(refusal)
    await taught(sim, ("Sing?", "Alas, no."), ("Is it raining?", "Perhaps."), ("Jump!", "Never!"))
    await imported(sim, CSV)
    card = await ran(sim)
    asked = await sim.admin.click(card, label="Which examples matter?")
    assert "**Takes** 12 calls" in sim.text(asked.response)
    card = await ran(sim, asked.response)
    text = shown(card)
    assert "2. Is it raining? → Perhaps.\n-# 💤 **idle**: without it, every answer is the same" in text
    assert "3. Jump! → Never!\n-# ❌ **harmful**: without it, 3 of 3 answers are better and 0 worse" in text
    assert {body["temperature"] for body in sim.model.requests[-12:]} == {0}
    dropped = await sim.admin.click(card, label="Drop the harmful ones")
    assert "refuse without 1 example is version 2" in sim.text(dropped.response)
    late = await sim.admin.click(card, label="Drop the idle ones")
    assert "refuse has changed since version 1; test it again." in sim.said(late)
    used = await sim.admin.slash(sim.general, "trick use", name="refuse", text="Dance?")
    prompt = await sim.admin.click(used.response, label="Prompt")
    asked = await sim.admin.click(prompt.response, label="Which examples matter?")
    text = shown(await ran(sim, asked.response))
    assert "1. Sing? → Alas, no.\n-# 🔀 without it, 1 of 1 answers change" in text
    assert "2. Is it raining? → Perhaps.\n-# 💤 **idle**" in text


async def test_the_nearest_of_many_examples_are_measured_against_random_ones(sim: Simulated) -> None:
    """A model that repeats the answer of an example about the same thing, and knows nothing else."""

    def parrot(body: dict[str, Any]) -> str:
        *shown, asked = body["messages"][1:]
        pairs = zip(shown[::2], shown[1::2], strict=True)
        topic = asked["content"].split()[0]
        return next((wanted["content"] for given, wanted in pairs if topic in given["content"].split()), "?")

    # So many that eight chosen at random never fit all of them.
    topics = [f"{first}{last}" for first in ("apple", "bridge", "cloud", "door", "engine") for last in "abcd"]
    sim.model.says(parrot)
    await taught(sim, *((f"{topic} is it", topic.upper()) for topic in topics))
    await imported(sim, "input,expected\n" + "".join(f"{topic} or so,{topic}\n" for topic in topics))
    card = shown(await ran(sim))
    assert "**100%** the nearest examples" in card
    assert re.search(r"\*\*\d\d?%\*\* random examples", card)
