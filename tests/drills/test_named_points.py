"""Every flow with an acknowledgement, killed three times before and three times after each of its named points."""

import pytest

from tests.named_points import FLOWS, ONCE, Flow, run

TIMES = 3


@pytest.mark.parametrize("kind", FLOWS, ids=lambda kind: kind.__name__)
async def test_what_was_acknowledged_is_there_once_after_a_kill_at_every_named_point(kind: type[Flow]) -> None:
    rounds = [(point, after) for point in kind.points for after in (False, True) for _ in range(TIMES)]
    if kind in ONCE:
        for point, after in rounds:
            async with kind.open() as flow:
                await run(flow, point, after=after)
        return
    async with kind.open() as flow:
        for point, after in rounds:
            await run(flow, point, after=after)
