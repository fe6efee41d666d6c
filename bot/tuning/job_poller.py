"""Following a job to its end: one process at a time, with pauses that grow while nothing happens.

Whoever follows holds the job's lease, which runs out by itself a few seconds after a crash. What cannot be
reached is tried again for as long as it takes; what failed for good ends the job with a sentence.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator
from time import time

from bot.core.errors import FewshotError, StorageError
from bot.core.i18n import N_
from bot.storage import tuning as tuning_rows
from bot.storage.tuning import JobRow
from bot.tuning.errors import AgainError, VanishedError
from bot.tuning.jobs import STEPS, Bench
from bot.tuning.localized_text import kept, kept_error, told
from bot.tuning.profiles import PROFILES

# Seconds that a lease lasts; a third of it passes between two renewals.
LEASE = 9.0
# How much longer each pause is than the one before.
GROWTH = 1.4
# Looks in a row that must find nothing before a job counts as vanished: providers are not always of one mind.
GONE_AFTER = 4
# Seconds between two looks at a job that another process follows, and at the list of unfinished jobs.
WATCH, SEEK = 0.5, 5.0
_log = logging.getLogger(__name__)


class Follower:
    """Follows jobs for one process."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._holder = secrets.token_hex(8)
        self._driving: dict[str, asyncio.Task[None]] = {}
        self._beginning = asyncio.Lock()

    async def run(self) -> None:
        """Follow every unfinished job that nobody else follows, until cancelled."""
        while True:
            for job in await tuning_rows.unfinished_jobs(self._bench.database):
                await self.begin(job.id)
            await asyncio.sleep(SEEK)

    async def begin(self, job_id: str) -> bool:
        """Begin to follow a job in the background; False where another process does."""
        async with self._beginning:  # Who asks for the same job at the same time finds it begun.
            task = self._driving.get(job_id)
            if task is not None and not task.done():
                return True
            if not await tuning_rows.acquire_lease(self._bench.database, job_id, self._holder, LEASE):
                return False
            self._driving[job_id] = asyncio.create_task(self._drive(job_id), name=f"follow {job_id}")
            return True

    async def close(self) -> None:
        """Stop following, and give the leases back; the jobs themselves go on at their providers."""
        tasks = [task for task in self._driving.values() if not task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for job_id in self._driving:
            await tuning_rows.release_lease(self._bench.database, job_id, self._holder)

    async def watch(self, job_id: str) -> AsyncIterator[JobRow]:
        """The job whenever it has changed, until it is over; whoever follows it, and if nobody does, this process."""
        shown: JobRow | None = None
        while True:
            job = await tuning_rows.get_job(self._bench.database, job_id)
            if job is None:
                raise VanishedError("There is no job {job}.", job=job_id[:40])
            if job.over or job.held_until < time():
                await self._settle(job)
            if shown is None or (job.touched, job.state) != (shown.touched, shown.state):
                yield job
                shown = job
            if job.over:
                return
            await asyncio.sleep(WATCH)

    async def _settle(self, job: JobRow) -> None:
        """Take up a job that nobody follows; of one that is over, see how following it ended."""
        if not job.over:
            await self.begin(job.id)
        elif (task := self._driving.get(job.id)) is not None:
            await asyncio.wait([task])

    async def _drive(self, job_id: str) -> None:
        """Take step after step until the job is over, or another process has it."""
        keeping = asyncio.create_task(self._keep(job_id), name=f"lease {job_id}")
        try:
            await self._steps(job_id)
        finally:
            keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeping
            await tuning_rows.release_lease(self._bench.database, job_id, self._holder)

    async def _steps(self, job_id: str) -> None:
        pause, missing = 0.0, 0
        while True:
            job = await tuning_rows.get_job(self._bench.database, job_id)
            if job is None or job.over or job.holder != self._holder:
                return
            profile = PROFILES[job.provider]
            try:
                moved = await STEPS[job.state](self._bench, job)
                missing = 0
            except AgainError as error:
                moved = False
                if job.note != (note := kept_error(error)):
                    await tuning_rows.change_job(self._bench.database, job_id, note=note)
            except VanishedError as error:
                moved, missing = False, missing + 1
                if missing >= GONE_AFTER or job.state != "running":
                    await self._fail(job, kept(N_("{why} The job is counted as failed."), why=kept_error(error)))
            except StorageError as error:
                moved = False
                _log.error("job %s waits for the database: %s", job_id, error)
            except FewshotError as error:
                moved = False
                await self._fail(job, kept_error(error))
            pause = profile.first if moved else min(max(pause, profile.first) * GROWTH, profile.most)
            if not moved or job.state == "running":
                await asyncio.sleep(pause)

    async def _fail(self, job: JobRow, why: str) -> None:
        await tuning_rows.advance_job(self._bench.database, job.id, job.state, state="failed", error=why, ended=time())
        _log.warning("job %s failed: %s", job.id, told(why))

    async def _keep(self, job_id: str) -> None:
        """Renew the lease for as long as the job is followed."""
        while True:
            await asyncio.sleep(LEASE / 3)
            await tuning_rows.acquire_lease(self._bench.database, job_id, self._holder, LEASE)
