"""A file of reviews where one of them is not let through."""

import pytest

from tests.simulated import Simulated


@pytest.mark.settings(moderation_model="omni-moderation-latest")
async def test_a_review_that_the_moderation_holds_back_leaves_the_others_their_ratings(sim: Simulated) -> None:
    sim.model.moderator.flags["knife"] = ["violence"]
    sim.model.says("4: fine")
    file = ("reviews.txt", b"It works.\nA knife to my wallet.\nIt is blue.\n")
    result = await sim.member.slash(sim.general, "sentiment", file=file)
    assert "from 2 reviews\n1 could not be rated: This bot's moderation" in sim.text(result.response)
