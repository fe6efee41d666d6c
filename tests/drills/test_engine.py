"""The engine under kill -9: of the server, of the training process, of both, at ten random moments each."""

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
# Long enough for checkpoints and kills to take turns: some eight seconds unbroken.
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
    """The training processes of a data folder, orphans among them."""
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
            print("it had ended already")


def victims(folder: Path, whom: str) -> list[psutil.Process]:
    try:
        return [server(folder)] * (whom != "trainer") + trainers(folder) * (whom != "server")
    except psutil.NoSuchProcess:  # killed before, and not up again yet
        return trainers(folder) * (whom != "server")


async def losses(client: openai.AsyncOpenAI, job: Any) -> str:
    return (await client.files.content(job.result_files[0])).text


@pytest.mark.parametrize("whom", ["trainer", "server", "both"])
async def test_a_job_that_is_killed_ends_as_an_unbroken_one(
    client: openai.AsyncOpenAI, tmp_path: Path, whom: str
) -> None:
    chance = random.Random(f"{SEED} {whom}")
    training = await upload(client, lines(season(RACES)))
    began = time.monotonic()
    unbroken = await until(client, (await start(client, training_file=training, epochs=EPOCHS)).id)
    assert unbroken.status == "succeeded", unbroken.error
    length = time.monotonic() - began

    job = await start(client, training_file=training, epochs=EPOCHS)
    hit = 0
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0, length / 2))
        targets = victims(tmp_path, whom)
        hit += len(targets)
        kill(*targets)
    broken = await until(client, job.id)
    print(f"\n{whom}: unbroken {length:.1f} s, {hit} processes killed in {KILLS} rounds (DRILL_SEED={SEED})")
    assert broken.status == "succeeded", broken.error
    assert await losses(client, broken) == await losses(client, unbroken)
    steps = [event async for event in client.fine_tuning.jobs.list_events(job.id, limit=100)]
    told = [event.data["step"] for event in steps if event.type == "metrics"]  # type: ignore[index]
    assert told == list(range(max(told), 0, -1))


async def test_a_trainer_does_not_outlive_its_server_by_more_than_a_step(tmp_path: Path) -> None:
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


async def test_processes_that_want_the_engine_at_the_same_instant_get_one(tmp_path: Path) -> None:
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


async def test_a_disk_that_is_full_in_the_middle_of_a_checkpoint_fails_the_job_with_a_sentence(
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
            assert not list(tmp_path.rglob("*.part"))
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            again = await until(client, (await start(client)).id)
            assert again.status == "succeeded"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        stop.set()
        await running
