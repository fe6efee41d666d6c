"""The shot selector and Export on a prompt's card, as the asker meets them."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
import simcord

from bot.llm.request import Request
from bot.llm.template import ChatTemplate
from bot.tuning.inference import for_model
from tests.simulated import Simulated, parts_of, simulated

REVIEW = "The lamp flickers, but the seller sent a new one within a day."


async def card(sim: Simulated) -> simcord.ResponseMessage:
    """The prompt card of a rated review."""
    sim.model.says("4: A quick replacement makes up for the fault.")
    answered = await sim.member.slash(sim.general, "sentiment", review=REVIEW)
    shown = await sim.member.click(answered.response, label="Prompt")
    assert shown.response is not None
    return shown.response


def examples_sent(sim: Simulated) -> int:
    return sum(message["role"] == "assistant" for message in sim.model.requests[-1]["messages"])


async def test_each_choice_runs_the_same_input_in_place_with_that_many_examples(sim: Simulated) -> None:
    message = await card(sim)
    for choice, examples, technique in (("0", 0, "zero"), ("1", 1, "one"), ("3", 3, "few"), ("All", 3, "few")):
        sim.model.says(f"2: said with {examples}")
        await sim.member.click(message, label=choice)
        assert examples_sent(sim) == examples
        assert sim.model.requests[-1]["messages"][-1]["content"] == REVIEW
        text = sim.text(message)
        assert text.startswith(f"### Prompt · {technique}-shot")
        assert f"★★☆☆☆ **2/5**\nsaid with {examples}" in text
    assert not sim.errors


async def test_choices_that_need_more_examples_are_disabled_and_tuned_needs_a_model(
    sim: Simulated,
) -> None:
    answered = await sim.member.slash(sim.general, "translate", text="Good morning")
    shown = await sim.member.click(answered.response, label="Prompt")
    assert shown.response is not None
    off = {
        part["label"]: part.get("disabled", False) for part in parts_of(shown.response.components) if "label" in part
    }
    assert off == {"0": False, "1": True, "3": True, "All": True, "Export": False}


async def test_tuned_asks_the_model_that_was_tuned_for_the_template(sim: Simulated) -> None:

    async def reviews(request: Request) -> ChatTemplate | None:
        return for_model(request.template.with_examples(0), "ft:reviews") if request.template else None

    sim.services.answers.find_tuned = reviews
    await sim.member.click(await card(sim), label="Tuned")
    assert sim.model.requests[-1]["model"] == "ft:reviews"
    assert examples_sent(sim) == 0


async def test_a_rerun_that_fails_says_why_and_leaves_the_shot_selector(sim: Simulated) -> None:
    message = await card(sim)
    sim.model.fails(401)
    failed = await sim.member.click(message, label="0")
    assert "credentials" in failed.followups[0].content
    assert sim.buttons(message)[:5] == ["0", "1", "3", "All", "Export"]


async def test_the_shot_selector_works_after_a_restart(tmp_path: Path) -> None:
    """Of a private answer from the moment that its asker has opened the prompt."""
    async with simulated(tmp_path) as sim:
        sim.model.says("4: fine")
        answered = await sim.member.slash(sim.general, "sentiment", review=REVIEW)
        assert answered.response is not None
        buttons = [part["custom_id"] for part in parts_of(answered.response.components) if "custom_id" in part]
        prompt_id = next(name.removeprefix("do:prompt:") for name in buttons if name.startswith("do:prompt:"))
        await sim.member.click(answered.response, label="Prompt")
    async with simulated(tmp_path) as sim:
        found = await sim.services.prompts.find(prompt_id)
        assert found is not None
        assert found.template is not None
        assert dict(found.values) == {"review": REVIEW}
        assert found.template.with_examples(1).fill(found.values).messages[-1]["content"] == REVIEW


async def test_only_the_asker_and_managers_may_see_and_rerun_a_prompt(sim: Simulated) -> None:
    sim.model.says("4: fine")
    answered = await sim.member.slash(sim.general, "sentiment", review=REVIEW, private=False)
    assert answered.response is not None
    refused = await sim.other.click(answered.response, label="Prompt")
    assert "Only the one who asked" in sim.text(refused.followups[0])
    allowed = await sim.admin.click(answered.response, label="Prompt")
    assert REVIEW in sim.text(allowed.response)


@pytest.mark.settings(openai_base_url=None, openai_api_key=None, chat_model=None)
async def test_without_a_model_the_shot_selector_shows_what_each_choice_would_send(sim: Simulated) -> None:
    answered = await sim.member.slash(sim.general, "sentiment", review=REVIEW)
    message = answered.response
    assert message is not None
    assert sim.text(message).count("**assistant") == 3
    await sim.member.click(message, label="1")
    assert sim.text(message).count("**assistant") == 1
    assert "No model connected" in sim.text(message)


async def test_the_export_runs_as_it_stands(sim: Simulated, tmp_path: Path) -> None:
    """Both files in one folder, and a model in the environment."""
    exported = await sim.member.click(await card(sim), label="Export")
    assert exported.response is not None
    for file in exported.response.message.attachments:
        (tmp_path / file.filename).write_bytes(await file.read())
    assert ChatTemplate.from_file(tmp_path / "sentiment.json") == sim.services.templates.get("sentiment")
    assert len((tmp_path / "sentiment.py").read_text().splitlines()) == 4
    sim.model.says("4: It ran.")
    environment = {**os.environ, "OPENAI_BASE_URL": sim.model.url, "OPENAI_API_KEY": sim.model.token}
    environment |= {"CHAT_MODEL": "fake-model", "PYTHONPATH": str(Path(__file__).parents[2])}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "sentiment.py",
        cwd=tmp_path,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert (out.decode(), err.decode()) == ("4: It ran.\n", "")
    assert sim.model.requests[-1]["messages"][-1]["content"] == REVIEW
