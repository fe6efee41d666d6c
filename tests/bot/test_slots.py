"""Two processes with two shards each, and a spare that takes over when one is killed."""

import asyncio
from pathlib import Path

import pytest

from bot.answers.interrupted import INTERRUPTED
from tests.bot.harness import is_final
from tests.cluster import open_cluster
from tests.postgresql import PostgresServer

pytestmark = pytest.mark.postgresql


async def test_a_spare_serves_the_shards_of_a_killed_process_and_the_other_process_notices_nothing(
    postgresql: PostgresServer, tmp_path: Path
) -> None:
    async with open_cluster(postgresql, tmp_path, slots=2, shards=4, concurrency=16) as cluster:
        cluster.model.says("Kalimera")
        await cluster.start(4)
        slots, (spare, stopped) = await cluster.settled(2)
        assert sorted(slots) == [0, 1]
        stopped.terminate()
        assert await stopped.wait() == 0
        await cluster.ask_all("Good morning", 3)
        cluster.model.holds()
        asked = [await cluster.ask(shard, "Good night") for shard in range(4)]
        mention = f"<@{cluster.wire.people['bot']}> Good night"
        await cluster.wire.say(mention, channel=cluster.channels[3])
        await cluster.open_calls(5)
        slots[1].kill()
        await slots[1].wait()
        again, _ = await cluster.settled(2)
        assert again == {0: slots[0], 1: spare}
        # The new process has settled what the killed one left open, and nothing else.
        await cluster.open_calls(2)
        assert [(await one.answer()).text for one in asked[2:]] == [INTERRUPTED] * 2
        await cluster.wire.until(lambda found: found.text == INTERRUPTED, cluster.channels[3])
        cluster.model.release()
        await asyncio.gather(*(one.answer(is_final) for one in asked[:2]))
        await cluster.ask_all("Good evening")
        await cluster.check()
        shards = [one["shard"] for one in await cluster.wire.gateway_log() if one["what"] == "identify"]
        assert sorted(shards) == [0, 1, 2, 2, 3, 3]
