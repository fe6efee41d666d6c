"""People who use the whole bot at random for two minutes each, without and with faults of Discord and the model.

Run with `make drills`. `DRILL_SEED` repeats the choices, though not their order in time.
"""

import os
import time

import pytest

from tests.bot.harness import open_harness
from tests.random_use import ENV, RandomPeople, errors_of

SEED = int(os.environ.get("DRILL_SEED", time.time()))
SECONDS = 120.0


@pytest.mark.parametrize("faults", [False, True], ids=["calm", "faults"])
async def test_whatever_people_do_is_acknowledged_and_ends_without_a_fault(faults: bool) -> None:
    print(f"\nDRILL_SEED={SEED}")
    async with open_harness(message_content=True) as harness, harness.bot(ENV) as process:
        people = RandomPeople(harness, SEED)
        await people.act(SECONDS, faults=faults)
        print(dict(people.seen))
        assert people.failures == []
        assert errors_of(process.output) == []
        assert people.seen["interactions"] > 200
