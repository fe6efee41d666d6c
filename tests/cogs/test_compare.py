"""`/compare` and its test on labelled inputs, as a person meets them."""

import re
from typing import Any

import pytest

from bot.server.evaluation import shipped_cases
from tests.simulated import Simulated, parts_of

REVIEW = "The lamp flickers, but the seller sent a new one within a day."


def shown(body: dict[str, Any]) -> int:
    """How many examples a request holds."""
    return sum(message["role"] == "assistant" for message in body["messages"])


async def test_one_card_has_every_answer_with_tokens_price_and_time(sim: Simulated) -> None:
    sim.model.says(lambda body: f"{shown(body) + 1}: seen {shown(body)} examples")
    result = await sim.member.slash(sim.general, "compare", trick="sentiment", text=REVIEW)
    text = sim.text(result.response)
    for examples, name in ((0, "no example"), (1, "one example"), (3, "all 3 examples")):
        assert re.search(
            rf"\*\*{name}\*\* .*\n.*{examples + 1}/5.*\nseen {examples} examples\n-# \d+ tokens in, \d+ out · .* · \d",
            text,
        )
    assert all(body["messages"][-1]["content"] == REVIEW for body in sim.model.requests)
    assert sim.buttons(result.response)[-1] == "Test on 50"
    assert not sim.errors


async def test_an_answer_that_ended_early_is_marked_on_every_card(sim: Simulated) -> None:
    note = " · cut off at the length limit"
    sim.model.once("half an answer", finish="length")
    compared = await sim.member.slash(sim.general, "compare", trick="translate", text="Good morning")
    assert note in sim.text(compared.response)
    assert note in sim.text((await sim.member.click(compared.response, label="Prompt: no example")).response)
    answered = await sim.member.slash(sim.general, "translate", text="Good morning")
    card = (await sim.member.click(answered.response, label="Prompt")).response
    assert note not in sim.text(card)
    sim.model.once("half an answer", finish="length")
    await sim.member.click(card, label="0")
    assert note in sim.text(card)


async def test_each_answer_of_a_comparison_shows_its_prompt(sim: Simulated) -> None:
    sim.model.says("4: fine")
    result = await sim.member.slash(sim.general, "compare", trick="sentiment", text=REVIEW)
    prompt = await sim.member.click(result.response, label="Prompt: one example")
    assert "one-shot" in sim.text(prompt.response)


async def test_a_trick_with_several_inputs_is_compared_on_its_text(sim: Simulated) -> None:
    for trick in ("translate", "rewrite"):
        result = await sim.member.slash(sim.general, "compare", trick=trick, text="Good morning")
        assert "no example" in sim.text(result.response)
        assert sim.model.requests[-1]["messages"][-1]["content"].endswith("Good morning")


async def test_what_fails_stands_in_its_place_and_the_rest_is_there(sim: Simulated) -> None:
    sim.model.says(lambda body: "4: fine" if body["messages"][1]["content"] != REVIEW else "I would rather not say")
    result = await sim.member.slash(sim.general, "compare", trick="sentiment", text=REVIEW)
    assert "not in the form" in sim.text(result.response)
    assert "4/5" in sim.text(result.response)


async def test_an_unknown_trick_is_named_with_those_there_are(sim: Simulated) -> None:
    result = await sim.member.slash(sim.general, "compare", trick="juggle", text="x")
    assert "there are ask" not in sim.text(result.followups[0])
    assert "sentiment" in sim.text(result.followups[0])


async def test_the_curve_counts_what_each_number_of_examples_gets_right(sim: Simulated) -> None:
    """A model that knows the labels with three examples, a half of them with one, and none with none."""
    stars = {case.text: case.expected for case in shipped_cases("sentiment")}
    assert len(stars) == 50

    def answer(body: dict[str, Any]) -> str:
        right = stars[body["messages"][-1]["content"]]
        known = shown(body) == 3 or (shown(body) == 1 and right in "24")
        return f"{right if known else (int(right) % 5) + 1}: because"

    sim.model.says("4: fine")
    compared = await sim.member.slash(sim.general, "compare", trick="sentiment", text=REVIEW)
    sim.model.says(answer)
    tested = await sim.member.click(compared.response, label="Test on 50")
    text = sim.text(tested.response)
    assert "**no** examples: 0% right" in text
    assert "**one** example: 40% right" in text
    assert "**three** examples: 100% right" in text
    assert tested.response is not None
    (picture,) = tested.response.message.attachments
    assert (await picture.read()).startswith(b"\x89PNG")
    assert not sim.errors


async def test_a_test_that_meets_the_limit_shows_what_it_has_and_when_it_frees_up(sim: Simulated) -> None:
    sim.model.says("4: fine")
    compared = await sim.member.slash(sim.general, "compare", trick="sentiment", text=REVIEW)
    await sim.admin.slash(sim.general, "settings limits", person=8_000)
    tested = await sim.member.click(compared.response, label="Test on 50")
    assert "of 50 inputs were tried" in sim.text(tested.response)
    assert "resets <t:" in sim.text(tested.response)


@pytest.mark.settings(openai_base_url=None, openai_api_key=None, chat_model=None)
async def test_without_a_model_the_prompt_is_shown(sim: Simulated) -> None:
    result = await sim.member.slash(sim.general, "compare", trick="sentiment", text=REVIEW)
    shown = sim.text(result.response)
    assert "No model connected" in shown
    assert "few-shot" in shown
    fewer = await sim.member.click(result.response, label="1")
    assert "one-shot" in sim.said(fewer)


async def test_the_card_has_no_more_parts_than_discord_takes(sim: Simulated) -> None:
    sim.model.says("4: " + " ".join(["äöü" * 8] * 150))
    result = await sim.member.slash(sim.general, "compare", trick="sentiment", text=REVIEW)
    assert result.response is not None, result.followups[0].content
    assert len(list(parts_of(result.response.components))) <= 40
