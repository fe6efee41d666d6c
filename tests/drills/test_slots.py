"""Four processes with four shards each and two workers, under load: one of each is killed, and all are restarted."""

import asyncio
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bot.storage.errors import AWAY, IN_DOUBT
from tests.bot.harness import BotHarness, is_final
from tests.cluster import Cluster, open_cluster
from tests.cogs.adventure_story import StoryDriver, start_story
from tests.postgresql import PostgresServer
from tests.tuning.fake_provider import FakeProvider
from tests.tuning.harness import ENTRY, TIMEOUT, add_tuning
from tests.wire.gateway import IDENTIFY_PAUSE
from tests.wire.seeds import GUILD

pytestmark = pytest.mark.postgresql
SLOTS, SHARDS, CONCURRENCY = 4, 16, 4
SHARDS_OF_SLOT = SHARDS // SLOTS
# Commands in the server of each shard before the kills, and after them.
BEFORE, AFTER = 10, 9
# A base model whose training has a price.
PRICED = {"TUNING_PROVIDER": "openai", "TUNING_MODEL": "gpt-4o-mini-2024-07-18", "MONTHLY_USD": "100"}
# 300 commands of one person reserve more than her day has, if the machine is fast enough to begin them all at once.
UNLIMITED = dict.fromkeys(("DAILY_TOKENS_PER_USER", "DAILY_TOKENS_PER_GUILD", "DAILY_TOKENS"), "1000000000")
WORDS = "look under the table"
# The shard of the server with the story and the training job, and the slot that is killed with it.
SHARD = (GUILD >> 22) % SHARDS
VICTIM = SHARD // SHARDS_OF_SLOT


async def test_nothing_is_lost_doubled_or_passed_when_processes_are_killed_and_restarted(
    postgresql: PostgresServer, tmp_path: Path
) -> None:
    async with (
        open_cluster(postgresql, tmp_path, slots=SLOTS, shards=SHARDS, concurrency=CONCURRENCY) as cluster,
        FakeProvider(way=("running",)) as provider,
    ):
        tuning = await add_tuning(BotHarness(cluster.wire, cluster.model, tmp_path / "data"), provider)
        cluster.entry, cluster.env = ENTRY, tuning.env | PRICED | UNLIMITED
        writer = tuning.writer()
        cluster.model.says(
            lambda body: writer(body) if _asks_for_questions(body) else "Kalimera sas, ti kanete", pieces=4, delay=0.1
        )
        await cluster.start(SLOTS + 1)
        slots, (spare,) = await cluster.settled(SLOTS)
        (worker,) = await cluster.start(1, "worker")
        await worker.wrote("This worker follows")
        await tuning.prepare()
        confirmation = await tuning.estimate()
        await cluster.wire.press(confirmation, str(confirmation.buttons[0]), user="operator")
        await tuning.card("training")
        story = await start_story(tuning.harness, "general")
        (second,) = await cluster.start(1, "worker")
        await second.wrote("This worker follows")
        await cluster.ask_all("Good morning", 3)

        # The process with the story and the job's card is killed under load, and the worker that follows the job.
        loaded = [(shard, await cluster.ask(shard, "Good day")) for _ in range(BEFORE) for shard in range(SHARDS)]
        await cluster.wire.slash("adventure act", channel=story.place, text=WORDS)
        await cluster.count("turns", 1)
        ((holder,),) = await cluster.rows("SELECT holder FROM tuning_jobs")
        slots[VICTIM].kill()
        worker.kill()
        await asyncio.gather(slots[VICTIM].wait(), worker.wait())
        loaded += [(shard, await cluster.ask(shard, "Good day")) for _ in range(AFTER) for shard in range(SHARDS)]
        await asyncio.gather(*(one.answer(is_final) for shard, one in loaded if shard // SHARDS_OF_SLOT != VICTIM))
        slots, _ = await cluster.settled(SLOTS)
        assert slots[VICTIM] is spare
        provider.way = ("running", "succeeded")
        await tuning.done()
        ((other,),) = await cluster.rows("SELECT holder FROM tuning_jobs")
        assert holder != other
        await _told_once(story)
        await cluster.ask_all("Good evening", 3)

        # A rolling restart: a spare first, then each process is stopped and its successor is the next spare.
        await cluster.start(1)
        await cluster.settled(SLOTS)
        for number in range(SLOTS):
            others = [shard for shard in range(SHARDS) if shard // SHARDS_OF_SLOT != number]
            asked = [await cluster.ask(shard, "Good night") for shard in others]
            slots[number].terminate()
            await slots[number].wait()
            await asyncio.gather(*(one.answer(is_final) for one in asked))
            await cluster.start(1)
            await cluster.settled(SLOTS)
        await cluster.ask_all("Good morning again")
        await cluster.check()
        assert len(provider.creating) == 1
        assert await cluster.rows("SELECT count(*) FROM calls WHERE purpose = 'training'") == [(1,)]
        messages = Counter(found.text for found in await cluster.wire.messages(story.place))
        assert messages.most_common(1)[0][1] == 1
        await _identified_one_after_the_other(cluster)


def _asks_for_questions(body: dict[str, Any]) -> bool:
    """Whether a request to the model is about the corpus."""
    return any(word in str(body["messages"][-1]["content"]) for word in ("Baker", "The claims:"))


async def _told_once(story: StoryDriver) -> None:
    """The turn that was being told goes on when its player presses Retry, and stands there once."""
    turn = await story.turn_message(WORDS, until=lambda found: "Retry" in found.buttons or "Undo" in found.buttons)
    if "Retry" in turn.buttons:
        await story.harness.wire.press(turn, "Retry")
        turn = await story.turn_message(WORDS, until=lambda found: "Undo" in found.buttons)
    shown = [found for found in await story.harness.wire.messages(story.place) if WORDS in found.content]
    assert len(shown) == 1, shown


async def _identified_one_after_the_other(cluster: Cluster) -> None:
    """The shards of each bucket, five seconds apart."""
    log = await cluster.wire.gateway_log()
    for bucket in range(CONCURRENCY):
        times = [one["at"] for one in log if one["what"] == "identify" and one["shard"] % CONCURRENCY == bucket]
        assert min(later - earlier for earlier, later in pairwise(times)) >= IDENTIFY_PAUSE * 0.9
    assert not [one for one in log if one["what"] == "identify refused"]


async def test_the_processes_go_on_with_their_slots_after_the_server_was_away_under_load(
    postgresql: PostgresServer, tmp_path: Path
) -> None:
    async with open_cluster(postgresql, tmp_path, slots=2, shards=4, concurrency=CONCURRENCY) as cluster:
        cluster.model.says("Kalimera sas, ti kanete", pieces=4, delay=0.1)
        await cluster.start(2)
        slots, _ = await cluster.settled(2)
        await cluster.ask_all("Good morning", 3)
        asked = [await cluster.ask(shard, "Good day") for _ in range(10) for shard in range(4)]
        postgresql.stop()
        asked += [await cluster.ask(shard, "Good day") for _ in range(10) for shard in range(4)]
        await asyncio.gather(*(one.answer(lambda found: is_final(found) or "database" in found.text) for one in asked))
        postgresql.start()
        for process in slots.values():
            await process.wrote("is held again", timeout=TIMEOUT)
        await cluster.ask_all("Good evening", 3)
        await cluster.check_messages(AWAY, IN_DOUBT)
        await cluster.check_sums()
        assert all("Traceback" not in process.output for process in cluster.processes)
