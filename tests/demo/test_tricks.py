"""A trick taught in the demo's page by clicking, used by a member, corrected, tested, and brought back."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.core.tables import to_csv
from bot.tuning.labelled import labelled_files
from tests.browser import TIMEOUT, Tab, browsing, chromium, demo
from tests.fake_model import FakeModel

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium is installed on this machine"),
]


async def teach(tab: Tab, name: str, what: str, example: str, answer: str) -> None:
    """Teach a trick in its window."""
    await tab.slash("trick teach", name=name)
    fields = {"What should it do?": what, "An example: what comes in": example, "And the answer to it": answer}
    await tab.submit(**fields)
    await tab.sees(f"This server has a new trick: {name}")


def refusal(body: dict[str, Any]) -> str:
    """A model that refuses bluntly until an example shows it better manners."""
    polite = any("Alas, my stars" in message["content"] for message in body["messages"])
    return "Alas, my stars forbid it." if polite else "No."


async def test_a_trick_is_taught_used_and_corrected_by_clicking(tmp_path: Path) -> None:
    async with FakeModel() as model:
        model.says(refusal)
        given = {"OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": model.token, "CHAT_MODEL": "scripted"}
        async with demo(tmp_path / "data", **given) as url, browsing(url) as tab:
            await teach(
                tab,
                "refuse",
                "Refuse politely whatever you are asked for.",
                "Will you work on Sunday?",
                "How kind of you to ask! Sadly, I cannot.",
            )
            await tab.shot(tmp_path / "1-taught.png")
            await tab.go("Ben")
            await tab.slash("trick use", name="refuse", text="Lend me your car?")
            await tab.sees("No.")
            await tab.shot(tmp_path / "2-used.png")
            await tab.press("⋯")
            await tab.press("Not like that…")
            await tab.shot(tmp_path / "3-window.png")
            await tab.submit(**{"What the answer should be": "Alas, my stars forbid it, dear friend."})
            await tab.sees("Alas, my stars forbid it.")
            await tab.press("Suggest to the server")
            await tab.sees("Your correction was sent to the managers of this server.")
            await tab.shot(tmp_path / "4-corrected.png")
            await tab.go("Ada")
            await tab.slash("trick list")
            await tab.press("Review 1 suggestion")
            await tab.shot(tmp_path / "5-review.png")
            await tab.press("Accept")
            await tab.sees("Accepted: refuse has 2 examples now.")


def mood(body: dict[str, Any]) -> str:
    """A model that knows the moods that an example shows, and calls everything else fine."""
    shown = [message["content"] for message in body["messages"] if message["role"] == "assistant"]
    asked = body["messages"][-1]["content"]
    return "angry" if "angry" in shown and "late" in asked else "fine"


async def test_a_trick_is_tested_improved_and_reverted_by_clicking(tmp_path: Path) -> None:
    tests = tmp_path / "tests.csv"
    tests.write_text("input,expected\nTwo hours late!,angry\nLate again.,angry\nAll good.,fine\n", encoding="utf-8")
    async with FakeModel() as model:
        model.says(mood)
        given = {"OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": model.token, "CHAT_MODEL": "scripted"}
        async with demo(tmp_path / "data", **given) as url, browsing(url, height=1400) as tab:
            await teach(tab, "mood", "Name the mood in one word.", "The soup was warm.", "fine")
            await tab.slash("trick test import", name="mood", file=tests)
            await tab.sees("3 tests were added.")
            await tab.slash("trick test run", name="mood")
            await tab.sees("calls, about")
            await tab.shot(tmp_path / "1-estimate.png")
            await tab.press("Run")
            await tab.sees("mood, version 1, on 3 inputs")
            await tab.shot(tmp_path / "2-tested.png")
            await tab.slash("trick example", name="mood")
            await tab.submit(**{"What comes in": "They came late.", "The answer to it": "angry"})
            await tab.sees("One example more: mood")
            await tab.slash("trick test run", name="mood")
            await tab.press("Run")
            await tab.sees("mood, version 2, on 3 inputs")
            await tab.shot(tmp_path / "3-better.png")
            await tab.press("Which examples matter?")
            await tab.press("Run")
            await tab.sees("without it, every answer is the same")
            await tab.shot(tmp_path / "4-examples.png")
            await tab.slash("trick history", name="mood")
            await tab.sees("an example added")
            await tab.choose("Version 1")
            await tab.shot(tmp_path / "5-history.png")
            await tab.press("Revert to this version")
            await tab.sees("mood is as it was in version 1; this is version 3")
            await tab.slash("trick test run", name="mood")
            await tab.press("Run")
            await tab.sees("mood, version 3, on 3 inputs")
            await tab.press("Failures")
            await tab.sees("The answer was: fine")
            await tab.shot(tmp_path / "6-worse.png")
            await tab.slash("trick export", name="mood", format="promptfoo, with the tests")
            await tab.sees("mood.yaml")
            await tab.shot(tmp_path / "7-exported.png")


async def test_a_labelled_file_becomes_the_model_that_answers_tuned_by_clicking(tmp_path: Path) -> None:
    files = labelled_files("sentiment")
    assert files is not None
    rows = [json.loads(line) for line in files[0].read_text(encoding="utf-8").splitlines()[:60]]
    table = tmp_path / "reviews.csv"
    table.write_bytes(to_csv(["input", "expected"], [(row["input"], str(row["wanted"])) for row in rows]))
    async with FakeModel() as model:
        model.says("3: It is neither good nor bad.")
        given = {"OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": model.token, "CHAT_MODEL": "scripted"}
        async with demo(tmp_path / "data", **given) as url, browsing(url, height=1600) as tab:
            await tab.slash("finetune prepare", corpus="sentiment", file=table)
            await tab.sees("First rows")
            await tab.shot(tmp_path / "1-prepared.png")
            await tab.press("Estimate")
            await tab.shot(tmp_path / "2-estimate.png")
            await tab.press("Start: free")
            await tab.page.get_by_role("button", name="Promote").wait_for(timeout=4 * TIMEOUT)
            await tab.sees("few-shot prompt, at most one star off")
            await tab.shot(tmp_path / "3-scorecard.png")
            await tab.press("Promote")
            await tab.sees("under /sentiment from now on.")
            await tab.shot(tmp_path / "4-promoted.png")
            await tab.go("Ben")
            await tab.slash("sentiment", review="Rude, dirty and broken. Never again.")
            await tab.press("Prompt")
            await tab.press("Tuned")
            await tab.sees("rated by its words alone")
            await tab.shot(tmp_path / "5-tuned.png")


def dancing(body: dict[str, Any]) -> str:
    """Luna declines every request. Mini would dance."""
    asked = body["messages"][-1]["content"]
    return "With pleasure!" if body["model"] == "model-b" and "Dance" in asked else "Alas, no."


async def test_a_model_that_broke_a_trick_is_reported_and_replaced_by_clicking(tmp_path: Path) -> None:
    tests = tmp_path / "tests.csv"
    tests.write_text('input,expected\nDance with me?,"Alas, no."\nLend me a pen?,"Alas, no."\n', encoding="utf-8")
    async with FakeModel() as model:
        model.says(dancing)
        models = [{"name": "scripted", "label": "Luna"}, {"name": "model-b", "label": "Mini"}]
        given = {"OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": model.token, "CHAT_MODEL": "scripted"}
        given |= {"CHAT_MODELS": json.dumps(models), "MODEL_WATCH_USD": "1"}
        async with demo(tmp_path / "data", **given) as url, browsing(url, height=1400) as tab:
            await tab.slash("settings channels", reports="adventures")
            await teach(tab, "refuse", "Refuse politely whatever you are asked for.", "Sing?", "Alas, no.")
            await tab.slash("trick test import", name="refuse", file=tests)
            await tab.slash("trick test run", name="refuse")
            await tab.press("Run")
            await tab.sees("refuse, version 1, on 2 inputs")
            await tab.slash("settings models", default="Mini")
            await tab.shot(tmp_path / "1-changed.png")
            await tab.go("adventures")
            await tab.sees("Mini answers here now, and not Luna")
            await tab.sees("The answer was: With pleasure!")
            await tab.shot(tmp_path / "2-reported.png")
            await tab.press("Use Luna again")
            await tab.sees("Luna answers here now.")
            await tab.shot(tmp_path / "3-back.png")
