"""The short form of the drill in `tests/drills/test_adventure.py`."""

from tests.cogs.adventure_kills import drill


async def test_two_kills_lose_no_turn() -> None:
    await drill(6, 2, within=1.5, rate_scale=0.1)
