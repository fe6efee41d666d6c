"""PNG pictures of numbers, tables and story trees with alt text, drawn in a thread with matplotlib.

matplotlib is imported with the first picture, because its import takes 0.4 s.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, NamedTuple

from bot.core.i18n import _, format_number, pgettext
from bot.core.text import shorten

# Discord's dark background, and colours that are visible on it and on a white page.
TEXT_COLOUR, BACKGROUND, ACCENT, GOLD = "#dbdee1", "#2b2d31", "#7289da", "#f0b132"
DIM, STRIPE = "#5c5f66", "#313338"
# Inches.
SIZE = (6.4, 3.4)
DPI = 140
# A line of 6.4 inches cannot show more points than this.
MAX_LINE_POINTS = 400
# With this many losses or more, the running mean is shown, in which a new loss has the weight `SMOOTHING`.
SMOOTH_FROM, SMOOTHING = 60, 0.08
# With fewer points than this, each point gets a marker.
MARKERS_BELOW = 12
# Inches: the height of a table row or bar, the width of a letter, and the height of title and margins.
ROW_HEIGHT, LETTER_WIDTH, MARGINS = 0.42, 0.1, 1.1
# Characters after which a label is shortened.
MAX_LABEL, MAX_TURN_LABEL = 34, 24
# Discord's limit for a description, in characters.
MAX_DESCRIPTION = 1_024
# Inches: a story tree grows up to a size that a phone can still show.
MAX_TREE_WIDTH, MAX_TREE_HEIGHT, TREE_COLUMN, TREE_ROW = 14.0, 10.0, 0.45, 0.55


@dataclass(frozen=True, slots=True)
class TreeNode:
    """A turn in the picture: `column` is its depth, `row` counts from the top, `parent` is the index of its parent."""

    column: int
    row: float
    parent: int | None
    label: str
    on_path: bool
    head: bool
    open: bool


class Picture(NamedTuple):
    """A PNG file to send, with its description (alt text) for people who do not see it."""

    name: str
    data: bytes
    description: str


async def histogram_picture(name: str, counts: Sequence[int], labels: Sequence[str], title: str) -> Picture:
    """A bar with its count for each label."""
    values = [(label, format_number(count)) for label, count in zip(labels, counts, strict=True)]
    data = await asyncio.to_thread(_draw_histogram, list(counts), list(labels), title)
    return Picture(name, data, _describe(_("Bar chart: {title}. {values}"), title, values))


async def curve_picture(name: str, labels: Sequence[str], shares: Sequence[float], title: str, x_label: str) -> Picture:
    """A line through `shares` (0 to 1), one for each of the `labels` on the x axis."""
    values = [(f"{label} {x_label}", format_number(share, ".0%")) for label, share in zip(labels, shares, strict=True)]
    data = await asyncio.to_thread(_draw_curve, list(labels), list(shares), title, x_label)
    return Picture(name, data, _describe(_("Line chart: {title}. {values}"), title, values))


async def days_picture(
    name: str, amounts: Sequence[int], first: str, last: str, title: str, limit: int | None = None
) -> Picture:
    """A thin bar for each day, labelled with the dates of the `first` and the `last`; a line at the daily `limit`."""
    values = [
        (_("from {first} to {last}", first=first, last=last), format_number(sum(amounts))),
        (_("most in one day"), format_number(max(amounts, default=0))),
        (_("last day"), format_number(amounts[-1] if amounts else 0)),
    ]
    data = await asyncio.to_thread(_draw_days, list(amounts), first, last, title, limit)
    return Picture(name, data, _describe(_("Bar chart: {title}. {values}"), title, values))


async def loss_picture(
    name: str, training: Sequence[tuple[int, float]], validation: Sequence[tuple[int, float]], title: str
) -> Picture:
    """Losses by step, of the training rows and of the rows held aside."""
    values = []
    for label, losses in ((pgettext("losses", "training"), training), (_("held aside"), validation)):
        points = smooth(list(losses))
        if points:
            (start, first), (end, last) = points[0], points[-1]
            values.append(
                (
                    label,
                    _(
                        "{first:,.2f} at step {start:,}, {last:,.2f} at step {end:,}",
                        first=first,
                        start=start,
                        last=last,
                        end=end,
                    ),
                )
            )
    data = await asyncio.to_thread(_draw_losses, list(training), list(validation), title)
    return Picture(name, data, _describe(_("Line chart: {title}. {values}"), title, values))


async def score_picture(name: str, bars: Mapping[str, Sequence[tuple[str, float]]], title: str) -> Picture:
    """Horizontal bars: for each label some (series, share from 0 to 1), with one colour for each series."""
    several = len({series for entries in bars.values() for series, _share in entries}) > 1
    values = [
        (f"{label} ({series})" if several else label, format_number(share, ".0%"))
        for label, entries in bars.items()
        for series, share in entries
    ]
    data = await asyncio.to_thread(_draw_scores, dict(bars), title)
    return Picture(name, data, _describe(_("Bar chart: {title}. {values}"), title, values))


async def table_picture(name: str, heads: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> Picture:
    """A table; columns whose cells have at most two characters are centred, others are aligned left."""
    cells = ". ".join(
        ", ".join(f"{head}: {cell}" if head else cell for head, cell in zip(heads, row, strict=True)) for row in rows
    )
    data = await asyncio.to_thread(_draw_table, list(heads), [list(row) for row in rows], title)
    return Picture(name, data, shorten(_("Table: {title}. {cells}.", title=title, cells=cells), MAX_DESCRIPTION))


async def tree_picture(name: str, nodes: Sequence[TreeNode], title: str) -> Picture:
    """A story tree, from left to right; in `nodes`, parents come before their children."""
    values = [
        (_("turns"), format_number(len(nodes))),
        (_("on the path that is played"), format_number(sum(node.on_path for node in nodes))),
    ]
    labels = ", ".join(node.label for node in nodes if node.label)
    if labels:
        values.append((_("named turns"), labels))
    data = await asyncio.to_thread(_draw_tree, list(nodes), title)
    return Picture(name, data, _describe(_("Tree of the story: {title}. {values}"), title, values))


def _describe(template: str, title: str, values: Sequence[tuple[str, str]]) -> str:
    """The alt text of a picture, within Discord's limit."""
    shown = ", ".join(_("{label}: {value}", label=label, value=value) for label, value in values) + "."
    return shorten(template.format(title=title, values=shown), MAX_DESCRIPTION)


def smooth(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Many losses as running means: the loss of one small batch varies so much that it hides the trend."""
    mean, smoothed = 0.0, []
    for index, (step, loss) in enumerate(points):
        # The first losses get full weight, so that the line starts at them and not at 0.
        weight = max(1 / (index + 1), SMOOTHING) if len(points) >= SMOOTH_FROM else 1.0
        mean += weight * (loss - mean)
        smoothed.append((step, mean))
    return smoothed


def _draw_histogram(counts: list[int], labels: list[str], title: str) -> bytes:
    figure, axes = _new_figure(title)
    bars = axes.bar(labels, counts, color=GOLD, width=0.7)
    axes.bar_label(bars, padding=3, color=TEXT_COLOUR, parse_math=False)
    axes.set_yticks([])
    axes.margins(y=0.15)
    return _to_png(figure)


def _draw_curve(labels: list[str], shares: list[float], title: str, x_label: str) -> bytes:
    figure, axes = _new_figure(title)
    axes.plot(labels, shares, color=GOLD, marker="o", linewidth=2)
    for index, share in enumerate(shares):
        axes.annotate(
            format_number(share, ".0%"), (index, share), (0, 9), textcoords="offset points",
            ha="center", color=TEXT_COLOUR, parse_math=False,
        )  # fmt: skip
    axes.set_ylim(0, 1.15)
    axes.set_yticks([])
    axes.margins(x=0.12)
    axes.set_xlabel(x_label, color=TEXT_COLOUR, parse_math=False)
    return _to_png(figure)


def _draw_days(amounts: list[int], first: str, last: str, title: str, limit: int | None) -> bytes:
    figure, axes = _new_figure(title)
    axes.bar(range(len(amounts)), amounts, color=GOLD, width=0.8)
    axes.set_xticks([0, len(amounts) - 1], [first, last])
    highest = max(amounts, default=0)
    # A limit far above the amounts would flatten the bars; the card names it anyway.
    if limit is not None and limit <= 3 * highest:
        axes.axhline(limit, color=ACCENT, linestyle="--", linewidth=1)
        axes.annotate(
            _("limit {n:,}", n=limit), (0, limit), (0, 3), textcoords="offset points",
            color=TEXT_COLOUR, parse_math=False,
        )  # fmt: skip
    axes.set_yticks([highest] if highest else [], [format_number(highest)] if highest else [])
    return _to_png(figure)


def _draw_losses(training: list[tuple[int, float]], validation: list[tuple[int, float]], title: str) -> bytes:
    figure, axes = _new_figure(title)
    names = pgettext("losses", "training"), _("held aside")
    for losses, colour, name in ((training, GOLD, names[0]), (validation, ACCENT, names[1])):
        points = smooth(losses)
        thinned = points[:: len(points) // MAX_LINE_POINTS + 1]
        if thinned:
            marker = "o" if len(thinned) < MARKERS_BELOW else ""
            axes.plot(*zip(*thinned, strict=True), color=colour, linewidth=2, label=name, marker=marker)
            axes.annotate(
                format_number(points[-1][1], ",.2f"), points[-1], (6, 0), textcoords="offset points",
                va="center", color=colour, parse_math=False, annotation_clip=False,
            )  # fmt: skip
    highest = max((loss for losses in (training, validation) for _step, loss in smooth(losses)), default=1.0)
    axes.set_ylim(0, highest * 1.1 or 1.0)
    axes.set_xlabel(pgettext("losses", "step"), color=TEXT_COLOUR)
    axes.set_ylabel(pgettext("losses", "loss"), color=TEXT_COLOUR)
    axes.grid(axis="y", color=DIM, linewidth=0.5)
    if validation:
        axes.legend(frameon=False, labelcolor=TEXT_COLOUR, loc="upper right")
    return _to_png(figure)


def _draw_scores(bars: dict[str, Sequence[tuple[str, float]]], title: str) -> bytes:
    figure, axes = _new_figure(title)
    series = list(dict.fromkeys(name for entries in bars.values() for name, _share in entries))
    positions: dict[str, list[tuple[float, float]]] = {name: [] for name in series}
    centres, y = [], 0.0
    for entries in bars.values():
        centres.append(y + (len(entries) - 1) / 2)
        for name, share in entries:
            positions[name].append((y, share))
            y += 1
        y += 0.5
    for name, colour in zip(series, (GOLD, ACCENT, DIM), strict=False):
        drawn = axes.barh(*zip(*positions[name], strict=True), height=0.85, color=colour, label=name)
        labels = [format_number(share, ".0%") for _y, share in positions[name]]
        axes.bar_label(drawn, labels, padding=4, color=TEXT_COLOUR, parse_math=False)
    figure.set_size_inches(6.4, y * ROW_HEIGHT * 0.8 + MARGINS + (0.4 if len(series) > 1 else 0))
    axes.set_yticks(centres, [shorten(label, MAX_LABEL) for label in bars], parse_math=False)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.15)
    axes.set_xticks([])
    if len(series) > 1:
        axes.legend(
            frameon=False, labelcolor=TEXT_COLOUR, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=len(series)
        )
    return _to_png(figure)


def _draw_table(heads: list[str], rows: list[list[str]], title: str) -> bytes:
    figure, axes = _new_figure(title)
    columns = list(zip(heads, *rows, strict=True))
    widths = [max(len(text) for text in column) + 3 for column in columns]
    figure.set_size_inches(max(6.4, sum(widths) * LETTER_WIDTH), len(rows) * ROW_HEIGHT + MARGINS)
    for line in range(1, len(rows) + 1, 2):
        axes.axhspan(line - 0.5, line + 0.5, color=STRIPE)
    left = 0
    for column, width in zip(columns, widths, strict=True):
        centred = all(len(text) <= 2 for text in column[1:])
        for line, text in enumerate(column):
            _draw_cell(axes, text, left + (width / 2 if centred else 1), line, centred=centred)
        left += width
    axes.set_xlim(0, left)
    axes.set_ylim(len(rows) + 0.6, -0.6)
    axes.set_xticks([])
    axes.set_yticks([])
    return _to_png(figure)


def _draw_cell(axes: Any, text: str, x: float, line: int, *, centred: bool) -> None:
    """One cell; column heads in the accent colour, first places in gold."""
    colour = ACCENT if line == 0 else GOLD if text == "1" else TEXT_COLOUR
    weight = "bold" if line == 0 or text == "1" else "normal"
    align = "center" if centred else "left"
    axes.text(x, line, text, color=colour, weight=weight, va="center", ha=align, fontsize=10, parse_math=False)


def _draw_tree(nodes: list[TreeNode], title: str) -> bytes:
    figure, axes = _new_figure(title)
    columns = max((node.column for node in nodes), default=0) - min((node.column for node in nodes), default=0)
    rows = max((node.row for node in nodes), default=0.0)
    width = min(max(6.4, columns * TREE_COLUMN), MAX_TREE_WIDTH)
    figure.set_size_inches(width, min(max(2.4, rows * TREE_ROW + 1.6), MAX_TREE_HEIGHT))
    for node in nodes:
        _draw_edge(axes, node, nodes)
    for node in nodes:
        _draw_node(axes, node)
    axes.set_yticks([])
    axes.invert_yaxis()
    axes.margins(x=0.06, y=0.2)
    # Whole turns only, also where the tree has one.
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    axes.set_xlabel(pgettext("tree", "turn"), color=TEXT_COLOUR)
    return _to_png(figure)


def _draw_edge(axes: Any, node: TreeNode, nodes: list[TreeNode]) -> None:
    """The line from the parent to the node; from the left edge where the parent is not in the picture."""
    parent = nodes[node.parent] if node.parent is not None else None
    start = (parent.column, parent.row) if parent else (node.column - 0.5, node.row)
    colour, width = (GOLD, 2.5) if node.on_path else (DIM, 1.2)
    axes.plot([start[0], node.column], [start[1], node.row], color=colour, linewidth=width, zorder=1)


def _draw_node(axes: Any, node: TreeNode) -> None:
    colour = GOLD if node.on_path else ACCENT
    size = 150 if node.head else 45
    fill = BACKGROUND if node.open else colour
    axes.scatter([node.column], [node.row], s=size, color=fill, edgecolors=colour, linewidths=1.5, zorder=2)
    if node.label:
        axes.annotate(
            shorten(node.label, MAX_TURN_LABEL), (node.column, node.row), xytext=(0, 9),
            textcoords="offset points", ha="center", color=TEXT_COLOUR, fontsize=8, parse_math=False,
        )  # fmt: skip


def _new_figure(title: str) -> tuple[Any, Any]:
    """An empty figure and its axes in the bot's colours, without pyplot, which keeps global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=DPI, facecolor=BACKGROUND, layout="tight")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(facecolor=BACKGROUND)
    axes.set_title(title, color=TEXT_COLOUR, parse_math=False)
    axes.tick_params(colors=TEXT_COLOUR, length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure, axes


def _to_png(figure: Any) -> bytes:
    file = BytesIO()
    figure.savefig(file, format="png", facecolor=BACKGROUND)
    return file.getvalue()
