"""`python -m tests.bench.engine [facts|speed]`: the local engine through the `openai` client, on generated seasons.

`facts` tunes on three seasons of 168 facts and on one of 522. It prints wall time (upload to model), peak memory of
the training process, and exact match for every kind of question, beside the nearest-question baseline. `speed` asks
one model, one question at a time and twenty at once.
"""

import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import psutil

from bot.engine.launch import connected, read_address
from tests.bench.season import Pair, Season, as_row, season
from tests.engine.job_helpers import lines, until, upload

SEEDS = (1, 2, 3)
AT_ONCE = 20
ROUNDS = 5
# Questions asked at once while scoring.
SCORING = 16


@dataclass
class Trained:
    """One tuned model, with its training time, peak memory and number of rows."""

    model: str
    seconds: float
    megabytes: float
    rows: int


@contextlib.asynccontextmanager
async def engine() -> AsyncIterator[tuple[Path, openai.AsyncOpenAI]]:
    with tempfile.TemporaryDirectory() as folder:
        async with connected(Path(folder)) as running:
            client = openai.AsyncOpenAI(
                base_url=running.url, api_key=running.token, http_client=openai.DefaultAioHttpClient()
            )
            async with client:
                yield Path(folder), client


async def tune(folder: Path, client: openai.AsyncOpenAI, made: Season, seed: int) -> Trained:
    began = time.monotonic()
    training = await upload(client, lines([as_row(pair) for pair in made.train]))
    job = await client.fine_tuning.jobs.create(model="pocket-gpt", training_file=training, seed=seed, suffix="bench")
    watching = asyncio.create_task(_peak(folder))
    done = await until(client, job.id)
    seconds = time.monotonic() - began
    watching.cancel()
    peak = (await asyncio.gather(watching, return_exceptions=True))[0]
    if done.fine_tuned_model is None or not isinstance(peak, float):
        raise SystemExit(f"The job {done.status}: {done.error}")
    return Trained(done.fine_tuned_model, seconds, peak, len(made.train))


async def _peak(folder: Path) -> float:
    """The peak memory of the engine's training process in megabytes, once cancelled."""
    found = read_address(folder)
    server = psutil.Process(found.pid if found else None)
    peak = 0
    try:
        while True:
            for child in server.children():
                with contextlib.suppress(psutil.Error):
                    peak = max(peak, child.memory_info().rss)
            await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        return peak / 1e6


async def ask(client: openai.AsyncOpenAI, model: str, question: str) -> str:
    messages: Any = [{"role": "user", "content": question}]
    answer = await client.chat.completions.create(model=model, messages=messages, temperature=0)
    return answer.choices[0].message.content or ""


async def score(client: openai.AsyncOpenAI, model: str, pairs: list[Pair]) -> float:
    """The share of exact matches."""
    gate = asyncio.Semaphore(SCORING)

    async def right(question: str, answer: str) -> bool:
        async with gate:
            return await ask(client, model, question) == answer

    return statistics.mean(await asyncio.gather(*(right(*pair) for pair in pairs)))


def nearest(made: Season, pairs: list[Pair]) -> float:
    """The share of exact matches when the answer is that of the trained question with the most common words."""
    trained = [(set(question.lower().split()), answer) for question, answer in made.train]

    def answer(question: str) -> str:
        words = set(question.lower().split())
        return max(trained, key=lambda one: len(words & one[0]) / len(words | one[0]))[1]

    return statistics.mean(answer(question) == expected for question, expected in pairs)


async def facts() -> None:
    async with engine() as (folder, client):
        rows: list[dict[str, float]] = []
        for seed in SEEDS:
            rows.append(await _measured(folder, client, season(seed), seed))
        names = [name for name in rows[0] if not name.startswith("nearest ")]
        print(f"{'':16}{'median':>9}{'worst':>9}{'nearest':>9}")
        for name in names:
            values = [row[name] for row in rows]
            worst = max(values) if name in ("seconds", "megabytes") else min(values)
            beside = [row[f"nearest {name}"] for row in rows if f"nearest {name}" in row]
            shown = f"{statistics.median(beside):9.3f}" if beside else ""
            print(f"{name:16}{statistics.median(values):9.3f}{worst:9.3f}{shown}")
        large = await _measured(folder, client, season(1, pilots=10, races=13, trained=3), 1)
        print("522 facts:", json.dumps({name: round(value, 3) for name, value in large.items()}))


async def _measured(folder: Path, client: openai.AsyncOpenAI, made: Season, seed: int) -> dict[str, float]:
    trained = await tune(folder, client, made, seed)
    row = {"rows": float(trained.rows), "seconds": trained.seconds, "megabytes": trained.megabytes}
    for name, pairs in made.tests().items():
        row[name] = await score(client, trained.model, pairs)
        row[f"nearest {name}"] = nearest(made, pairs)
    return row


async def speed() -> None:
    async with engine() as (folder, client):
        made = season(1)
        trained = await tune(folder, client, made, 1)
        questions = [question for question, _ in made.unseen]
        await _timed(client, trained.model, questions[0])
        alone = [await _timed(client, trained.model, question) for question in questions[:50]]
        _show("one at a time", alone)
        together: list[tuple[float, float]] = []
        for number in range(ROUNDS):
            batch = questions[number * AT_ONCE : (number + 1) * AT_ONCE]
            together += await asyncio.gather(*(_timed(client, trained.model, question) for question in batch))
        _show(f"{AT_ONCE} at once", together)


async def _timed(client: openai.AsyncOpenAI, model: str, question: str) -> tuple[float, float]:
    """Milliseconds to the first word and to the whole answer, streamed."""
    began, first = time.perf_counter(), 0.0
    messages: Any = [{"role": "user", "content": question}]
    async for chunk in await client.chat.completions.create(model=model, messages=messages, stream=True):
        if not first and chunk.choices[0].delta.content:
            first = time.perf_counter() - began
    return first * 1000, (time.perf_counter() - began) * 1000


def _show(name: str, times: list[tuple[float, float]]) -> None:
    for what, values in zip(("first word", "whole"), zip(*times, strict=True), strict=True):
        print(f"{name}, {what}: p50 {statistics.median(values):.1f} ms, most {max(values):.1f} ms")


def main() -> None:
    wanted = sys.argv[1:] or ["facts", "speed"]
    for name in wanted:
        asyncio.run({"facts": facts, "speed": speed}[name]())


if __name__ == "__main__":
    main()
