"""The sums that limits are compared with: in the memory of one process, or in a database that several processes share.

`reserve` checks and counts a call in one step, so concurrent calls cannot exceed a limit together. A call that it does
not let pass is counted nowhere.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial

from bot.core.errors import FewshotError, LimitError, StorageError
from bot.storage import calls, usage_sums
from bot.storage.calls import Call, Settlement
from bot.storage.database import Database
from bot.storage.errors import InDoubtError
from bot.storage.usage_sums import Change, Key, Sums

# Days and months whose sums are cached, so that a clock that jumps to another day and back does not lose them.
CACHED_PERIODS = 3
# Shared sums: reservations in a transaction, seconds that a settlement may wait for one, and seconds between two tries.
BATCH, SETTLE_PAUSE, RETRY_PAUSE = 500, 0.5, 5.0
# Gets a function that returns a sum. Raises `LimitError` where the call does not fit.
Check = Callable[[Callable[[Key], int]], None]


class MemorySums:
    """The sums of one process, reservations included."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sums: dict[str, Sums] = {}  # by day and by month
        self._loading = asyncio.Lock()

    def of(self, key: Key) -> int:
        """A sum, as far as this process knows it."""
        return self._sums[key[0]][key] if key[0] in self._sums else 0

    def has(self, day: str) -> bool:
        """Whether the sums of a day and its month are in memory."""
        return day in self._sums and day[:7] in self._sums

    async def load(self, day: str) -> None:
        """Read the sums of a day and its month, unless they are in memory."""
        async with self._loading:
            for period in (day, day[:7]):
                if period not in self._sums:
                    self._sums[period] = await usage_sums.from_calls(self._database, period)
                    cached = [known for known in self._sums if len(known) == len(period)]
                    for old in cached[:-CACHED_PERIODS]:
                        del self._sums[old]

    def add(self, amounts: Mapping[Key, int]) -> None:
        """Add to sums that are in memory. The period of the others may be over."""
        for key, amount in amounts.items():
            if key[0] in self._sums:
                self._sums[key[0]][key] += amount

    async def reserve(self, call: Call, check: Check) -> None:
        """Count and store a reservation; raises what `check` raises."""
        check(self.of)
        self.add(usage_sums.of_call(call))
        try:
            await calls.reserve(self._database, call)
        except BaseException:
            # Also when the task is cancelled: the row may be written already, but no call follows.
            self.settle(_released(call))
            raise

    def settle(self, change: Change) -> None:
        """Count what a call used in place of its reservation. It is stored later."""
        self.add(change.amounts)
        calls.settle(self._database, change.done)

    async def refresh(self, keys: Collection[Key]) -> None:
        """Read these sums again where other processes change them."""

    async def flush(self) -> None:
        """Return when all settlements are queued or stored."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """A reservation that waits for its transaction. `done` raises the reason why the call may not be made."""

    call: Call
    check: Check
    done: "asyncio.Future[None]"


class SharedSums(MemorySums):
    """The sums of several processes. What is in memory is as new as the last transaction of this one.

    Reservations and settlements that wait are stored together, in one transaction after the other.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._waiting: list[_Waiting] = []
        self._settled: list[Change] = []
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    async def reserve(self, call: Call, check: Check) -> None:
        """Check and count a reservation together with all others that wait."""
        waiting = _Waiting(call, check, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._start()
        try:
            await waiting.done
        except asyncio.CancelledError:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            elif waiting.done.cancelled() or waiting.done.exception() is None:  # Its transaction may count it.
                self.settle(_released(call))
            raise

    def settle(self, change: Change) -> None:
        """Count what a call used in place of its reservation, with the next transaction."""
        self.add(change.amounts)
        self._settled.append(change)
        self._start_later(SETTLE_PAUSE)

    async def refresh(self, keys: Collection[Key]) -> None:
        """Read these sums again."""
        stored = await usage_sums.read(self._database, keys)
        self._remember(Counter({key: stored.get(key, 0) for key in keys}))

    async def flush(self) -> None:
        """Return when all that waits is stored, or could not be."""
        if self._timer is not None:
            self._start()
        if self._writing is not None:
            await asyncio.wait({self._writing})

    def _start_later(self, pause: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(pause, self._start)

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())

    async def _write_all(self) -> None:
        """Write all that waits. What arrives meanwhile is in the next transaction."""
        try:
            while self._waiting or self._settled:
                waiting, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                settled, self._settled = self._settled, []
                refused: dict[str, FewshotError] = {}
                decide = partial(self._decide, waiting, refused)
                try:
                    await usage_sums.count(self._database, [one.call for one in waiting], settled, decide)
                except StorageError as error:
                    # What may be stored already must not be counted twice; the next start settles it.
                    self._settled = ([] if isinstance(error, InDoubtError) else settled) + self._settled
                    self._start_later(RETRY_PAUSE)
                    self._answer(waiting, dict.fromkeys((one.call.id for one in waiting), error))
                    return
                self._answer(waiting, refused)
        finally:
            self._writing = None

    def _decide(self, waiting: list[_Waiting], refused: dict[str, FewshotError], sums: Sums) -> list[Call]:
        """The calls that the limits allow, with these `sums` in the database; the others are `refused`, by call."""
        refused.clear()  # The transaction may be repeated.
        for one in waiting:
            try:
                one.check(sums.__getitem__)
            except LimitError as error:
                refused[one.call.id] = error
            else:
                sums.update(usage_sums.of_call(one.call))
        self._remember(sums)
        return [one.call for one in waiting if one.call.id not in refused]

    def _remember(self, sums: Sums) -> None:
        """Set the sums in memory to those of the database."""
        for key, amount in sums.items():
            self._sums.setdefault(key[0], Counter())[key] = amount

    def _answer(self, waiting: list[_Waiting], refused: dict[str, FewshotError]) -> None:
        """Tell the callers which calls may be made. Refused ones are not stored, so nothing of them is settled."""
        self._settled = [change for change in self._settled if change.call.id not in refused]
        for one in waiting:
            if one.done.done():
                continue  # Its caller was cancelled.
            if (error := refused.get(one.call.id)) is None:
                one.done.set_result(None)
            else:
                one.done.set_exception(error)


def _released(call: Call) -> Change:
    """The settlement of a call that was not made."""
    return Change(call, Settlement(call.id, call.model, 0, 0, 0, 0))
