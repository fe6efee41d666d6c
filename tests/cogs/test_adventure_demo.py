"""A story in the demo's page, played by two, by command, button and form, and again after the process has stopped."""

from pathlib import Path

import pytest

from tests.browser import Tab, browsing, chromium, demo

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium is installed on this machine"),
]


async def first_evening(tab: Tab, pictures: Path) -> None:
    """Ada starts by the demo's button; she and Ben play, take back, tell again and branch."""
    await tab.press("Play")
    await tab.sees("The story is in")
    await tab.go("adventures")
    await tab.sees("You wake on a stone floor")
    await tab.shot(pictures / "1-opening.png")
    await tab.slash("adventure act", text="look under the table")
    await tab.sees("A small brass key is tied there")
    await tab.go("Ben")
    await tab.press("Act…")
    await tab.submit(**{"What do you do": "take the key"})
    await tab.sees("You pick up the key")
    await tab.press("Continue")
    await tab.sees("Time passes")
    await tab.shot(pictures / "2-two-players.png")
    await tab.press("Undo")
    await tab.sees("taken back by Ben")
    await tab.press("▶")
    await tab.sees("2/2")
    await tab.press("⋯")
    await tab.sees("players: Ada, Ben")
    await tab.press("Branch here…")
    await tab.submit(**{"The branch's name": "with the key"})
    await tab.sees("This place is the branch")
    await tab.shot(pictures / "3-menu.png")


async def second_evening(tab: Tab, pictures: Path) -> None:
    """The page has forgotten everything; the bot has posted the last turn anew, and the story goes on."""
    await tab.go("adventures")
    await tab.sees("You pick up the key")
    await tab.shot(pictures / "4-posted-anew.png")
    await tab.press("◀")
    await tab.sees("1/2")
    await tab.slash("adventure act", text="unlock the door, then go east")
    await tab.sees("A long hallway under one lamp")
    await tab.slash("adventure branches")
    await tab.sees("Branches: with the key")
    await tab.shot(pictures / "5-branches.png")


async def test_a_story_is_played_by_two_and_goes_on_after_a_stop(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with demo(data) as url, browsing(url) as tab:
        await first_evening(tab, tmp_path)
    async with demo(data) as url, browsing(url) as tab:
        await second_evening(tab, tmp_path)
