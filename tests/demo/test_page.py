"""The demo, from its command line to what a person sees in the page."""

from pathlib import Path

import pytest

from tests.browser import browsing, chromium, demo
from tests.fake_model import FakeModel

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


async def test_words_appear_as_they_come_for_all_and_keep_nobody_from_going_on(tmp_path: Path) -> None:
    async with FakeModel() as model:
        model.says("one two three four five six", pieces=6, delay=0.6)
        given = {"OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": model.token, "CHAT_MODEL": "scripted"}
        async with demo(tmp_path, **given) as url, browsing(url) as tab, browsing(url) as other:
            await tab.slash("translate", text="count", to="French")
            await tab.sees("▌")
            await tab.slash("help")
            await tab.sees("one two three four five six")
            await tab.press("Prompt")
            await tab.sees("You are a translator into French")
            model.says("I am well.")
            await tab.page.locator("#channel-composer-input").fill("@Fewshot How are you?")
            await tab.page.locator("#send-message").click()
            await tab.sees("I am well.")
            model.says("I translate.")
            await tab.menu("How are you?", "Translate")
            await tab.sees("I translate.")
            await other.go("Ben")
            await other.page.locator("#channel-composer-input").fill("Hello from Ben")
            await other.page.locator("#send-message").click()
            await tab.sees("Hello from Ben")
            await tab.go("adventures")
            assert not await tab.page.get_by_text("Hello from Ben").count()
