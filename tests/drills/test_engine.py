"""The engine after kill -9 of the server, of the training process and of both, at ten random moments each."""

import asyncio
import os
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import psutil
import pytest

from bot.engine.launch import Address, connected, read_address
from bot.engine.server import serve
from tests.engine.job_helpers import lines, season, start, until, until_step, upload

KILLS = 10
EPOCHS = 50
# About eight seconds without a kill, so that there are checkpoints between the kills.
RACES = 20
SEED = int(os.environ.get("DRILL_SEED", time.time()))


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[openai.AsyncOpenAI]:
    async with (
        connected(tmp_path) as engine,
        openai.AsyncOpenAI(base_url=engine.url, api_key=engine.token, max_retries=10) as opened,
    ):
        yield opened


def server(folder: Path) -> psutil.Process:
    found = read_address(folder)
    assert found is not None
    return psutil.Process(found.pid)


def trainers(folder: Path) -> list[psutil.Process]:
    """The training processes of a data folder, also those whose server was killed."""
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if "bot.engine.fine_tuning.worker" in command and str(folder) in command[-1]:
            found.append(process)
    return found


def kill(*processes: psutil.Process) -> None:
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            print("the process had ended")


def victims(folder: Path, target: str) -> list[psutil.Process]:
    try:
        return [server(folder)] * (target != "trainer") + trainers(folder) * (target != "server")
    except psutil.NoSuchProcess:  # killed before, and not up again yet
        return trainers(folder) * (target != "server")


async def losses(client: openai.AsyncOpenAI, job: Any) -> str:
    return (await client.files.content(job.result_files[0])).text


@pytest.mark.parametrize("target", ["trainer", "server", "both"])
async def test_a_killed_job_ends_as_an_uninterrupted_one(
    client: openai.AsyncOpenAI, tmp_path: Path, target: str
) -> None:
    chance = random.Random(f"{SEED} {target}")
    training = await upload(client, lines(season(RACES)))
    began = time.monotonic()
    uninterrupted = await until(client, (await start(client, training_file=training, epochs=EPOCHS)).id)
    assert uninterrupted.status == "succeeded", uninterrupted.error
    length = time.monotonic() - began

    job = await start(client, training_file=training, epochs=EPOCHS)
    hit = 0
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0, length / 2))
        targets = victims(tmp_path, target)
        hit += len(targets)
        kill(*targets)
    killed = await until(client, job.id)
    print(f"\n{target}: uninterrupted {length:.1f} s, {hit} processes killed in {KILLS} rounds (DRILL_SEED={SEED})")
    assert killed.status == "succeeded", killed.error
    assert await losses(client, killed) == await losses(client, uninterrupted)
    steps = [event async for event in client.fine_tuning.jobs.list_events(job.id, limit=100)]
    metrics: list[Any] = [event.data for event in steps if event.type == "metrics"]
    told = [data["step"] for data in metrics]
    assert told == list(range(max(told), 0, -1))


async def test_a_training_process_ends_soon_after_its_server(tmp_path: Path) -> None:
    async with connected(tmp_path) as engine:
        client = openai.AsyncOpenAI(base_url=engine.url, api_key=engine.token)
        job = await start(client, epochs=EPOCHS)
        await until_step(client, job.id)
        orphans = trainers(tmp_path)
        kill(server(tmp_path))
        gone, alive = await asyncio.to_thread(psutil.wait_procs, orphans, 30)
        assert gone
        assert not alive
        await client.close()


async def test_processes_that_start_the_engine_at_once_share_one(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom bot.engine.launch import connected\n"
        "async def main():\n    async with connected(Path(sys.argv[1])) as engine:\n"
        "        print(engine.url, flush=True)\n        await asyncio.to_thread(sys.stdin.read)\n"
        "asyncio.run(main())"
    )
    for round_ in range(KILLS):
        folder = tmp_path / str(round_)
        wanting = [
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", code, str(folder)), stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            for _ in range(2)
        ]
        urls = [await process.stdout.readline() for process in wanting if process.stdout]
        assert len(set(urls)) == 1
        assert urls[0]
        for process in wanting:
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()


async def test_a_full_disk_during_a_checkpoint_fails_the_job_with_a_sentence(
    tmp_path: Path,
) -> None:
    """The training process may write no file beyond 300 kB, so that its first checkpoint ends half way."""
    resource = pytest.importorskip("resource")
    ready: asyncio.Queue[Address] = asyncio.Queue()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))
    stop = asyncio.Event()
    running = asyncio.create_task(serve("127.0.0.1", 0, tmp_path, on_ready=ready.put_nowait, stop=stop))
    try:
        here = await ready.get()
        async with openai.AsyncOpenAI(base_url=here.url, api_key=here.token) as client:
            failed = await until(client, (await start(client, epochs=EPOCHS)).id)
            assert failed.status == "failed"
            assert failed.error is not None
            assert "could not be written" in failed.error.message
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            again = await until(client, (await start(client)).id)
            assert again.status == "succeeded"
            # By now the files of the failed job are removed.
            assert not list(tmp_path.rglob("*.part"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        stop.set()
        await running
