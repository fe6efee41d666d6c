"""Tuning under kill -9: generating, uploading, just after a job is created, running, scoring, promoting.

Processes of the command line are killed; `test_tuning_bot.py` kills the bot. The provider and the chat model run in
this process and count all requests.
"""

import asyncio
import json
import os
import random
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.fake_model import FakeModel
from tests.tuning.conftest import rows
from tests.tuning.fake_provider import FakeProvider

SEED = int(os.environ.get("DRILL_SEED", time.time()))
KILLS = 10
CHUNKS = 60
# The maximum number of concurrent questions: what one kill can cause to be asked again.
CONCURRENT = 16


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "bakers"
    made.mkdir()
    text = " ".join(f"Baker {number} bakes bread{number} every day." for number in range(20))
    (made / "bakers.txt").write_text(text, encoding="utf-8")
    return made


@pytest.fixture
async def provider() -> AsyncIterator[FakeProvider]:
    """Every response is delayed, so that a kill comes between an effect and its response."""
    way = ("validating_files", *("running",) * 12, "succeeded")
    async with FakeProvider(way=way, delay=0.05) as fake:
        yield fake


@pytest.fixture
async def model() -> AsyncIterator[FakeModel]:
    async with FakeModel() as fake:
        yield fake


@pytest.fixture
def settings(tmp_path: Path, folder: Path, provider: FakeProvider, model: FakeModel) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    return kept | {
        "DATA_DIR": str(tmp_path / "data"),
        "CORPORA": f"bakers={folder}",
        "TUNING_PROVIDER": "custom",
        "TUNING_BASE_URL": provider.url,
        "TUNING_API_KEY": "sk-tuning",
        "TUNING_MODEL": "base-8b",
        "OPENAI_BASE_URL": model.url,
        "OPENAI_API_KEY": model.token,
        "CHAT_MODEL": "fake-model",
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
    }


async def begun(settings: dict[str, str], folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", *arguments),
        env=settings,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


def has_calls(model: FakeModel, count: int) -> bool:
    """Whether the model has been called `count` times."""
    return len(model.calls) >= count


def passed(moment: float) -> bool:
    """Whether the clock has passed `moment`."""
    return time.monotonic() > moment


async def killed(process: asyncio.subprocess.Process, when: Callable[[], object]) -> bool:
    """Kill the process as soon as `when` is true; False if it had ended before."""
    while process.returncode is None and not when():  # noqa: ASYNC110 - what is waited for is another process's
        await asyncio.sleep(0.002)
    if process.returncode is not None:
        return False
    process.kill()
    await process.wait()
    return True


async def finished(settings: dict[str, str], folder: Path, *arguments: str) -> str:
    process = await begun(settings, folder, *arguments)
    out, _ = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, out.decode()
    return out.decode()


def stored(settings: dict[str, str], query: str) -> list[tuple[object, ...]]:
    """Rows of the database, which another process may be using."""
    path = Path(settings["DATA_DIR"]) / "fewshot.sqlite3"
    if not path.exists():
        return []
    with closing(sqlite3.connect(path, timeout=30)) as database:
        table = query.partition(" FROM ")[2].split()[0]
        made = database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchall()
        return database.execute(query).fetchall() if made else []


async def test_no_stored_chunk_is_asked_about_again(settings: dict[str, str], folder: Path, model: FakeModel) -> None:
    chance = random.Random(SEED)
    for number in range(CHUNKS):
        (folder / f"text{number:02}.txt").write_text(f"Baker {number} sleeps at noon.", encoding="utf-8")

    def say(body: dict[str, object]) -> str:
        asked = json.dumps(body["messages"])
        if "The claims:" in asked.rpartition('"user"')[2]:
            return '{"verdicts": []}'
        fact = {"answer": "noon", "quote": "sleeps at noon", "questions": ["When does a baker sleep?"]}
        return json.dumps({"facts": [fact]})

    model.says(say, delay=0.05)
    kills, again = 0, []
    for _ in range(KILLS):
        done = {str(row[0]) for row in stored(settings, "SELECT source FROM chunks WHERE state = 'checked'")}
        before = len(model.calls)
        asked_often = partial(has_calls, model, before + chance.randint(1, 2 * CHUNKS // KILLS))
        process = await begun(settings, folder, "dataset", "build", "bakers")
        kills += await killed(process, asked_often)
        asked = " ".join(str(call.body["messages"][-1]["content"]) for call in model.calls[before:])
        again += [source for source in done if f"From the text {source}," in asked]
    assert again == []
    out = await finished(settings, folder, "dataset", "build", "bakers")
    assert "Dataset" in out
    first = Counter(
        text for call in model.calls if "about 20 pairs" in (text := str(call.body["messages"][-1]["content"]))
    )
    print(f"\n{kills} kills, {sum(first.values())} calls for {len(first)} chunks (DRILL_SEED={SEED})")
    assert len(first) == CHUNKS + 1
    # Only requests that were running at a kill are repeated.
    assert sum(first.values()) - len(first) <= 8 * kills
    states = stored(settings, "SELECT state, count(*) FROM chunks GROUP BY state")
    assert states == [("checked", CHUNKS + 1)]
    assert len(stored(settings, "SELECT id FROM datasets")) == 1


def moments(provider: FakeProvider) -> dict[str, Callable[[], object]]:
    """Names and conditions of the moments to kill at, in the order of a job's steps."""
    calls = provider.calls
    chats = provider.asked
    return {
        "before anything is uploaded": lambda: calls["GET files"] >= 1,
        "while the rows are uploaded": lambda: calls["POST files"] >= 1,
        "before the job is created": lambda: calls["GET jobs"] >= 1,
        "just after the job was created": lambda: len(provider.creating) >= 1,
        "at the first look": lambda: calls["GET job"] >= 1,
        "while events are read": lambda: calls["GET job"] >= 6,
        "in the middle of training": lambda: calls["GET job"] >= 12,
        "at the end of training": lambda: any(job["looks"] >= 13 for job in provider.jobs.values()),
        "as scoring begins": lambda: len(chats) >= 1,
        "in the middle of scoring": lambda: len(chats) >= 60,
    }


async def test_a_job_is_created_once_and_finished_when_its_process_is_killed_at_any_step(
    settings: dict[str, str], folder: Path, provider: FakeProvider
) -> None:
    lines = "".join(json.dumps(item) + "\n" for item in rows())
    (folder / "questions.jsonl").write_text(lines, encoding="utf-8")
    # With the stand-in nothing is generated, so that every call belongs to the job.
    settings = {**settings, "CHAT_MODEL": "stand-in"}
    process = await begun(settings, folder, "tune", "start", "bakers", "--yes")
    hit = []
    for name, moment in moments(provider).items():
        if await killed(process, moment):
            hit.append(name)
        process = await begun(settings, folder, "tune", "follow")
    out, _ = await asyncio.wait_for(process.communicate(), 120)
    print(f"\nkilled {len(hit)} times: {', '.join(hit)}")
    assert process.returncode == 0, out.decode()
    assert len(hit) >= 8
    assert len(provider.creating) == 1
    names = [file["card"]["filename"] for file in provider.files.values()]
    assert len(names) == len(set(names)) == 2
    assert stored(settings, "SELECT state FROM tuning_jobs") == [("done",)]
    events = stored(settings, "SELECT event_id, number FROM tuning_events ORDER BY number")
    assert [number for _, number in events] == list(range(1, len(events) + 1))
    assert len({event for event, _ in events}) == len(events)
    twice = sum(count - 1 for count in provider.asked.values())
    assert twice <= CONCURRENT * 3
    assert stored(settings, "SELECT count(*) FROM tuned_models WHERE scorecard != ''") == [(1,)]

    ((model,),) = stored(settings, "SELECT name FROM tuned_models")
    chance = random.Random(SEED)
    for _ in range(5):
        process = await begun(settings, folder, "tune", "promote", str(model))
        await killed(process, partial(passed, time.monotonic() + chance.uniform(0.3, 2.5)))
    await finished(settings, folder, "tune", "promote", str(model))
    assert stored(settings, "SELECT count(*) FROM promotions WHERE undone = 0") == [(1,)]
