"""Some of the named points of `tests/drills/test_named_points.py`, once each."""

import pytest

from tests.named_points import ACKNOWLEDGEMENT, MESSAGE, Flow, ModalTurn, Point, SlashTurn, TrickTaught, run


@pytest.mark.parametrize(
    ("kind", "point"),
    [(SlashTurn, ACKNOWLEDGEMENT), (ModalTurn, MESSAGE), (TrickTaught, ACKNOWLEDGEMENT)],
    ids=["slash", "modal", "trick"],
)
async def test_what_was_acknowledged_before_a_kill_is_there_once_after_it(kind: type[Flow], point: Point) -> None:
    async with kind.open() as flow:
        await run(flow, point, after=True)
