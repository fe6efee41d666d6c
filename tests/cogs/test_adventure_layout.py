"""The layout of a story's tree in its picture."""

from dataclasses import replace

from bot.play import Turn
from cogs.adventure.tree_layout import layout

TURN = Turn(1, "s", None, 1, "done", "do", None, 1, "Ann", False, "look", "", "Walls.", "m", "stop", "", None, 0.0)


def test_the_layout_has_one_row_per_leaf_and_marks_the_path() -> None:
    tree = [
        replace(TURN, id=1),
        replace(TURN, id=2, parent_id=1, depth=2),
        replace(TURN, id=3, parent_id=1, depth=2),
        replace(TURN, id=4, parent_id=3, depth=3, reply=None),
    ]
    nodes = layout(tree, [], 4)
    assert [(node.column, node.row) for node in nodes] == [(1, 0.5), (2, 0.0), (2, 1.0), (3, 1.0)]
    assert [node.on_path for node in nodes] == [True, False, True, True]
    assert nodes[3].head
    assert nodes[3].open
