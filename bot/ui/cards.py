"""Cards: Components V2, stacked and never in columns, because of phones; kept within Discord's limits.

A message of components holds at most 40 of them and 4,000 characters, and Discord answers 500 above about
10,170 bytes of UTF-8 (2026-11-22). `Card` keeps both counts and shortens what would pass them.
"""

from collections.abc import Sequence
from typing import Any

import discord

from bot.core.i18n import N_, _
from bot.ui.views import LayoutView

CHARACTERS = 4_000
BYTES = 10_000
COMPONENTS = 40
BRAND = discord.Colour.from_rgb(88, 101, 242)
CUT = N_("… (shortened)")


class Card:
    """Built from top to bottom; `layout()` gives what is sent."""

    def __init__(self, title: str, *, colour: discord.Colour = BRAND) -> None:
        self._container: discord.ui.Container[Any] = discord.ui.Container(accent_colour=colour)
        self._characters, self._bytes, self._components = 0, 0, 1
        if title:
            self.text(f"### {title}")

    @property
    def room(self) -> int:
        """Characters that are still free, at the least."""
        return max(min(CHARACTERS - self._characters, (BYTES - self._bytes) // 4), 0)

    def text(self, text: str) -> "Card":
        """A block of Markdown; shortened where the card is full, left out where nothing of it fits."""
        text = self._fitting(text.strip())
        if text and self._components < COMPONENTS:
            self._container.add_item(discord.ui.TextDisplay(text))
            self._count(text)
        return self

    def line(self) -> "Card":
        """A thin line between two blocks."""
        if self._components < COMPONENTS:
            self._container.add_item(discord.ui.Separator())
            self._components += 1
        return self

    def picture(self, name: str) -> "Card":
        """A picture that is sent along as the file `name`."""
        gallery: discord.ui.MediaGallery[Any] = discord.ui.MediaGallery(
            discord.MediaGalleryItem(f"attachment://{name}")
        )
        self._container.add_item(gallery)
        self._components += 2
        return self

    def file(self, name: str) -> "Card":
        """A file that is sent along as `name`."""
        self._container.add_item(discord.ui.File(f"attachment://{name}"))
        self._components += 1
        return self

    def row(self, *items: discord.ui.Item[Any]) -> "Card":
        """Up to five buttons, or a menu."""
        if items:
            self._container.add_item(discord.ui.ActionRow(*items))
            self._components += 1 + len(items)
        return self

    def layout(self) -> LayoutView:
        """The card as a message's view."""
        return LayoutView(self._container)

    def _count(self, text: str) -> None:
        self._characters += len(text)
        self._bytes += len(text.encode())
        self._components += 1

    def _fitting(self, text: str) -> str:
        """As much of `text` as the card still takes."""
        characters, size = CHARACTERS - self._characters, BYTES - self._bytes
        if len(text) <= characters and len(text.encode()) <= size:
            return text
        cut = _(CUT)
        if min(characters, size) <= len(cut.encode()) + 20:
            return ""
        kept = text[: characters - len(cut)].encode()[: size - len(cut.encode())].decode(errors="ignore")
        # A fence that the cut leaves open would swallow the rest of the card.
        return kept[: -len("\n```")].rstrip("`") + f"\n```{cut}" if kept.count("```") % 2 else kept + cut


def notice(title: str, lines: Sequence[str], *buttons: discord.ui.Item[Any]) -> LayoutView:
    """A card of a few lines and a row of buttons."""
    card = Card(title)
    for line in lines:
        card.text(line)
    return card.row(*buttons).layout()
