"""A real Ray cluster on this machine trains the engine's jobs: RAY_ADDRESS=http://127.0.0.1:8265 make drills.

Start it with this package's Python first on the PATH: `ray start --head --node-ip-address=127.0.0.1
--min-worker-port=23000 --max-worker-port=23100`. Without RAY_ADDRESS the drill is skipped.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import openai
import psutil
import pytest

from tests.engine.job_helpers import start, until
from tests.local_engine import engine_in

ADDRESS = os.environ.get("RAY_ADDRESS", "")
pytestmark = pytest.mark.skipif(not ADDRESS, reason="RAY_ADDRESS names no Ray cluster")


@asynccontextmanager
async def engine(data_dir: Path) -> AsyncIterator[openai.AsyncOpenAI]:
    async with (
        engine_in(data_dir, ray_address=ADDRESS) as address,
        openai.AsyncOpenAI(base_url=address.url, api_key=address.token or "") as client,
    ):
        yield client


async def submitted(job_id: str) -> dict[str, Any]:
    """Ray's jobs for a job of the engine, by their submission ids."""
    async with aiohttp.ClientSession(ADDRESS) as session, session.get("/api/jobs/") as response:
        return {job["submission_id"]: job for job in await response.json() if job["submission_id"].startswith(job_id)}


async def training_process(job_id: str) -> psutil.Process:
    """The process that Ray started for a job, once it trains."""
    async with asyncio.timeout(60):
        while True:
            for process in psutil.process_iter(["cmdline"]):
                command = process.info["cmdline"] or ()
                if "bot.engine.fine_tuning.worker" in command and any(job_id in part for part in command):
                    return process
            await asyncio.sleep(0.2)


async def test_a_job_survives_the_engine_and_a_killed_training_process(tmp_path: Path) -> None:
    async with engine(tmp_path) as client:
        job = await start(client, epochs=40)
        process = await training_process(job.id)
        await until_trained(tmp_path / "engine" / "jobs" / job.id)
        process.kill()
        second = await training_process(job.id)
    assert second.is_running(), "the engine's end does not end the training"
    async with engine(tmp_path) as client:
        done = await until(client, job.id)
        assert done.status == "succeeded", done.error
        events: list[Any] = [event async for event in client.fine_tuning.jobs.list_events(job.id)]
        steps = [event.data["step"] for event in events if event.type == "metrics"]
        assert steps == list(range(len(steps), 0, -1))
        assert set(await submitted(job.id)) == {job.id, f"{job.id}-2"}
        cancelled = await start(client, epochs=100)
        process = await training_process(cancelled.id)
        await client.fine_tuning.jobs.cancel(cancelled.id)
        await asyncio.to_thread(process.wait, 60)
        assert (await client.fine_tuning.jobs.retrieve(cancelled.id)).status == "cancelled"
    print(f"\n{len(steps)} steps, each once, over a killed process and a restarted engine")


async def until_trained(folder: Path) -> None:
    """Wait for the first metrics of a job."""
    async with asyncio.timeout(60):
        while not (folder / "metrics.jsonl").exists():  # noqa: ASYNC110 - the training process writes it
            await asyncio.sleep(0.1)
