"""People who use the whole bot at random for two minutes each: calm, with faults of Discord and the model, and with a
database that goes away.

Run with `make drills`. `DRILL_SEED` repeats the choices, though not their order in time.
"""

import asyncio
import os
import random
import time

import pytest

from tests.bot.harness import open_harness
from tests.postgresql import PostgresServer
from tests.random_use import ENV, RandomPeople, errors_of

SEED = int(os.environ.get("DRILL_SEED", time.time()))
SECONDS = 120.0
END_CONNECTIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'fewshot' AND pid <> pg_backend_pid()"
)


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


async def outages(server: PostgresServer) -> None:
    """Let the server end all connections, or stop for up to six seconds, eight times in `SECONDS`."""
    chance = random.Random(SEED)
    for _ in range(8):
        await asyncio.sleep(SECONDS / 10)
        if chance.random() < 0.5:
            await server.run(END_CONNECTIONS)
        else:
            await asyncio.to_thread(server.stop)
            await asyncio.sleep(chance.uniform(0.5, 6))
            await asyncio.to_thread(server.start)


@pytest.mark.postgresql
async def test_a_database_that_goes_away_is_a_sentence_and_not_a_fault(postgresql: PostgresServer) -> None:
    print(f"\nDRILL_SEED={SEED}")
    env = ENV | {"DATABASE_URL": await postgresql.migrated()}
    async with open_harness(message_content=True) as harness, harness.bot(env) as process:
        people = RandomPeople(harness, SEED)
        await asyncio.gather(people.act(SECONDS, has_database=False), outages(postgresql))
        print(dict(people.seen))
        assert people.failures == []
        assert "Traceback" not in process.output
        assert people.seen["interactions"] > 200
