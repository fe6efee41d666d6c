"""The demo, from its command line to what a person sees in the page."""

from pathlib import Path

import pytest

from tests.browser import browsing, chromium, demo

pytestmark = pytest.mark.skipif(chromium() is None, reason="no Chromium is installed on this machine")


async def test_a_newcomer_sees_a_prompt_with_no_key_and_no_account(tmp_path: Path) -> None:
    async with demo(tmp_path) as url, browsing(url) as tab:
        assert await tab.page.title() == "Fewshot"
        assert "simcord" not in (await tab.page.locator("body").inner_text()).lower()
        await tab.press("Show me a prompt")
        await tab.sees("You are a translator into French")
        await tab.slash("translate", text="Good morning", to="Greek")
        await tab.sees("No model connected. This is exactly what I would send")
        await tab.sees("You are a translator into Greek")


async def test_prompt_opens_from_an_answer_and_each_tab_shows_its_channel(tmp_path: Path) -> None:
    from tests.fake_model import FakeModel

    async with FakeModel() as model:
        model.says("Bonjour à tous", pieces=4, delay=0.2)
        given = {"OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": model.token, "CHAT_MODEL": "scripted"}
        async with demo(tmp_path, **given) as url, browsing(url) as tab:
            await tab.go("Ben")
            await tab.slash("translate", text="Good morning, all", to="French")
            await tab.sees("Bonjour à tous")
            await tab.press("Prompt")
            await tab.sees("You are a translator into French")
            await tab.go("adventures")
            assert not await tab.page.get_by_text("Bonjour à tous").count()
