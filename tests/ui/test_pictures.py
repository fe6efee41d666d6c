"""Every picture that the bot sends has alt text with its figures."""

import ast
from pathlib import Path
from typing import Any

import pytest

from bot.core.i18n import use_locale
from bot.ui import pictures
from bot.ui.files import to_files
from bot.ui.pictures import MAX_DESCRIPTION, Picture, TreeNode
from tests.simulated import Simulated, parts_of

ROOT = Path(__file__).parents[2]


def node(
    column: int, row: float = 0.0, parent: int | None = None, label: str = "", on_path: bool = True, head: bool = False
) -> TreeNode:
    return TreeNode(column, row, parent, label, on_path, head, open=False)


async def drawn() -> list[tuple[Picture, list[str]]]:
    """Each kind of picture, with what its description must contain."""
    return [
        (await pictures.histogram_picture("a.png", [3, 1200], ["1 ★", "2 ★"], "Reviews"), ["Reviews", "2 ★: 1,200"]),
        (
            await pictures.curve_picture("a.png", ["0", "3"], [0.25, 1.0], "polite", "examples"),
            ["polite", "3 examples: 100%"],
        ),
        (await pictures.days_picture("a.png", [0, 50, 7], "1 May", "3 May", "Tokens", 40), ["1 May", "57", "50", "7"]),
        (await pictures.loss_picture("a.png", [(1, 3.0), (9, 0.5)], [(9, 0.75)], "racing"), ["3.00", "step 9", "0.75"]),
        (
            await pictures.score_picture("a.png", {"held": [("own", 0.9)], "base": [("other", 0.1)]}, "racing"),
            ["held (own): 90%", "base (other): 10%"],
        ),
        (
            await pictures.table_picture("a.png", ["", "Pilot"], [["1", "Kava"], ["2", "Tor"]], "Season"),
            ["1, Pilot: Kava", "2, Pilot: Tor"],
        ),
        (
            await pictures.tree_picture(
                "a.png",
                [node(0), node(1, parent=0, label="the gate", head=True), node(1, 1.0, 0, on_path=False)],
                "A quest",
            ),
            ["A quest", "3", "2", "the gate"],
        ),
    ]


async def test_every_picture_describes_its_figures() -> None:
    for picture, expected in await drawn():
        assert picture.data.startswith(b"\x89PNG")
        for text in expected:
            assert text in picture.description


async def test_descriptions_are_in_the_readers_language() -> None:
    with use_locale("de"):
        described = [picture.description for picture, _expected in await drawn()]
    assert described[0].startswith("Balkendiagramm: Reviews.")
    assert "1.200" in described[0]


async def test_a_tree_of_one_turn_counts_whole_turns_in_the_readers_language(monkeypatch: pytest.MonkeyPatch) -> None:
    figures: list[Any] = []

    def keep(figure: Any) -> bytes:
        figures.append(figure)
        return b""

    monkeypatch.setattr(pictures, "_to_png", keep)
    with use_locale("de"):
        await pictures.tree_picture("a.png", [node(1, head=True)], "A quest")
    [axes] = figures[0].axes
    low, high = axes.get_xlim()
    assert [tick for tick in axes.get_xticks() if low <= tick <= high] == [1]
    assert axes.get_xlabel() == "Zug"


async def test_a_description_keeps_to_the_limit() -> None:
    rows = [[str(number), "A pilot with a long name " * 5] for number in range(60)]
    picture = await pictures.table_picture("a.png", ["", "Pilot"], rows, "Season")
    assert len(picture.description) <= MAX_DESCRIPTION


@pytest.mark.parametrize("name", ["a.png", "b.jpg", "c.webp"])
def test_a_picture_without_a_description_is_not_sent(name: str) -> None:
    with pytest.raises(ValueError, match="no description"):
        to_files([(name, b"")])


def test_all_files_and_media_items_are_made_in_one_place() -> None:
    """Files are made by `to_files`, which checks for descriptions, and media items by `Card.picture`."""
    found = []
    for path in [*(ROOT / "bot").rglob("*.py"), *(ROOT / "cogs").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("discord.File", "discord.MediaGalleryItem"):
                found.append((str(path.relative_to(ROOT)), ast.unparse(node.func)))
    assert sorted(found) == [("bot/ui/cards.py", "discord.MediaGalleryItem"), ("bot/ui/files.py", "discord.File")]


async def test_standings_can_be_read_without_seeing_them(sim: Simulated) -> None:
    result = await sim.member.slash(sim.general, "racing standings")
    assert result.response is not None
    items = [item for part in parts_of(result.response.components) for item in part.get("items", [])]
    assert len(items) == 1
    assert "Pilot: Senn Kava" in items[0]["description"]
    assert all("Pilot: Senn Kava" in (file.description or "") for file in result.response.attachments)
