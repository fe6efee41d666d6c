"""Processes of `fewshot worker` take the long work of the bot, and the bot takes it back when they are gone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from time import time
from typing import Any

import pytest

from bot.storage import datasets as dataset_rows
from bot.storage import leases
from bot.storage import tuning as tuning_rows
from bot.storage.database import Database
from bot.tuning import job_runner, jobs
from bot.tuning.datasets import UnwrittenError
from bot.tuning.jobs import Place
from bot.tuning.service import Tuning
from tests.fake_model import FakeModel
from tests.tuning.conftest import Opened
from tests.tuning.fake_provider import FakeProvider
from tests.tuning.test_generating import answering, fact, writes
from tests.tuning.test_jobs import ended

pytestmark = pytest.mark.both_databases
# The requests by which a step looks for what it did before.
UNSEEN = (("GET", "files"), ("GET", "/jobs"))


@asynccontextmanager
async def running(loop: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run a loop while the block runs, and stop it as SIGTERM does."""
    task = asyncio.create_task(loop)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    """Wait until `condition` is true."""
    async with asyncio.timeout(10):
        while not await condition():  # noqa: ASYNC110 - another process changes it
            await asyncio.sleep(0.02)


async def held_by(tuning: Tuning, job_id: str, holder: str) -> None:
    """Wait until the job's lease belongs to `holder`."""

    async def is_held() -> bool:
        return (await tuning.jobs.get(job_id)).holder == holder

    await until(is_held)


async def asked(provider: FakeProvider) -> int:
    """How many questions the provider's models were asked."""
    return provider.asked.total()


async def test_a_worker_takes_the_jobs_of_the_bot_and_gives_them_back_when_it_stops(
    opened: Opened, tuning: Tuning, provider: FakeProvider
) -> None:
    provider.way = (*("running",) * 20, "succeeded")
    job = await tuning.jobs.start((await tuning.datasets.newest("bakers")).id, 7)
    async with running(tuning.jobs.runner.run()):
        await held_by(tuning, job.id, tuning.workers.holder)
        async with opened(is_worker=True) as worker, running(worker.work()):
            await held_by(tuning, job.id, worker.workers.holder)
            assert not await tuning.jobs.runner.begin(job.id)
        await held_by(tuning, job.id, tuning.workers.holder)
        assert (await ended(tuning, job.id)).state == "done"
    assert len(provider.creating) == 1


async def test_a_bot_without_jobs_seldom_reads_their_list_and_a_worker_reads_it_often(
    opened: Opened, tuning: Tuning, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Database] = []
    unfinished = tuning_rows.unfinished_jobs

    async def counted(database: Database) -> Any:
        reads.append(database)
        return await unfinished(database)

    monkeypatch.setattr(tuning_rows, "unfinished_jobs", counted)
    monkeypatch.setattr(job_runner, "IDLE_LIST_INTERVAL", 3_600.0)
    async with opened(is_worker=True) as worker, running(worker.jobs.runner.run()), running(tuning.jobs.runner.run()):
        ours, theirs = tuning.jobs.tools.database, worker.jobs.tools.database

        async def has_read_often() -> bool:
            return reads.count(theirs) > 5

        await until(has_read_often)
        assert reads.count(ours) == 1


async def test_a_worker_writes_the_dataset_that_somebody_asks_the_bot_for(
    opened: Opened, tuning: Tuning, corpus: Path, model: FakeModel
) -> None:
    (corpus / "questions.jsonl").unlink()
    seen: list[tuple[int, int]] = []
    model.says(answering(writes([fact()])))
    async with opened(is_worker=True) as worker, running(worker.work()):
        await until(tuning.workers.are_others_alive)
        made = await tuning.datasets.prepare("bakers", 7, progress=lambda done, total: seen.append((done, total)))
        assert len(await tuning.datasets.pairs(made.dataset.id)) == 5
        assert seen, "a worker's progress is seen from elsewhere"
        (corpus / "bakers.txt").write_text("Baker 11 sleeps.", encoding="utf-8")
        model.says(answering("Only prose."))
        with pytest.raises(UnwrittenError, match="no question that can be used") as raised:
            await tuning.datasets.prepare("bakers", 7)
    assert raised.value.values["dataset"] != made.dataset.id
    assert await dataset_rows.builds(tuning.jobs.tools.database) == []


async def test_what_a_killed_worker_left_is_done_by_the_bot_and_paid_once(
    tuning: Tuning, corpus: Path, model: FakeModel, provider: FakeProvider
) -> None:
    """A killed worker releases nothing, so its leases run out."""
    job = await tuning.jobs.start((await tuning.datasets.newest("bakers")).id, 7)
    (corpus / "questions.jsonl").unlink()
    model.says(answering(writes([fact()])))
    database = tuning.jobs.tools.database
    await tuning_rows.acquire_lease(database, job.id, "killed", 0.5)
    await leases.acquire(database, "worker:killed", "killed", 0.5)
    async with running(tuning.jobs.runner.run()):
        asked = asyncio.create_task(tuning.datasets.prepare("bakers", 7))
        await until(lambda: dataset_rows.builds(database))
        (requested,) = await dataset_rows.builds(database)
        await leases.acquire(database, f"dataset:{requested.dataset_id}", "killed", 0.5)
        assert model.requests == []
        assert len(await tuning.datasets.pairs((await asked).dataset.id)) == 5
        assert len(model.requests) == 2
        model.says("I don't have this.")
        assert (await ended(tuning, job.id)).state == "done"
    assert len(provider.creating) == 1
    assert await dataset_rows.builds(database) == []


async def test_of_many_that_want_a_lease_one_gets_it_until_it_runs_out(tuning: Tuning) -> None:
    database = tuning.jobs.tools.database
    taken = await asyncio.gather(*(leases.acquire(database, "a%b", f"holder-{n}", 60) for n in range(20)))
    assert taken.count(True) == 1
    assert await leases.is_any_held(database, "a%")
    assert not await leases.is_any_held(database, "ab")
    assert await leases.acquire(database, "a%b", f"holder-{taken.index(True)}", -1)
    assert not await leases.is_any_held(database, "a%")
    assert await leases.acquire(database, "a%b", "another", 9)
    await leases.release(database, "a%b", "not the holder")
    await leases.delete_expired(database)
    assert await leases.is_any_held(database, "a%")


async def test_what_a_paused_process_uploads_and_creates_beside_another_is_deleted_and_cancelled(
    tuning: Tuning, provider: FakeProvider
) -> None:
    """The other process took the steps between this one's look for earlier results and its own."""
    provider.way = ("running",)
    job = await tuning.jobs.start((await tuning.datasets.newest("bakers")).id, 7)
    tools = tuning.jobs.tools
    assert await job_runner.upload(tools, job)
    files = set(provider.files)
    created = await tuning.jobs.get(job.id)
    assert await job_runner.create(tools, created)
    (remote,) = provider.jobs
    provider.instead = lambda method, path: (200, {"data": []}) if (method, path[-5:]) in UNSEEN else None
    assert not await job_runner.upload(tools, job)
    assert set(provider.files) == files
    assert not await job_runner.create(tools, created)
    assert [job.get("ended") for job in provider.jobs.values()] == [None, "cancelled"]
    assert (await tuning.jobs.get(job.id)).remote_id == remote


async def test_a_process_that_was_paused_stops_running_the_job_that_another_has(
    tuning: Tuning, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_runner, "LEASE", 0.3)
    provider.stalls.add("completions")  # The model does not answer, so scoring goes on.
    job = await tuning.jobs.start((await tuning.datasets.newest("bakers")).id, 7)
    async with running(tuning.jobs.runner.run()):
        await until(lambda: asked(provider))
        database = tuning.jobs.tools.database
        await tuning_rows.change_job(database, job.id, holder="another", held_until=time() + 60)
        await asyncio.sleep(0.3)
        provider.stalls.clear()
        before = provider.asked.total()
        await asyncio.sleep(0.3)
        assert provider.asked.total() == before
    assert (await tuning.jobs.get(job.id)).state == "scoring"


@pytest.mark.parametrize("off", [-600.0, 600.0])
async def test_a_process_whose_clock_is_ten_minutes_off_agrees_with_the_others_on_leases(
    tuning: Tuning, off: float, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (jobs, job_runner):
        monkeypatch.setattr(module, "time", lambda: time() + off)
    monkeypatch.setattr(jobs, "POSTING", 1.0)
    provider.way = ("running",)
    job = await tuning.jobs.start((await tuning.datasets.newest("bakers")).id, 7, place=Place(1, 2))
    assert not await tuning.jobs.runner.begin(job.id), "its card is not posted yet"
    # The card is never posted, as after a crash: the job is taken a second later.
    async with asyncio.timeout(8):
        async for seen in tuning.jobs.watch(job.id):
            if seen.state == "running":
                break
