"""A model that is tuned for a template: from labelled inputs to the Tuned choice under the template's answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.app import TEMPLATES
from bot.core.errors import InputError
from bot.core.tables import to_csv
from bot.llm.template_registry import open_template_registry
from bot.server.evaluation import shipped_cases
from bot.tuning.labelled import labelled_files, labelled_pairs, read_labelled
from bot.tuning.scoring import FEW_SHOT, FEW_SHOT_NEAR, HELD, NEAR
from bot.tuning.subjects import TemplateSubject, training_row
from tests.cogs.operating import CORPUS, OPERATORS, season
from tests.local_engine import engine_in
from tests.simulated import simulated

SENTIMENT = TemplateSubject(open_template_registry(TEMPLATES).get("sentiment"))


def test_a_rating_is_right_by_its_stars_and_near_by_one() -> None:
    (pair, *_) = labelled_pairs(SENTIMENT, '{"input": "Good.", "wanted": 4}', "")
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
        labelled_pairs(SENTIMENT, json.dumps({"input": "Good.", "wanted": label}), "")


def test_what_trains_is_what_the_template_sends_without_examples() -> None:
    (pair, *_) = labelled_pairs(SENTIMENT, '{"input": "Good.", "wanted": 4}', "")
    messages = training_row(SENTIMENT, pair)["messages"]
    assert messages[:-1] == list(SENTIMENT.template.with_examples(0).fill({"review": "Good."}).messages)


def test_a_tuned_model_is_bound_to_no_schema() -> None:
    asked = SENTIMENT.request("Good.", model="ft:a:b")
    assert asked.parameters["response_format"] == {"type": "text"}
    assert "response_format" not in SENTIMENT.few_shot("Good.").parameters


def test_an_input_of_the_test_file_is_not_trained() -> None:
    lines = [json.dumps({"input": text, "wanted": 3}) for text in ("The same review.", "Another one.")]
    pairs = labelled_pairs(SENTIMENT, "\n".join(lines), lines[0].replace("The same", "the  SAME"))
    assert [(pair.question, pair.role) for pair in pairs if pair.role != "held-out"] == [("Another one.", "train")]


def test_the_labelled_reviews_that_ship_are_300_in_balance_and_none_is_trained_and_tested() -> None:
    files = labelled_files("sentiment")
    assert files is not None
    trained, tested = (path.read_text(encoding="utf-8") for path in files)
    pairs = labelled_pairs(SENTIMENT, trained, tested)
    assert len(pairs) >= 300
    stars = [pair.answer[0] for pair in pairs if pair.role != "held-out"]
    assert min(stars.count(star) for star in "12345") == max(stars.count(star) for star in "12345")
    assert sum(pair.role == "held-out" for pair in pairs) == len(shipped_cases("sentiment"))


def reviews(count: int) -> list[tuple[str, str]]:
    """Labelled reviews that ship."""
    files = labelled_files("sentiment")
    assert files is not None
    rows = map(json.loads, files[0].read_text(encoding="utf-8").splitlines())
    return [(row["input"], str(row["wanted"])) for row, _n in zip(rows, range(count), strict=False)]


EXAMPLE = SENTIMENT.template.examples[0][0]["content"]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (("Good.", ""), "The expected answer is empty."),
        (("", "4"), "The input is empty."),
        (("Good.", "seven"), "seven is no answer of /sentiment."),
        (("Good.", "=1+1"), "=1+1 is no answer of /sentiment."),
        (("x" * 6_001, "4"), "review is longer than 6,000 characters"),
        (("Good.", "4: " + "x" * 2_000), "An expected answer has up to 2,000 characters."),
        ((EXAMPLE.upper(), "5"), "It is an example of the prompt, which would only have to copy the answer."),
        ((reviews(1)[0][0], "1"), "The same input is there already, with the answer: 5: rated by its words alone"),
        ((reviews(1)[0][0], "5"), "The same input is there already"),
    ],
)
def test_a_row_that_cannot_be_trained_or_tested_is_left_out_and_named(row: tuple[str, str], problem: str) -> None:
    text = to_csv(["input", "expected"], [*reviews(20), row]).decode("utf-8-sig")
    read = read_labelled(SENTIMENT, "mine.csv", text)
    assert len(read.pairs) == 20
    (said,) = read.problems
    assert said.startswith("Line 22: ")
    assert problem in said


def test_the_rows_of_a_file_are_split_alike_each_time_and_in_fixed_shares() -> None:
    lines = [json.dumps({"input": text, "expected": stars}) for text, stars in reviews(50)]
    read = read_labelled(SENTIMENT, "mine.jsonl", "\n".join(lines))
    roles = [pair.role for pair in read.pairs]
    assert [roles.count(role) for role in ("held-out", "validation", "train")] == [10, 5, 35]
    chats = [training_row(SENTIMENT, pair) for pair in read.pairs]
    again = read_labelled(SENTIMENT, "chats.jsonl", "\n".join(map(json.dumps, chats)))
    assert again == read


async def test_a_labelled_file_is_shown_with_its_split_or_told_in_a_sentence(tmp_path: Path) -> None:
    head = "input,expected\n"
    refused = {
        ("sentiment", "review,stars\nGood.,4\n"): "must name the columns “input” and “expected”",
        ("sentiment", f"{head}Good.,4\n"): "Rows that can be used: 1. At least 15 are needed",
        ("sentiment", "x" * 10_000_000): "is too large",
        ("sentiment", head + "Good.,4\n" * 5_001): "A file has up to 5,000 rows; this one has 5,001.",
        ("translate", f"{head}Good.,Bon.\n"): "/translate has several inputs, and a model is tuned for one.",
        (CORPUS, f"{head}Good.,4\n"): "cup is a folder of texts: a model writes its questions.",
        ("facts", ""): "No labelled inputs ship for /facts. Give a file",
    }
    async with season(tmp_path) as sim:
        for (name, text), said in refused.items():
            options = {"file": ("mine.csv", text.encode())} if text else {}
            result = await sim.admin.slash(sim.general, "finetune prepare", corpus=name, **options)
            assert said in sim.said(result)
        data = to_csv(["input", "expected"], [*reviews(60), ("Good.", "six")])
        prepared = await sim.admin.slash(sim.general, "finetune prepare", corpus="sentiment", file=("mine.csv", data))
        text = sim.text(prepared.response)
        assert "⚠️ Line 62: six is no answer of /sentiment." in text
        assert "**sentiment, file** · 60 pairs\n42 train, 6 validation, 12 held-out\n**Answers** 1 × 12, 2" in text
        assert "- The garden shears cut through old branches like butter" in text
        assert "never messages, and never what members taught me. Discord's policy forbids that." in text
        assert sim.buttons(prepared.response) == ["Estimate"]
        planned = await sim.admin.click(prepared.response, label="Estimate")
        assert "Start: free" in sim.buttons(planned.response)


async def test_sentiment_graduates_from_its_prompt_to_a_tuned_model(tmp_path: Path) -> None:
    """The few-shot prompt and the tuned model are scored on the same 50 reviews; then Tuned rates a review."""
    stars = {case.text: case.expected for case in shipped_cases("sentiment")}

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
        promoted = await sim.admin.slash(sim.general, "finetune promote", model=job.model)
        assert "answers **Tuned** under /sentiment from now on." in sim.text(promoted.response)
        answer = await sim.member.slash(sim.general, "sentiment", review="Rude, dirty and broken. Never again.")
        shown = await sim.member.click(answer.response, label="Prompt")
        assert "Tuned" in sim.buttons(shown.response)
        asked = len(sim.model.calls)
        tuned = await sim.member.click(shown.response, label="Tuned")
        assert "★☆☆☆☆ **1/5**\nrated by its words alone" in sim.text(tuned.response)
        assert len(sim.model.calls) == asked
        assert not sim.errors
