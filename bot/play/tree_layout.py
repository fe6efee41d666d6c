"""The shape of a story's tree, as rows and columns for a picture."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.storage.stories import Branch, Turn

# More turns than this would be a picture of dust; the newest are drawn.
MOST = 150


@dataclass(frozen=True, slots=True)
class Node:
    """A turn in the picture: its column is the depth, `row` its place from the top; `parent` is another's index."""

    column: int
    row: float
    parent: int | None
    label: str
    on_path: bool
    head: bool
    open: bool


def shape(tree: Sequence[Turn], named: Sequence[Branch], head: int | None) -> list[Node]:
    """The newest turns of `tree` (parents before children) as nodes; leaves take rows, parents stand between them."""
    shown = list(tree)[-MOST:]
    index = {turn.id: number for number, turn in enumerate(shown)}
    names: dict[int | None, str] = {}
    for branch in named:
        names[branch.turn_id] = f"{names[branch.turn_id]}, {branch.name}" if branch.turn_id in names else branch.name
    rows = _rows([index.get(turn.parent_id or 0) for turn in shown])
    path = _path(tree, head)
    return [
        Node(
            column=turn.depth,
            row=rows[number],
            parent=index.get(turn.parent_id or 0),
            label=names.get(turn.id, ""),
            on_path=turn.id in path,
            head=turn.id == head,
            open=turn.reply is None,
        )
        for number, turn in enumerate(shown)
    ]


def _path(tree: Sequence[Turn], head: int | None) -> set[int]:
    """The ids of the turns down to `head`."""
    parents = {turn.id: turn.parent_id for turn in tree}
    path: set[int] = set()
    while head is not None and head in parents:
        path.add(head)
        head = parents[head]
    return path


def _rows(parents: Sequence[int | None]) -> list[float]:
    """A row for each node: leaves from the top in the order of a walk, parents in the middle of their children."""
    children: dict[int | None, list[int]] = {}
    for number, parent in enumerate(parents):
        children.setdefault(parent, []).append(number)
    order, stack = [], list(reversed(children.get(None, [])))
    while stack:
        number = stack.pop()
        order.append(number)
        stack += reversed(children.get(number, []))
    rows, leaves = [0.0] * len(parents), 0
    for number in order:
        if number not in children:
            rows[number] = float(leaves)
            leaves += 1
    # Children stand behind their parents in the walk, so backwards each parent finds its children placed.
    for number in reversed(order):
        if number in children:
            placed = [rows[child] for child in children[number]]
            rows[number] = sum(placed) / len(placed)
    return rows
