"""Slots: each process of the bot has one, and with it a range of shards.

A process holds PostgreSQL's session lock of its slot's number, on a connection of its own. The server frees the lock
when the process ends, also after `kill -9`. A spare process then takes the slot and raises its epoch, and what the
process before it might still write is refused (`Database.fence`). On the same connection, processes learn from each
other what has changed (`bot.storage.notices`). On SQLite there is one process, and its slot needs no lock.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import NullPool

from bot.core.errors import StorageError
from bot.storage.database import engine
from bot.storage.errors import UnreachableError, sentence
from bot.storage.notices import Notices
from bot.storage.tables import KEY_VALUES, SLOTS

_log = logging.getLogger(__name__)
# The first numbers of PostgreSQL's locks: of each slot, of taking one, and of the buckets of shards that identify.
SLOT_LOCK, TAKING_LOCK, IDENTIFY_LOCK = 0x66657775, 0x66657776, 0x66657777
# Seconds between two tries to take a slot, and between two checks of the connection.
SPARE_PAUSE, WATCH_PAUSE = 1.0, 5.0
# Seconds between two shards of a bucket that identify: Discord wants 5, and one may be sent a little later than stored.
IDENTIFY_PAUSE = 5.25
# Followed by a bucket: when its last shard identified, in seconds of the server's clock.
IDENTIFIED = "identified:"
CLOCK = text("SELECT extract(epoch FROM clock_timestamp())")
CONNECTION_ERRORS = (SQLAlchemyError, UnreachableError, OSError)
NO_TIMEOUT = "SET lock_timeout = 0"
TRY_LOCK = text("SELECT pg_try_advisory_lock(:lock, :number)")
LOCK, UNLOCK = text("SELECT pg_advisory_lock(:lock, :number)"), text("SELECT pg_advisory_unlock(:lock, :number)")
# The slots whose lock a process holds.
HELD = text(
    "SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND classid = :lock AND objsubid = 2 AND granted "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


@dataclass(eq=False)
class Slot:
    """The slot of this process, out of `count`.

    `shards` is the number of shards of all processes together, 0 where the bot has one connection without shards.
    `alone`: no other process had a slot when this one took its own.
    """

    number: int = 0
    count: int = 1
    shards: int = 0
    epoch: int = 0
    alone: bool = True
    notices: Notices = field(default_factory=Notices)
    # Set when another process has taken the slot.
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    _server: AsyncEngine | None = None

    @property
    def shard_ids(self) -> list[int]:
        """The shards of this process. Each shard is in one slot."""
        shards = self.shards or 1
        return list(range(shards * self.number // self.count, shards * (self.number + 1) // self.count))

    @property
    def is_first(self) -> bool:
        """Whether this process does what one alone does: it registers commands and deletes expired data."""
        return self.number == 0

    def owns(self, guild_id: int | None) -> bool:
        """Whether a server, or direct messages (None), belong to a shard of this process."""
        return ((guild_id or 0) >> 22) % (self.shards or 1) in self.shard_ids

    async def before_identify(self, bucket: int) -> None:
        """Wait until no shard of `bucket` has identified for `IDENTIFY_PAUSE` seconds, in any process."""
        if self._server is None:
            await asyncio.sleep(IDENTIFY_PAUSE)
            return
        while True:
            try:
                await _take_turn(self._server, bucket)
                return
            except CONNECTION_ERRORS as error:  # Raised to discord.py, it would end the bot.
                _log.warning("a shard waits for the database before it identifies: %s", sentence(error))
            await asyncio.sleep(SPARE_PAUSE)


async def _take_turn(server: AsyncEngine, bucket: int) -> None:
    """Wait for the turn of a shard of `bucket`, and store when it was."""
    name = f"{IDENTIFIED}{bucket}"
    # The time is stored, because a lock ends with its process, which may be right after the shard identified.
    async with server.connect() as connection:
        await connection.exec_driver_sql(NO_TIMEOUT)
        await connection.execute(LOCK, {"lock": IDENTIFY_LOCK, "number": bucket})
        last = await connection.scalar(select(KEY_VALUES.c.value).where(KEY_VALUES.c.name == name))
        passed = float(await connection.scalar(CLOCK)) - float(last or 0)
        # The time of a server whose clock was set back is in the future.
        await asyncio.sleep(min(max(IDENTIFY_PAUSE - passed, 0), IDENTIFY_PAUSE))
        await connection.execute(delete(KEY_VALUES).where(KEY_VALUES.c.name == name))
        await connection.execute(KEY_VALUES.insert().values(name=name, value=str(await connection.scalar(CLOCK))))


@asynccontextmanager
async def open_slot(
    url: str, count: int, shards: int | None, recommended: Callable[[], Awaitable[int]]
) -> AsyncIterator[Slot]:
    """Take a free slot of the database on a PostgreSQL server; wait until one is free.

    `shards` is None where the running processes know the number, and else `recommended` does. 0 are no shards.
    """
    server = engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    async with AsyncExitStack() as stack:
        stack.push_async_callback(server.dispose)
        try:
            connection = await server.connect()
            await connection.exec_driver_sql(NO_TIMEOUT)
            slot = await _taken(connection, count, shards, recommended)
        except CONNECTION_ERRORS as error:
            raise StorageError(sentence(error)) from error
        slot._server = server
        _log.info("this process has slot %d of %d, and shards %s", slot.number, slot.count, slot.shard_ids)
        holder = _Holder(slot, server, connection)
        await holder.listen()
        watching = asyncio.create_task(holder.watch())
        try:
            yield slot
        finally:
            watching.cancel()
            await asyncio.wait([watching])
            await slot.notices.close()
            await holder.close()


async def _taken(
    connection: AsyncConnection, count: int, shards: int | None, recommended: Callable[[], Awaitable[int]]
) -> Slot:
    """Take a free slot as soon as there is one."""
    logged = ""
    while True:
        found = await _try_take(connection, count, shards, recommended)
        if isinstance(found, Slot):
            return found
        if found != logged:
            _log.warning("this process waits as a spare: %s", found)
            logged = found
        await asyncio.sleep(SPARE_PAUSE)


async def _try_take(
    connection: AsyncConnection, count: int, shards: int | None, recommended: Callable[[], Awaitable[int]]
) -> Slot | str:
    """Take a free slot, or say why there is none. One process at a time looks."""
    await connection.execute(LOCK, {"lock": TAKING_LOCK, "number": 0})
    try:
        held = set((await connection.execute(HELD, {"lock": SLOT_LOCK})).scalars())
        rows = {row.number: row for row in await connection.execute(select(SLOTS))}
        for row in (rows[number] for number in held if number in rows):
            shards = row.shards if shards is None else shards
            slots = row._mapping["count"]  # `row.count` is the method of tuples.
            if (slots, row.shards) != (count, shards):
                return f"other processes run with SLOTS={slots} and {row.shards} shards; stop them first"
        for number in range(count):
            if number not in held and await connection.scalar(TRY_LOCK, {"lock": SLOT_LOCK, "number": number}):
                slot = Slot(number, count, await recommended() if shards is None else shards, alone=not held)
                await _raise_epoch(connection, slot, is_new=number not in rows)
                return slot
        return f"all {count} slots are taken"
    finally:
        await connection.execute(UNLOCK, {"lock": TAKING_LOCK, "number": 0})


async def _raise_epoch(connection: AsyncConnection, slot: Slot, *, is_new: bool) -> None:
    """Store that this process has the slot. It waits for a transaction in which an earlier one still writes."""
    values = {"shards": slot.shards, "count": slot.count}
    if is_new:
        await connection.execute(SLOTS.insert().values(number=slot.number, epoch=0, **values))
    mine = update(SLOTS).where(SLOTS.c.number == slot.number)
    await connection.execute(mine.values(epoch=SLOTS.c.epoch + 1, **values))
    slot.epoch = await connection.scalar(select(SLOTS.c.epoch).where(SLOTS.c.number == slot.number)) or 0


class _Holder:
    """Keeps the connection that holds a slot. After the server was away, it takes the slot again if nobody else has."""

    def __init__(self, slot: Slot, server: AsyncEngine, connection: AsyncConnection) -> None:
        self._slot, self._server, self._connection = slot, server, connection

    async def listen(self) -> None:
        """Receive what other processes announce. Raises `UnreachableError`."""
        raw = await self._connection.get_raw_connection()
        await self._slot.notices.listen(raw.driver_connection)

    async def watch(self) -> None:
        """Look at the connection until cancelled, or until another process has the slot."""
        while not self._slot.lost.is_set():
            await asyncio.sleep(WATCH_PAUSE)
            try:
                await self._connection.exec_driver_sql("SELECT 1")
            except CONNECTION_ERRORS:
                await self._retake()

    async def close(self) -> None:
        """Give the slot back."""
        await self._connection.close()

    async def _retake(self) -> None:
        slot = self._slot
        _log.warning("the connection that holds slot %d has ended", slot.number)
        await self._drop()
        while True:
            if await self._try_retake():
                break
            await asyncio.sleep(SPARE_PAUSE)
        if slot.lost.is_set():
            return
        slot.notices.missed()
        _log.info("slot %d is held again", slot.number)

    async def _try_retake(self) -> bool:
        """Connect, and take the slot again; False to try later. Sets `lost` where another process has taken it."""
        slot = self._slot
        mine = select(SLOTS.c.epoch).where(SLOTS.c.number == slot.number)
        try:
            self._connection = await self._server.connect()
        except CONNECTION_ERRORS as error:
            _log.debug("slot %d cannot be taken again yet: %s", slot.number, error)
            return False
        try:
            got = await self._connection.scalar(TRY_LOCK, {"lock": SLOT_LOCK, "number": slot.number})
            if await self._connection.scalar(mine) != slot.epoch:
                slot.lost.set()
            elif got:
                await self.listen()
            else:  # The server has not noticed yet that the old connection has ended.
                await self._connection.close()
                return False
        except CONNECTION_ERRORS as error:
            _log.debug("slot %d cannot be taken again yet: %s", slot.number, error)
            await self._drop()
            return False
        return True

    async def _drop(self) -> None:
        """Close a connection that may have ended."""
        await self._connection.invalidate()
        await self._connection.close()
