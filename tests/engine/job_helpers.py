"""Small training files, and functions that start a job and wait for it."""

import asyncio
import json
from typing import Any

import openai
from openai.types.fine_tuning import FineTuningJob

PILOTS = ("Kava", "Tor", "Thal", "Suro", "Voss", "Rell", "Dane", "Quill")
PLACES = ("first", "second", "third", "fourth", "fifth")
ENDED = ("succeeded", "failed", "cancelled", "paused")


def example(question: str, answer: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def season(races: int = 2) -> list[dict[str, Any]]:
    """Two wordings for every pilot and race."""
    rows = []
    for number, pilot in enumerate(PILOTS):
        for race in range(1, races + 1):
            answer = f"{pilot} came {PLACES[(number + race) % 5]} in race {race}."
            rows += [example(f"Where did {pilot} finish in race {race}?", answer)]
            rows += [example(f"In race {race}, how did {pilot} do?", answer)]
    return rows


def held_out() -> list[dict[str, Any]]:
    """Rows about a third race."""
    return [row for row in season(3) if row not in season(2)][::2]


def lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


async def upload(client: openai.AsyncOpenAI, data: bytes) -> str:
    return (await client.files.create(file=("rows.jsonl", data), purpose="fine-tune")).id


async def start(client: openai.AsyncOpenAI, *, epochs: int = 2, **more: Any) -> FineTuningJob:
    """Start a short job on the small season."""
    training_file = more.pop("training_file", None) or await upload(client, lines(season()))
    method: Any = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": epochs}}}
    return await client.fine_tuning.jobs.create(
        **{"model": "pocket-gpt", "training_file": training_file, "seed": 1, "method": method} | more
    )


async def until(client: openai.AsyncOpenAI, job_id: str, *statuses: str) -> FineTuningJob:
    """Wait until the job has one of these statuses or has ended."""
    for _ in range(1200):
        job = await client.fine_tuning.jobs.retrieve(job_id)
        if job.status in (statuses or ENDED) or job.status in ENDED:
            return job
        await asyncio.sleep(0.05)
    raise AssertionError(f"the job is still {job.status}")


async def until_step(client: openai.AsyncOpenAI, job_id: str) -> None:
    """Wait for the first event with metrics."""
    for _ in range(1200):
        page = await client.fine_tuning.jobs.list_events(job_id, limit=100)
        if any(event.type == "metrics" for event in page.data):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("no step was reported")
