"""Four processes with four shards each, under load: one is killed, all are restarted one after the other."""

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest

from tests.bot.harness import is_final
from tests.cluster import open_cluster
from tests.postgresql import PostgresServer
from tests.wire.gateway import IDENTIFY_PAUSE

pytestmark = [pytest.mark.postgresql, pytest.mark.slow]
SLOTS, SHARDS, CONCURRENCY = 4, 16, 4


async def test_nothing_is_lost_doubled_or_passed_when_processes_are_killed_and_restarted(
    postgresql: PostgresServer, tmp_path: Path
) -> None:
    async with open_cluster(postgresql, tmp_path, slots=SLOTS, shards=SHARDS, concurrency=CONCURRENCY) as cluster:
        cluster.model.says("Kalimera sas, ti kanete", pieces=4, delay=0.1)
        await cluster.start(SLOTS + 1)
        slots, (spare,) = await cluster.settled(SLOTS)
        await cluster.ask_all("Good morning", 5)
        # Killed under load: what its shards had acknowledged is settled at the estimate by the spare.
        loaded = [await cluster.ask(shard, "Good day") for shard in range(SHARDS) for _ in range(5)]
        slots[2].kill()
        await slots[2].wait()
        living = [one for number, one in enumerate(loaded) if number // 5 not in range(8, 12)]
        await asyncio.gather(*(one.answer(is_final) for one in living))
        slots, _ = await cluster.settled(SLOTS)
        assert slots[2] is spare
        await cluster.ask_all("Good evening", 5)
        # A rolling restart: a spare first, then each process is stopped and its successor is the next spare.
        await cluster.start(1)
        await cluster.settled(SLOTS)
        for number in range(SLOTS):
            others = [shard for shard in range(SHARDS) if shard // (SHARDS // SLOTS) != number]
            asked = [await cluster.ask(shard, "Good night") for shard in others]
            slots[number].terminate()
            await slots[number].wait()
            await asyncio.gather(*(one.answer(is_final) for one in asked))
            await cluster.start(1)
            await cluster.settled(SLOTS)
        await cluster.ask_all("Good morning again")
        await cluster.check()
        log = await cluster.wire.gateway_log()
        for bucket in range(CONCURRENCY):
            times = [one["at"] for one in log if one["what"] == "identify" and one["shard"] % CONCURRENCY == bucket]
            assert min(later - earlier for earlier, later in pairwise(times)) >= IDENTIFY_PAUSE * 0.9
        assert not [one for one in log if one["what"] == "identify refused"]
