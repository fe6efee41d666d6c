"""Forty turns by three people, while the bot's process is killed at twenty random moments."""

from tests.cogs.adventure_kills import drill


async def test_twenty_kills_lose_no_turn() -> None:
    await drill(40, 20)
