"""Use the demo's page as a person does, in the headless Chromium of this machine.

async with demo(folder) as url, browsing(url) as tab:
    await tab.slash("translate", text="Good morning", to="French")
    await tab.press("Prompt")
    await tab.sees("Good morning")
"""

import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.forked import forked

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# No sandbox (for containers), and no requests to the network.
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Timeout of every action in milliseconds, long enough for slow machines.
TIMEOUT = 30_000


def chromium() -> str | None:
    """The path of an installed Chromium, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@asynccontextmanager
async def demo(folder: Path, **settings: str) -> AsyncIterator[str]:
    """Run `fewshot demo` in a process with `folder` as DATA_DIR; yields its address, and stops it with SIGINT."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "CHAT_", "TUNING_"))}
    env = plain | {"DATA_DIR": str(folder), "PYTHONUNBUFFERED": "1", "TZ": "UTC"} | settings
    process = await forked("bot.__main__:main", ["demo", "--port", "0", "--no-browser"], env=env, cwd=ROOT)
    assert process.stdout is not None
    try:
        line = (await process.stdout.readline()).decode()
        if "http" not in line:
            _, errors = await process.communicate()
            raise AssertionError(f"the demo did not start: {line}{errors.decode()}")
        yield line.split()[-1]
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    assert b"Traceback" not in errors, errors.decode()


@dataclass
class Tab:
    """A browser tab with the demo's page."""

    page: "Page"

    async def go(self, name: str) -> None:
        """Click an entry of the list on the left: a channel or a person."""
        await self.page.locator("#places a", has_text=name).click()
        await self.page.locator("#places a[aria-current]", has_text=name).wait_for(timeout=TIMEOUT)
        await self.page.wait_for_selector("#channel-composer-input", timeout=TIMEOUT)
        await self.quiet()

    async def slash(self, name: str, /, **options: str | Path) -> None:
        """Type a slash command with its options and send it."""
        box = self.page.locator("#channel-composer-input")
        await box.click()
        await box.press_sequentially(f"/{name}")
        await self.page.locator(".command-popup [role=option]").first.wait_for(timeout=TIMEOUT)
        await box.press("Enter")
        for option, value in options.items():
            await self._option(option, value)
        await self.page.locator("#send-message").click()
        await self.page.wait_for_selector("#channel-composer-input", timeout=TIMEOUT)
        await self.quiet()

    async def _option(self, name: str, value: str | Path) -> None:
        pill = self.page.locator(f'.command-pill[data-option="{name}"]')
        if not await pill.count():
            await self.page.locator(".command-ghost").click()
            await self.page.locator(f'.command-suggestion[data-value="{name}"]').click()
        if isinstance(value, Path):
            await pill.locator("input[type=file]").set_input_files(value)
            return
        field = pill.locator(".command-option-input")
        await field.fill(value)
        if await self.page.locator(".command-popup-heading").is_visible():
            await self.page.locator(".command-suggestion", has_text=value).first.click(timeout=TIMEOUT)

    async def press(self, label: str) -> None:
        """Press the newest button with that label."""
        await self.newest().get_by_role("button", name=label).last.click(timeout=TIMEOUT)
        await self.quiet()

    async def menu(self, text: str, name: str) -> None:
        """Choose the menu `name` of the newest message with `text`."""
        message = self.newest().locator(".channel-message:has(.message-menu-button)", has_text=text).last
        await message.get_by_label("Apps").click(timeout=TIMEOUT)
        await self.page.get_by_role("menuitem", name=name).click(timeout=TIMEOUT)
        await self.quiet()

    async def choose(self, label: str) -> None:
        """Choose an option of the newest select menu."""
        await self.newest().get_by_role("combobox").last.click(timeout=TIMEOUT)
        await self.page.get_by_role("option", name=label).last.click(timeout=TIMEOUT)
        await self.quiet()

    async def submit(self, **fields: str) -> None:
        """Fill the open modal by its labels, choose the options of its radio groups by theirs, and submit it."""
        window = self.page.locator("#modal-root")
        for label, value in fields.items():
            radios = window.get_by_role("radiogroup", name=label)
            if await radios.count():
                await radios.locator("label", has_text=value).first.click(timeout=TIMEOUT)
            else:
                await window.get_by_role("textbox", name=label).first.fill(value)
        await window.get_by_role("button", name="Submit").click(timeout=TIMEOUT)
        await self.quiet()

    def newest(self) -> "Locator":
        """The list of messages."""
        return self.page.locator("#channel-message-list")

    async def sees(self, text: str) -> None:
        """Wait until the page shows `text`."""
        await self.page.get_by_text(text).last.wait_for(timeout=TIMEOUT)

    async def quiet(self) -> None:
        """Wait until no action is running and all pictures are loaded."""
        for _ in range(TIMEOUT // 100):
            await self.page.wait_for_timeout(100)
            if await self.page.evaluate("window.simcordPreview?.ready"):
                return
        raise AssertionError("the page never came to rest")

    async def shot(self, path: Path) -> None:
        """A picture of the tab, once every answer on it is whole."""
        for word in ("Thinking…", "▌"):
            await self.newest().get_by_text(word).first.wait_for(state="detached", timeout=TIMEOUT)
        await self.page.wait_for_timeout(700)
        await self.quiet()
        await self.page.mouse.move(5, 790)
        await self.page.evaluate("document.activeElement?.blur()")
        await self.page.screenshot(path=path)


@asynccontextmanager
async def browsing(url: str, width: int = 1200, height: int = 800, locale: str = "en-US") -> AsyncIterator[Tab]:
    """A tab on `url`, in a browser with that language."""
    from playwright.async_api import async_playwright

    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = await browser.new_page(viewport={"width": width, "height": height}, locale=locale)
        await page.goto(url)
        await page.wait_for_selector("#channel-composer-input", timeout=TIMEOUT)
        tab = Tab(page)
        await tab.quiet()
        yield tab
        await browser.close()
