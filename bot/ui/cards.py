"""Cards: messages of Components V2 within Discord's limits, in one column, because phones show no columns.

A message has at most 40 components and 4,000 characters, and Discord answers 500 above about 10,170 bytes of UTF-8
(2026-11-22). `Card` shortens texts that would exceed them.
"""

from collections.abc import Sequence
from typing import Any

import discord

from bot.core.i18n import N_, _
from bot.core.text import close_markup
from bot.ui.pictures import Picture
from bot.ui.views import LayoutView

CHARACTERS = 4_000
BYTES = 10_000
COMPONENTS = 40
# Characters that may be needed to close the formatting of a shortened text.
MAX_CLOSERS = 70
BRAND = discord.Colour.from_rgb(88, 101, 242)
CUT = N_("… (shortened)")


class Card:
    """Add components from top to bottom, then send `layout()`."""

    def __init__(self, title: str, *, colour: discord.Colour = BRAND) -> None:
        self._container: discord.ui.Container[Any] = discord.ui.Container(accent_colour=colour)
        self._characters, self._bytes, self._components = 0, 0, 1
        if title:
            self.text(f"### {title}")

    @property
    def remaining(self) -> int:
        """The number of characters that still fit, whatever their size in UTF-8."""
        return max(min(CHARACTERS - self._characters, (BYTES - self._bytes) // 4), 0)

    def text(self, text: str) -> "Card":
        """Add a block of Markdown, shortened to the free space, or left out if the card is full."""
        text = self._fitting(text.strip())
        if text and self._components < COMPONENTS:
            self._container.add_item(discord.ui.TextDisplay(text))
            self._characters += len(text)
            self._bytes += len(text.encode())
            self._components += 1
        return self

    def line(self) -> "Card":
        """Add a separator."""
        if self._components < COMPONENTS:
            self._container.add_item(discord.ui.Separator())
            self._components += 1
        return self

    def picture(self, picture: Picture) -> "Card":
        """Add a picture; the message must have it as a file."""
        gallery: discord.ui.MediaGallery[Any] = discord.ui.MediaGallery(
            discord.MediaGalleryItem(f"attachment://{picture.name}", description=picture.description)
        )
        self._container.add_item(gallery)
        self._components += 2
        return self

    def file(self, name: str) -> "Card":
        """Add a file; the message must have a file called `name`."""
        self._container.add_item(discord.ui.File(f"attachment://{name}"))
        self._components += 1
        return self

    def row(self, *items: discord.ui.Item[Any]) -> "Card":
        """Add up to five buttons, or one select."""
        if items:
            self._container.add_item(discord.ui.ActionRow(*items))
            self._components += 1 + len(items)
        return self

    def rows(self, items: Sequence[discord.ui.Item[Any]]) -> "Card":
        """Add any number of buttons, five to a row."""
        for first in range(0, len(items), 5):
            self.row(*items[first : first + 5])
        return self

    def layout(self) -> LayoutView:
        """The view to send."""
        return LayoutView(self._container)

    def _fitting(self, text: str) -> str:
        """The part of `text` that fits."""
        characters, size = CHARACTERS - self._characters, BYTES - self._bytes
        if len(text) <= characters and len(text.encode()) <= size:
            return text
        cut = _(CUT)
        if min(characters, size) <= len(cut.encode()) + MAX_CLOSERS + 20:
            return ""
        kept = text[: characters - len(cut) - MAX_CLOSERS]
        kept = kept.encode()[: size - len(cut.encode()) - MAX_CLOSERS].decode(errors="ignore")
        return close_markup(kept) + cut


def notice(title: str, lines: Sequence[str], *buttons: discord.ui.Item[Any]) -> LayoutView:
    """A card with some blocks of text and a row of buttons."""
    card = Card(title)
    for line in lines:
        card.text(line)
    return card.row(*buttons).layout()
