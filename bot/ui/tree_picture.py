"""The tree of a story as a picture: time runs to the right, the path that is played stands out."""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from bot.ui.pictures import ACCENT, GOLD, INK, PAPER, png, sheet

DIM = "#5c5f66"
# Inches: a picture grows with its tree within what a phone can still show.
WIDEST, TALLEST, A_COLUMN, A_ROW = 14.0, 10.0, 0.45, 0.55
LONGEST_LABEL = 24


class Dot(Protocol):
    """A turn in the picture; `parent` is the index of another dot, `row` counts from the top."""

    @property
    def column(self) -> int: ...
    @property
    def row(self) -> float: ...
    @property
    def parent(self) -> int | None: ...
    @property
    def label(self) -> str: ...
    @property
    def on_path(self) -> bool: ...
    @property
    def head(self) -> bool: ...
    @property
    def open(self) -> bool: ...


async def tree_picture(dots: Sequence[Dot], title: str) -> bytes:
    """A PNG of the tree; parents stand before their children in `dots`."""
    return await asyncio.to_thread(_drawn, list(dots), title)


def _drawn(dots: list[Dot], title: str) -> bytes:
    figure, axes = sheet(title)
    columns = max((dot.column for dot in dots), default=0) - min((dot.column for dot in dots), default=0)
    rows = max((dot.row for dot in dots), default=0.0)
    figure.set_size_inches(min(max(6.4, columns * A_COLUMN), WIDEST), min(max(2.4, rows * A_ROW + 1.6), TALLEST))
    for dot in dots:
        _line(axes, dot, dots)
    for dot in dots:
        _dot(axes, dot)
    axes.set_yticks([])
    axes.invert_yaxis()
    axes.margins(x=0.06, y=0.2)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("turn", color=INK)
    return png(figure)


def _line(axes: Any, dot: Dot, dots: list[Dot]) -> None:
    """From the parent to the dot; from the left edge where the parent is not in the picture."""
    parent = dots[dot.parent] if dot.parent is not None else None
    start = (parent.column, parent.row) if parent else (dot.column - 0.5, dot.row)
    colour, width = (GOLD, 2.5) if dot.on_path else (DIM, 1.2)
    axes.plot([start[0], dot.column], [start[1], dot.row], color=colour, linewidth=width, zorder=1)


def _dot(axes: Any, dot: Dot) -> None:
    colour = GOLD if dot.on_path else ACCENT
    size = 150 if dot.head else 45
    selector_view = PAPER if dot.open else colour
    axes.scatter([dot.column], [dot.row], s=size, color=selector_view, edgecolors=colour, linewidths=1.5, zorder=2)
    if dot.label:
        name = dot.label if len(dot.label) <= LONGEST_LABEL else dot.label[: LONGEST_LABEL - 1] + "…"
        axes.annotate(
            name, (dot.column, dot.row), xytext=(0, 9), textcoords="offset points",
            ha="center", color=INK, fontsize=8, parse_math=False,
        )  # fmt: skip
