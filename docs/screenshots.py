"""Pictures of the demo's page: `python -m docs.screenshots [FOLDER] [--scripted]`.

Without a folder, the two of the README into `.github/pictures/`, with scripted answers. With one, every command
in turn, to be looked at: without a model, or with `--scripted` from a model server that gives fixed answers.
"""

import argparse
import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from tests.browser import ROOT, Tab, browsing, chromium, demo
from tests.fake_model import FakeModel

README = ROOT / ".github" / "pictures"
REVIEWS = (
    "review\n"
    '"Soup arrived hot, and the waiter knew every dish."\n'
    '"Two hours late, and nobody said sorry."\n'
    '"It works. No more, no less."\n'
    '"My third pair, and not my last!"\n'
)
# What a prompt holds, the newest text before the rest, and the answer to it.
ANSWERS = {
    "in Greek?": (
        '{"template": "translate", "inputs": {"text": "Where is the station?", "to": "Greek"}, '
        '"why": "The request asks how a sentence goes in another language."}'
    ),
    "Where is the station?": "Πού είναι ο σταθμός;",
    "desert is quiet": "Les pods sont sur la grille de départ et le désert est calme.",
    "Soup arrived hot": "5: Warm praise for the food and for the waiter.",
    "Two hours late": "1: A long wait, and no apology for it.",
    "It works. No more": "3: It does what it should, and nothing pleases or annoys.",
    "My third pair": "5: Bought again and again, and more to come.",
    "worth the queue": "4: Glad to have waited for the soup, with a small regret about the price.",
    "Mars": (
        '<FACTS entity="Mars"><FACT>It is the fourth planet from the Sun.</FACT>'
        "<FACT>It has two small moons, Phobos and Deimos.</FACT></FACTS>"
    ),
    "because of rain": "Rain came down on the track like bad news. Nobody raced that night.",
}


def answer(body: dict[str, Any]) -> str:
    """The scripted answer to a request."""
    asked = body["messages"][-1]["content"]
    return next((text for words, text in ANSWERS.items() if words in asked), "There is no script for that.")


async def readme(tab: Tab, folder: Path) -> None:
    """The page, and a prompt card."""
    await tab.slash("sentiment", review="The soup was worth the queue. The bill, a little less.")
    await tab.press("Share")
    await tab.sees("shared by")
    await tab.shot(folder / "page.png")
    await tab.press("Prompt")
    await tab.sees("Prompt · few-shot")
    # High enough for the whole card: what is scrolled out of view is in no picture.
    await tab.page.set_viewport_size({"width": 1200, "height": 1700})
    await tab.quiet()
    await tab.newest().locator(".component-container").last.screenshot(path=folder / "prompt.png")


async def everything(tab: Tab, folder: Path, *, scripted: bool) -> None:
    """Each command once, a picture after each."""
    await tab.shot(folder / "01-tour.png")
    for number, label in enumerate(("Show me a prompt", "Train a model (30 s)", "Play"), 2):
        await tab.press(label)
        await tab.shot(folder / f"0{number}-{label.split()[0].lower()}.png")
    await tab.go("Ben")
    await tab.slash("translate", text="The pods are on the grid and the desert is quiet.", to="French")
    await tab.shot(folder / "05-translate.png")
    await tab.slash("rewrite")
    await tab.shot(folder / "06-rewrite-window.png")
    await tab.submit(Text="The race was called off because of rain.", Style="noir")
    await tab.shot(folder / "07-rewrite.png")
    await tab.menu("I am Fewshot", "Translate")
    await tab.shot(folder / "07-translate-menu.png")
    await tab.slash("facts", about="Mars")
    await tab.shot(folder / "08-facts.png")
    await tab.slash("sentiment", review="The soup was worth the queue. The bill, a little less.")
    await tab.shot(folder / "09-sentiment.png")
    reviews = folder / "reviews.csv"
    reviews.write_text(REVIEWS)
    await tab.slash("sentiment", file=reviews)
    await tab.sees("ratings.csv" if scripted else "Soup arrived hot")
    await tab.shot(folder / "10-sentiment-file.png")
    await tab.slash("ask", request="How do you say “Where is the station?” in Greek?")
    await tab.shot(folder / "11-ask.png")
    await tab.slash("help")
    await tab.shot(folder / "12-help.png")
    await tab.choose("Few-shot")
    await tab.shot(folder / "13-help-few-shot.png")
    await tab.go("adventures")
    await tab.shot(folder / "14-adventures.png")


async def take(folder: Path, *, scripted: bool, all_of_them: bool) -> None:
    """Start the demo, and take the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        settings: dict[str, str] = {}
        if scripted:
            model = await stack.enter_async_context(FakeModel())
            model.says(answer, pieces=6, delay=0.05)
            settings = {"OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": model.token, "CHAT_MODEL": "scripted"}
        data = stack.enter_context(tempfile.TemporaryDirectory())
        url = await stack.enter_async_context(demo(Path(data), **settings))
        tab = await stack.enter_async_context(browsing(url))
        if all_of_them:
            await everything(tab, folder, scripted=scripted)
        else:
            await readme(tab, folder)


def main() -> None:
    """Read the command line and take the pictures."""
    parser = argparse.ArgumentParser(description="Take pictures of the demo's page.")
    parser.add_argument("folder", nargs="?", type=Path, help="where to put a picture of every command")
    parser.add_argument("--scripted", action="store_true", help="with fixed answers in place of no model")
    options = parser.parse_args()
    if chromium() is None:
        parser.error("no Chromium is installed on this machine")
    given: Path | None = options.folder
    asyncio.run(take(given or README, scripted=options.scripted or given is None, all_of_them=given is not None))


if __name__ == "__main__":
    main()
