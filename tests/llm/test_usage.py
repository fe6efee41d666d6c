"""Usages add up."""

from bot.llm.usage import Usage


def test_usages_add_up_and_an_estimate_stays_one() -> None:
    assert Usage(1, 2, 3) + Usage(10, 20, 30, estimated=True) == Usage(11, 22, 33, estimated=True)
