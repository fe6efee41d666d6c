"""Each slot has one process; a spare takes the slot of one that is gone, and that one writes nothing any more."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from itertools import pairwise

import asyncpg
import pytest

from bot.core.errors import StorageError
from bot.storage import slots
from bot.storage.database import LOST_SLOT, Database, open_database
from bot.storage.key_value import get_value, set_value
from bot.storage.slots import Slot, open_slot
from bot.storage.tables import KEY_VALUES
from tests.postgresql import PostgresServer
from tests.waiting import until

pytestmark = pytest.mark.postgresql
Taken = Callable[..., AbstractAsyncContextManager[Slot]]
# Ends the connection that holds a slot, as if its process had been killed.
TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = {} AND objid = {}"
HELD = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = $1 AND granted"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "SPARE_PAUSE", 0.02)
    monkeypatch.setattr(slots, "WATCH_PAUSE", 0.05)
    monkeypatch.setattr(slots, "IDENTIFY_PAUSE", 0.2)


@pytest.fixture
async def url(postgresql: PostgresServer) -> str:
    return await postgresql.migrated()


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    async with open_database(url) as opened:
        yield opened


@pytest.fixture
def taken(url: str) -> Taken:
    """Takes a slot, as a process does."""

    @asynccontextmanager
    async def take(count: int = 2, shards: int | None = 4, recommended: int = 0) -> AsyncIterator[Slot]:
        async def recommend() -> int:
            return recommended

        async with open_slot(url, count, shards, recommend) as slot:
            yield slot

    return take


def test_each_shard_is_in_one_slot_and_each_server_in_one_shard() -> None:
    for shards in (1, 4, 5, 16, 17):
        for count in range(1, shards + 1):
            every = [Slot(number, count, shards) for number in range(count)]
            assert [shard for slot in every for shard in slot.shard_ids] == list(range(shards))
            assert all(slot.shard_ids for slot in every)
            for guild in (None, 1_100_000_000_000_000_100, 2**62 + 5):
                assert sum(slot.owns(guild) for slot in every) == 1
    assert Slot().owns(None)
    assert Slot().owns(1_100_000_000_000_000_100)


async def test_a_spare_waits_and_takes_over_and_the_process_before_it_writes_nothing(
    taken: Taken, database: Database, url: str, postgresql: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(taken()) for _ in range(2)]
        assert ((first.number, first.alone), (second.number, second.alone)) == ((0, True), (1, False))
        database.fence(second.number, second.epoch)
        await set_value(database, "a", "1")
        waiting = asyncio.create_task(stack.enter_async_context(taken()))
        await until(lambda: "all 2 slots are taken" in caplog.text)
        # The second process hangs: its connection ends, and it does not notice.
        second.lost.set()
        await asyncio.sleep(0.1)
        await postgresql.run(TERMINATE.format(slots.SLOT_LOCK, 1), url.rpartition("/")[2])
        third = await waiting
        assert (third.number, third.epoch) == (1, second.epoch + 1)
        for write in (set_value(database, "a", "2"), database.write(KEY_VALUES.insert(), {"name": "b", "value": ""})):
            with pytest.raises(StorageError, match=LOST_SLOT):
                await write
        assert await get_value(database, "a") == "1"


async def test_a_process_takes_its_slot_again_after_the_server_was_away_or_learns_that_it_is_gone(
    taken: Taken, url: str, postgresql: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    heard = []

    async def note(about: str) -> None:
        heard.append(about)

    async with taken(1) as slot:
        slot.notices.on("all", note)
        postgresql.stop()
        await asyncio.sleep(0.1)
        postgresql.start()
        await until(lambda: "slot 0 is held again" in caplog.text)
        await asyncio.sleep(0)
        assert heard == [""]
        await postgresql.run("UPDATE slots SET epoch = epoch + 1", url.rpartition("/")[2])
        await postgresql.run(TERMINATE.format(slots.SLOT_LOCK, 0), url.rpartition("/")[2])
        await asyncio.wait_for(slot.lost.wait(), 5)


async def test_a_slot_is_held_again_after_its_connections_were_ended_at_any_moment(
    taken: Taken, url: str, postgresql: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SPARE_PAUSE", "WATCH_PAUSE"):
        monkeypatch.setattr(slots, name, 0.001)
    database = url.rpartition("/")[2]
    terminate = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
    async with taken(1) as slot:
        raw = await asyncpg.connect(postgresql.url("postgres", "postgresql"))
        try:
            for number in range(400):
                await raw.execute(terminate)
                await asyncio.sleep(number % 20 / 2_000)
            async with asyncio.timeout(10):
                while not await raw.fetch(HELD, slots.SLOT_LOCK):  # noqa: ASYNC110 - the server is asked
                    await asyncio.sleep(0.02)
        finally:
            await raw.close()
        assert not slot.lost.is_set()


async def test_processes_agree_on_the_number_of_shards(taken: Taken, caplog: pytest.LogCaptureFixture) -> None:
    async with AsyncExitStack() as stack, AsyncExitStack() as one:
        first = await one.enter_async_context(taken(2, None, 8))
        assert (first.shards, first.shard_ids) == (8, [0, 1, 2, 3])
        async with taken(2, None, 16) as second:
            assert (second.shards, second.shard_ids) == (8, [4, 5, 6, 7])
        other = asyncio.create_task(stack.enter_async_context(taken(2, 16)))
        await until(lambda: "other processes run with SLOTS=2 and 8 shards" in caplog.text)
        # Once the others have stopped, the new number holds.
        await one.aclose()
        changed = await other
        assert (changed.number, changed.shard_ids) == (0, list(range(8)))


async def test_a_bucket_waits_for_a_shard_whose_process_has_ended(taken: Taken) -> None:
    loop = asyncio.get_running_loop()
    async with taken() as first:
        await first.before_identify(0)
        identified = loop.time()
    async with taken() as second:
        await second.before_identify(0)
        assert loop.time() - identified >= 0.19


async def test_a_shard_whose_connection_ends_while_it_waits_tries_again(
    taken: Taken,
    url: str,
    postgresql: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(slots, "IDENTIFY_PAUSE", 1.0)
    loop = asyncio.get_running_loop()
    async with taken() as slot:
        await slot.before_identify(0)
        identified = loop.time()
        waiting = asyncio.create_task(slot.before_identify(0))
        await asyncio.sleep(0.3)
        await postgresql.run(TERMINATE.format(slots.IDENTIFY_LOCK, 0), url.rpartition("/")[2])
        await waiting
        assert loop.time() - identified >= 0.9
    assert "waits for the database before it identifies" in caplog.text


async def test_shards_of_a_bucket_identify_one_after_the_other_in_all_processes(
    taken: Taken, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "IDENTIFY_PAUSE", 0.6)
    loop = asyncio.get_running_loop()
    async with taken() as first, taken() as second:
        times = []

        async def identify(slot: Slot, bucket: int) -> None:
            await slot.before_identify(bucket)
            times.append((bucket, loop.time()))

        await asyncio.gather(*(identify(slot, bucket) for bucket in (0, 0, 1) for slot in (first, second)))
    for bucket, number in ((0, 4), (1, 2)):
        own = sorted(at for one, at in times if one == bucket)
        assert len(own) == number
        # Half of it is for a machine that lets the first wait before it notes its time.
        assert all(later - earlier >= 0.3 for earlier, later in pairwise(own))
