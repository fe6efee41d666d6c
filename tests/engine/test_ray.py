"""Jobs that a Ray cluster trains: submitted once, followed, cancelled, and found again."""

import asyncio
import os
import shlex
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openai
import pytest
from aiohttp import web

from bot.engine.fine_tuning import ray_jobs
from bot.engine.fine_tuning.trainer import Result
from bot.engine.fine_tuning.worker import ALONE
from bot.engine.server import listening
from tests.engine.job_helpers import start, until
from tests.local_engine import engine_in

ROOT = Path(__file__).parents[2]


@dataclass
class FakeRay:
    """The REST interface of Ray Jobs over processes of this machine. `broken`: every answer is this status."""

    address: str = ""
    broken: int = 0
    submitted: list[dict[str, Any]] = field(default_factory=list)
    processes: dict[str, Process] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)
    started: list[Process] = field(default_factory=list)

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._break])
        app.router.add_post("/api/jobs/", self._submit)
        app.router.add_get("/api/jobs/{id}", self._job)
        app.router.add_post("/api/jobs/{id}/stop", self._stop)
        app.router.add_get("/api/jobs/{id}/logs", self._logs)
        return app

    @web.middleware
    async def _break(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if self.broken:
            return web.Response(status=self.broken, text="<html>a page of a proxy</html>", content_type="text/html")
        if (name := request.match_info.get("id")) is not None and name not in self.processes:
            return web.Response(status=404, text=f"Job {name} does not exist")
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _submit(self, request: web.Request) -> web.Response:
        job = await request.json()
        if job["submission_id"] in self.processes:
            return web.Response(status=500, text="ValueError: Job with submission_id already exists.")
        self.submitted.append(job)
        python, *arguments = shlex.split(job["entrypoint"])
        assert python == "python"
        self.processes[job["submission_id"]] = await asyncio.create_subprocess_exec(
            *(sys.executable, *arguments),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd="/",
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        self.started.append(self.processes[job["submission_id"]])
        return web.json_response({"submission_id": job["submission_id"]})

    async def _job(self, request: web.Request) -> web.Response:
        code = self.processes[request.match_info["id"]].returncode
        status = "RUNNING" if code is None else "FAILED" if code else "SUCCEEDED"
        return web.json_response({"status": status, "driver_exit_code": code})

    async def _stop(self, request: web.Request) -> web.Response:
        self.stopped.append(request.match_info["id"])
        return web.json_response({"stopped": True})

    async def _logs(self, request: web.Request) -> web.Response:
        errors = self.processes[request.match_info["id"]].stderr
        assert errors is not None
        return web.json_response({"logs": (await errors.read()).decode()})


@pytest.fixture
async def ray(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeRay]:
    monkeypatch.setattr(ray_jobs, "POLL_SECONDS", 0.05)
    fake = FakeRay()
    async with listening(fake.app(), "127.0.0.1", 0) as port:
        fake.address = f"http://127.0.0.1:{port}"
        yield fake
        for process in fake.started:
            if process.returncode is None:
                process.kill()
            await process.communicate()


@asynccontextmanager
async def engine_on(ray: FakeRay, data_dir: Path) -> AsyncIterator[openai.AsyncOpenAI]:
    """A client of an engine whose jobs that cluster trains."""
    async with (
        engine_in(data_dir, ray_address=ray.address) as engine,
        openai.AsyncOpenAI(base_url=engine.url, api_key=engine.token or "") as client,
    ):
        yield client


async def eventually(condition: Callable[[], object]) -> None:
    """Wait until the engine or a training process has made `condition` true."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - other processes change it
            await asyncio.sleep(0.02)


async def test_a_job_is_trained_once_while_ray_and_the_engine_come_and_go(ray: FakeRay, tmp_path: Path) -> None:
    async with engine_on(ray, tmp_path) as client:
        job = await start(client, epochs=12)
        await eventually(lambda: ray.submitted)
    ray.broken = 502
    async with engine_on(ray, tmp_path) as client:
        await asyncio.sleep(0.2)
        ray.broken = 0
        done = await until(client, job.id)
        assert done.status == "succeeded", done.error
        events: list[Any] = [event async for event in client.fine_tuning.jobs.list_events(job.id)]
        steps = [event.data["step"] for event in events if event.type == "metrics"]
        assert steps == list(range(len(steps), 0, -1))
        cancelled = await start(client, epochs=100)
        await eventually(lambda: cancelled.id in ray.processes)
        await client.fine_tuning.jobs.cancel(cancelled.id)
        await eventually(lambda: ray.processes[cancelled.id].returncode is not None)
    assert [each["submission_id"] for each in ray.submitted] == [job.id, cancelled.id]
    assert ray.submitted[0]["entrypoint"].endswith(ALONE)


async def test_what_ray_forgot_or_refused_has_a_result(ray: FakeRay, tmp_path: Path) -> None:
    folder = tmp_path / "ftjob-1"
    folder.mkdir()
    trainer = ray_jobs.RayJobs(ray.address, gpus=0.5)
    async with trainer.start(folder, 0) as training:
        async for _lines in training.follow():
            pass
        result = await training.result()
    assert (result.status, ray.submitted[0]["entrypoint_num_gpus"]) == ("lost", 0.5), "its folder has no files"
    # Ray knows the attempt that was lost, so the next one has another id; then the cluster is restarted.
    async with trainer.start(folder, 0) as training:
        async for _lines in training.follow():
            ray.processes.clear()
        assert await training.result() == Result("lost", "FORGOTTEN")
    assert [each["submission_id"] for each in ray.submitted] == ["ftjob-1", "ftjob-1-2"]
