"""The layout of a story's tree for a picture: a column per depth, rows from top to bottom."""

from collections.abc import Sequence

from bot.play import Branch, Turn
from bot.ui.pictures import TreeNode

# The newest turns that are drawn: the dots of more would be too small to see.
MAX_NODES = 150


def layout(tree: Sequence[Turn], branches: Sequence[Branch], head: int | None) -> list[TreeNode]:
    """The newest turns of `tree` (parents before children): one row per leaf, parents centred on their children."""
    newest = list(tree)[-MAX_NODES:]
    index = {turn.id: number for number, turn in enumerate(newest)}
    labels: dict[int | None, str] = {}
    for branch in branches:
        labels[branch.turn_id] = f"{labels[branch.turn_id]}, {branch.name}" if branch.turn_id in labels else branch.name
    rows = _rows([index.get(turn.parent_id or 0) for turn in newest])
    path = _path(tree, head)
    return [
        TreeNode(
            column=turn.depth,
            row=rows[number],
            parent=index.get(turn.parent_id or 0),
            label=labels.get(turn.id, ""),
            on_path=turn.id in path,
            head=turn.id == head,
            open=turn.reply is None,
        )
        for number, turn in enumerate(newest)
    ]


def _path(tree: Sequence[Turn], head: int | None) -> set[int]:
    """The ids of the turns on the path to `head`."""
    parents = {turn.id: turn.parent_id for turn in tree}
    path: set[int] = set()
    while head is not None and head in parents:
        path.add(head)
        head = parents[head]
    return path


def _rows(parents: Sequence[int | None]) -> list[float]:
    """The row of each node: leaves in depth-first order, parents at the mean of their children."""
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
    # Children come after their parents in this order, so in reverse each parent's children have their rows.
    for number in reversed(order):
        if number in children:
            below = [rows[child] for child in children[number]]
            rows[number] = sum(below) / len(below)
    return rows
