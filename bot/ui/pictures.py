"""Pictures, drawn off the event loop. The drawing library is imported with the first picture: it takes 0.4 s."""

import asyncio
from collections.abc import Sequence
from io import BytesIO
from typing import Any

from bot.core.i18n import _, number

# Discord's dark background and the colours that stand out on it and on a white page alike.
INK, PAPER, ACCENT, GOLD = "#dbdee1", "#2b2d31", "#7289da", "#f0b132"
SIZE = (6.4, 3.4)
DPI = 140


async def histogram(counts: Sequence[int], labels: Sequence[str], title: str) -> bytes:
    """A PNG of bars with their counts, one for each label."""
    return await asyncio.to_thread(_histogram, list(counts), list(labels), title)


def _histogram(counts: list[int], labels: list[str], title: str) -> bytes:
    figure, axes = sheet(title)
    bars = axes.bar(labels, counts, color=GOLD, width=0.7)
    axes.bar_label(bars, padding=3, color=INK, parse_math=False)
    axes.set_yticks([])
    axes.margins(y=0.15)
    return png(figure)


async def curve(places: Sequence[str], shares: Sequence[float], title: str, below: str) -> bytes:
    """A PNG of a line through `shares` (from 0 to 1), each above its place; `below` says what the places count."""
    return await asyncio.to_thread(_curve, list(places), list(shares), title, below)


def _curve(places: list[str], shares: list[float], title: str, below: str) -> bytes:
    figure, axes = sheet(title)
    axes.plot(places, shares, color=GOLD, marker="o", linewidth=2)
    for place, share in enumerate(shares):
        axes.annotate(
            number(share, ".0%"),
            (place, share),
            (0, 9),
            textcoords="offset points",
            ha="center",
            color=INK,
            parse_math=False,
        )
    axes.set_ylim(0, 1.15)
    axes.set_yticks([])
    axes.margins(x=0.12)
    axes.set_xlabel(below, color=INK, parse_math=False)
    return png(figure)


async def days(amounts: Sequence[int], first: str, last: str, title: str, limit: int | None = None) -> bytes:
    """A PNG of thin bars, one a day, with the dates of the `first` and the `last`; a line at the daily `limit`."""
    return await asyncio.to_thread(_days, list(amounts), first, last, title, limit)


def _days(amounts: list[int], first: str, last: str, title: str, limit: int | None) -> bytes:
    figure, axes = sheet(title)
    axes.bar(range(len(amounts)), amounts, color=GOLD, width=0.8)
    axes.set_xticks([0, len(amounts) - 1], [first, last])
    most = max(amounts, default=0)
    # A limit that is far above what was used would flatten the bars; the card names it anyway.
    if limit is not None and limit <= 3 * most:
        axes.axhline(limit, color=ACCENT, linestyle="--", linewidth=1)
        axes.annotate(
            _("limit {n:,}", n=limit), (0, limit), (0, 3), textcoords="offset points", color=INK, parse_math=False
        )
    axes.set_yticks([most] if most else [], [number(most)] if most else [])
    return png(figure)


def sheet(title: str) -> tuple[Any, Any]:
    """An empty figure and its axes, in the bot's colours; drawn without pyplot, which keeps global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=DPI, facecolor=PAPER, layout="tight")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(facecolor=PAPER)
    axes.set_title(title, color=INK, parse_math=False)
    axes.tick_params(colors=INK, length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure, axes


def png(figure: Any) -> bytes:
    """The figure as the bytes of a PNG."""
    file = BytesIO()
    figure.savefig(file, format="png", facecolor=PAPER)
    return file.getvalue()
