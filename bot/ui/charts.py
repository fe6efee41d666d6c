"""Pictures of tuning: losses while a model learns, its scores beside others', and a table such as standings."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from bot.core.i18n import _, number, pgettext
from bot.ui.pictures import ACCENT, GOLD, INK, png, sheet

DIM, BAND = "#5c5f66", "#313338"
# Points of a line that a picture of this width can still show.
MOST_POINTS = 400
# From so many losses on they are shown as running means, in which a new one has this weight.
MANY, SMOOTHING = 60, 0.08
# Fewer points than these make no line yet, and are marked each.
FEW = 12
# Inches: a row of a table or a bar, a letter, and the room that headline and margins take.
A_ROW, A_LETTER, AROUND = 0.42, 0.1, 1.1
# Characters of a label before it is shortened.
LONGEST_LABEL = 34


async def loss_picture(
    training: Sequence[tuple[int, float]], validation: Sequence[tuple[int, float]], title: str
) -> bytes:
    """A PNG of losses by step: of the rows that are learned, and of questions that are only looked at."""
    return await asyncio.to_thread(_losses, list(training), list(validation), title)


def _losses(training: list[tuple[int, float]], validation: list[tuple[int, float]], title: str) -> bytes:
    figure, axes = sheet(title)
    names = pgettext("losses", "training"), _("held aside")
    for told, colour, name in ((training, GOLD, names[0]), (validation, ACCENT, names[1])):
        points = smooth(told)
        thinned = points[:: len(points) // MOST_POINTS + 1]
        if thinned:
            marker = "o" if len(thinned) < FEW else ""
            axes.plot(*zip(*thinned, strict=True), color=colour, linewidth=2, label=name, marker=marker)
            axes.annotate(
                number(points[-1][1], ",.2f"), points[-1], (6, 0), textcoords="offset points",
                va="center", color=colour, parse_math=False, annotation_clip=False,
            )  # fmt: skip
    most = max((loss for told in (training, validation) for _step, loss in smooth(told)), default=1.0)
    axes.set_ylim(0, most * 1.1 or 1.0)
    axes.set_xlabel(pgettext("losses", "step"), color=INK)
    axes.set_ylabel(pgettext("losses", "loss"), color=INK)
    axes.grid(axis="y", color=DIM, linewidth=0.5)
    if validation:
        axes.legend(frameon=False, labelcolor=INK, loc="upper right")
    return png(figure)


def smooth(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Many losses as running means: a batch is small, so that single ones jump about and hide the line."""
    mean, smoothed = 0.0, []
    for place, (step, loss) in enumerate(points):
        # The first ones count in full, so that the line begins where the losses do.
        weight = max(1 / (place + 1), SMOOTHING) if len(points) >= MANY else 1.0
        mean += weight * (loss - mean)
        smoothed.append((step, mean))
    return smoothed


async def score_picture(bars: Mapping[str, Sequence[tuple[str, float]]], title: str) -> bytes:
    """A PNG of lying bars: for each label some (series, share from 0 to 1), each series in a colour of its own."""
    return await asyncio.to_thread(_scores, dict(bars), title)


def _scores(bars: dict[str, Sequence[tuple[str, float]]], title: str) -> bytes:
    figure, axes = sheet(title)
    series = list(dict.fromkeys(name for entries in bars.values() for name, _share in entries))
    places: dict[str, list[tuple[float, float]]] = {name: [] for name in series}
    middles, at = [], 0.0
    for entries in bars.values():
        middles.append(at + (len(entries) - 1) / 2)
        for name, share in entries:
            places[name].append((at, share))
            at += 1
        at += 0.5
    for name, colour in zip(series, (GOLD, ACCENT, DIM), strict=False):
        drawn = axes.barh(*zip(*places[name], strict=True), height=0.85, color=colour, label=name)
        axes.bar_label(
            drawn, [number(share, ".0%") for _at, share in places[name]], padding=4, color=INK, parse_math=False
        )
    figure.set_size_inches(6.4, at * A_ROW * 0.8 + AROUND + (0.4 if len(series) > 1 else 0))
    axes.set_yticks(middles, [_short(label) for label in bars], parse_math=False)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.15)
    axes.set_xticks([])
    if len(series) > 1:
        axes.legend(frameon=False, labelcolor=INK, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=len(series))
    return png(figure)


async def table_picture(heads: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> bytes:
    """A PNG of a table; columns whose cells have two characters at the most stand in the middle, others left."""
    return await asyncio.to_thread(_table, list(heads), [list(row) for row in rows], title)


def _table(heads: list[str], rows: list[list[str]], title: str) -> bytes:
    figure, axes = sheet(title)
    columns = list(zip(heads, *rows, strict=True))
    widths = [max(len(text) for text in column) + 3 for column in columns]
    figure.set_size_inches(max(6.4, sum(widths) * A_LETTER), len(rows) * A_ROW + AROUND)
    for line in range(1, len(rows) + 1, 2):
        axes.axhspan(line - 0.5, line + 0.5, color=BAND)
    left = 0
    for column, width in zip(columns, widths, strict=True):
        centred = all(len(text) <= 2 for text in column[1:])
        for line, text in enumerate(column):
            _cell(axes, text, left + (width / 2 if centred else 1), line, centred=centred)
        left += width
    axes.set_xlim(0, left)
    axes.set_ylim(len(rows) + 0.6, -0.6)
    axes.set_xticks([])
    axes.set_yticks([])
    return png(figure)


def _cell(axes: Any, text: str, x: float, line: int, *, centred: bool) -> None:
    """One cell; the heads in the accent's colour, a first place in gold."""
    colour = ACCENT if line == 0 else GOLD if text == "1" else INK
    weight = "bold" if line == 0 or text == "1" else "normal"
    side = "center" if centred else "left"
    axes.text(x, line, text, color=colour, weight=weight, va="center", ha=side, fontsize=10, parse_math=False)


def _short(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + "…"
