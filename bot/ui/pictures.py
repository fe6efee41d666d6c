"""Pictures, drawn off the event loop. The drawing library is imported with the first picture: it takes 0.4 s."""

import asyncio
from collections.abc import Sequence
from io import BytesIO
from typing import Any

# Discord's dark background and the colours that stand out on it and on a white page alike.
INK, PAPER, ACCENT, GOLD = "#dbdee1", "#2b2d31", "#7289da", "#f0b132"
SIZE = (6.4, 3.4)
DPI = 140


async def histogram(counts: Sequence[int], labels: Sequence[str], title: str) -> bytes:
    """A PNG of bars with their counts, one for each label."""
    return await asyncio.to_thread(_histogram, list(counts), list(labels), title)


def _histogram(counts: list[int], labels: list[str], title: str) -> bytes:
    figure, axes = _sheet(title)
    bars = axes.bar(labels, counts, color=GOLD, width=0.7)
    axes.bar_label(bars, padding=3, color=INK, parse_math=False)
    axes.set_yticks([])
    axes.margins(y=0.15)
    return _png(figure)


def _sheet(title: str) -> tuple[Any, Any]:
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


def _png(figure: Any) -> bytes:
    sheet = BytesIO()
    figure.savefig(sheet, format="png", facecolor=PAPER)
    return sheet.getvalue()
