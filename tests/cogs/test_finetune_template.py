"""A model that is tuned for a template: from labelled inputs to the Tuned choice under the template's answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.app import TEMPLATES
from bot.core.errors import InputError
from bot.llm.template_registry import open_template_registry
from bot.server.evaluation import labelled
from bot.tuning.scoring import FEW_SHOT, FEW_SHOT_NEAR, HELD, NEAR
from bot.tuning.subjects import TemplateSubject, labelled_files, labelled_pairs, training_row
from tests.cogs.operating import OPERATORS
from tests.local_engine import engine_in
from tests.simulated import simulated

SENTIMENT = TemplateSubject(open_template_registry(TEMPLATES).get("sentiment"))


def test_a_rating_is_right_by_its_stars_and_near_by_one() -> None:
    (pair, *_) = labelled_pairs(SENTIMENT, '{"input": "Good.", "wanted": 4}', "", "d")
    assert pair.answer == "4: rated by its words alone"
    assert SENTIMENT.judge("4: it is good", pair) == "right"
    assert SENTIMENT.judge("5: it is good", pair) == "wrong"
    assert SENTIMENT.judge("5: it is good", pair, loosely=True) == "right"
    assert SENTIMENT.judge("2: it is bad", pair, loosely=True) == "wrong"
    assert SENTIMENT.judge("it is good", pair) == "wrong"
    assert SENTIMENT.judge("  ", pair) == "refused"


@pytest.mark.parametrize("label", ["", "six stars", "0", "6", "good: 4"])
def test_a_label_that_the_template_would_not_read_is_refused(label: str) -> None:
    with pytest.raises(InputError, match="is no answer of /sentiment"):
        labelled_pairs(SENTIMENT, json.dumps({"input": "Good.", "wanted": label}), "", "d")


def test_what_trains_is_what_the_template_sends_without_examples() -> None:
    (pair, *_) = labelled_pairs(SENTIMENT, '{"input": "Good.", "wanted": 4}', "", "d")
    messages = training_row(SENTIMENT, pair, "")["messages"]
    assert messages[:-1] == list(SENTIMENT.template.with_examples(0).fill({"review": "Good."}).messages)


def test_an_input_of_the_test_file_is_not_trained() -> None:
    lines = [json.dumps({"input": text, "wanted": 3}) for text in ("The same review.", "Another one.")]
    pairs = labelled_pairs(SENTIMENT, "\n".join(lines), lines[0].replace("The same", "the  SAME"), "d")
    assert [(pair.question, pair.role) for pair in pairs if pair.role != "held-out"] == [("Another one.", "train")]


def test_the_labelled_reviews_that_ship_are_300_in_balance_and_none_is_trained_and_tested() -> None:
    files = labelled_files("sentiment")
    assert files is not None
    trained, tested = (path.read_text(encoding="utf-8") for path in files)
    pairs = labelled_pairs(SENTIMENT, trained, tested, "d")
    assert len(pairs) >= 300
    stars = [pair.answer[0] for pair in pairs if pair.role != "held-out"]
    assert min(stars.count(star) for star in "12345") == max(stars.count(star) for star in "12345")
    assert sum(pair.role == "held-out" for pair in pairs) == len(labelled("sentiment"))


async def test_sentiment_graduates_from_its_prompt_to_a_tuned_model(tmp_path: Path) -> None:
    """The few-shot prompt and the tuned model are scored on the same 50 reviews; then Tuned rates a review."""
    stars = {case.text: case.expected for case in labelled("sentiment")}

    def rate(body: dict[str, Any]) -> str:
        """A chat model that knows four stars of five, and is one off elsewhere."""
        review = body["messages"][-1]["content"]
        known = int(stars.get(review, "3"))
        return f"{4 if known == 5 else known}: because"

    async with engine_in(tmp_path / "data"), simulated(tmp_path / "data", operator_ids=OPERATORS) as sim:
        sim.model.says(rate)
        tuning = sim.services.tuning
        offered = await sim.admin.autocomplete(sim.general, "finetune prepare", "corpus", "sent")
        assert [each["value"] for each in offered] == ["sentiment"]
        compared = await sim.admin.slash(sim.general, "compare", trick="sentiment", text="It is fine.")
        tested = await sim.admin.click(compared.response, label="Test on 50")
        prepared = await sim.admin.click(tested.response, label="Graduate")
        assert "50 held-out" in sim.text(prepared.response)
        dataset = await tuning.datasets.newest("sentiment")
        assert (await tuning.jobs.estimate(dataset.id))[0].epochs == 5
        begun = await tuning.jobs.start(dataset.id, sim.admin.id)
        job = [job async for job in tuning.jobs.watch(begun.id)][-1]
        assert job.state == "done", job.error
        assert not job.note
        model = await tuning.models.find(job.model)
        assert model is not None
        card = await tuning.models.score(job.model, sim.admin.id)
        held, near, few_shot, few_shot_near = (card.mark(name) for name in (HELD, NEAR, FEW_SHOT, FEW_SHOT_NEAR))
        assert held is not None
        assert near is not None
        assert few_shot is not None
        assert few_shot_near is not None
        assert held.total == near.total == few_shot.total == 50
        # One in five reviews is rated rightly by chance.
        assert held.right > 15
        assert near.right >= held.right
        assert (few_shot.right, few_shot_near.right) == (40, 50)
        assert "fake-model" in few_shot.remark
        await tuning.models.promote(job.model, sim.admin.id)
        answer = await sim.member.slash(sim.general, "sentiment", review="Rude, dirty and broken. Never again.")
        shown = await sim.member.click(answer.response, label="Prompt")
        assert "Tuned" in sim.buttons(shown.response)
        asked = len(sim.model.calls)
        tuned = await sim.member.click(shown.response, label="Tuned")
        assert "★☆☆☆☆ **1/5**\nrated by its words alone" in sim.text(tuned.response)
        assert len(sim.model.calls) == asked
        assert not sim.errors
