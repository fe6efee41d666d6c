"""A trick taught in the demo's page by clicking, used by a member, and corrected."""

from pathlib import Path
from typing import Any

import pytest

from tests.browser import browsing, chromium, demo
from tests.fake_model import FakeModel

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium is installed on this machine"),
]


def refusal(body: dict[str, Any]) -> str:
    """A model that refuses bluntly until an example shows it better manners."""
    polite = any("Alas, my stars" in message["content"] for message in body["messages"])
    return "Alas, my stars forbid it." if polite else "No."


async def test_a_trick_is_taught_used_and_corrected_by_clicking(tmp_path: Path) -> None:
    async with FakeModel() as model:
        model.says(refusal)
        given = {"OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": model.token, "CHAT_MODEL": "scripted"}
        async with demo(tmp_path / "data", **given) as url, browsing(url) as tab:
            await tab.slash("trick teach", name="refuse")
            await tab.submit(
                **{
                    "What should it do?": "Refuse politely whatever you are asked for.",
                    "An example: what comes in": "Will you work on Sunday?",
                    "And the answer to it": "How kind of you to ask! Sadly, I cannot.",
                }
            )
            await tab.sees("This server has a new trick: refuse")
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
