"""What two do at one time is done once: presses, followers, and a process that lost its lease."""

import asyncio
from pathlib import Path

import pytest

from bot.core.errors import InputError
from bot.storage import tuning as tuning_rows
from bot.tuning.job_runner import create, upload
from bot.tuning.service import Tuning
from tests.fake_model import FakeModel
from tests.llm.conftest import until
from tests.tuning.conftest import Opened
from tests.tuning.fake_provider import FakeProvider
from tests.tuning.test_jobs import ended

pytestmark = pytest.mark.both_databases


async def test_of_four_starts_at_one_time_in_two_processes_one_goes_on(tuning: Tuning, opened: Opened) -> None:
    dataset = await tuning.datasets.newest("bakers")
    async with opened() as other:
        starts = (process.jobs.start(dataset.id, 7) for process in (tuning, other) * 2)
        made = await asyncio.gather(*starts, return_exceptions=True)
    assert sorted(type(each).__name__ for each in made) == [*["InputError"] * 3, "JobRow"]
    assert len(await tuning.jobs.all()) == 1


async def test_a_job_that_two_begin_to_follow_is_followed_once(tuning: Tuning, provider: FakeProvider) -> None:
    job = await tuning.jobs.start((await tuning.datasets.newest("bakers")).id, 7)
    assert await asyncio.gather(*(tuning.jobs.runner.begin(job.id) for _ in range(5))) == [True] * 5
    assert (await ended(tuning, job.id)).state == "done"
    assert provider.calls["POST files"] == 2
    assert provider.calls["POST jobs"] == 1


async def test_a_process_that_lost_its_lease_takes_nothing_back_from_the_one_that_went_on(
    tuning: Tuning, provider: FakeProvider
) -> None:
    """As one that slept on a laptop does: it wakes up in the middle of a step that another has taken by now."""
    job = await tuning.jobs.start((await tuning.datasets.newest("bakers")).id, 7)
    await tuning_rows.change_job(tuning.jobs.tools.database, job.id, holder="another", held_until=2e9)
    assert await upload(tuning.jobs.tools, job)
    assert not await upload(tuning.jobs.tools, job)
    assert len(provider.files) == 2
    creating = await tuning.jobs.get(job.id)
    assert await create(tuning.jobs.tools, creating)
    assert not await create(tuning.jobs.tools, creating)
    assert len(provider.creating) == 1
    assert "ended" not in next(iter(provider.jobs.values()))


async def test_what_is_cancelled_during_a_step_is_taken_back(tuning: Tuning, provider: FakeProvider) -> None:
    job = await tuning.jobs.start((await tuning.datasets.newest("bakers")).id, 7)
    await tuning.jobs.cancel(job.id)
    assert not await upload(tuning.jobs.tools, job)
    assert provider.files == {}


async def test_one_dataset_of_a_corpus_is_made_at_a_time(tuning: Tuning, corpus: Path, model: FakeModel) -> None:
    (corpus / "questions.jsonl").unlink()
    model.says('{"facts": []}')
    model.holds()
    first = asyncio.create_task(tuning.datasets.prepare("bakers", 7))
    await until(lambda: len(model.requests) == 1)
    with pytest.raises(InputError, match="is being made already"):
        await tuning.datasets.prepare("bakers", 7)
    model.release()
    with pytest.raises(InputError, match="no question that can be used"):
        await first
    assert len(model.requests) <= 2
