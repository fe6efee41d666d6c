"""LoRA from the upload to the answer, on a random model that knows only what it was trained: killed, resumed, served.

Runs wherever `fewshot[train]` is installed, so not in CI, whose environment leaves torch out because of its size.
`make drills` runs it too.
"""

import asyncio
from pathlib import Path
from typing import Any

import openai
import psutil
import pytest
from openai.types.fine_tuning import FineTuningJob

from bot.engine.launch import connected, read_address
from bot.engine.llama.download import fetch, source_of
from bot.engine.llama.store import ModelStore
from tests.engine.job_helpers import lines, season, start, upload
from tests.tiny_llama import write_tiny_llama

for needed in ("torch", "trl", "peft"):
    pytest.importorskip(needed, reason="needs fewshot[train], which CI does not install: torch takes minutes")

ROWS = season()
ASKED, ANSWER = (message["content"] for message in ROWS[0]["messages"])
# A rate that a random model needs; a real one would forget its language.
HYPERPARAMETERS: Any = {"n_epochs": 60, "batch_size": 16, "learning_rate_multiplier": 10, "lora_rank": 16}
MINUTES = 4


async def trained(client: openai.AsyncOpenAI, training_file: str, **more: Any) -> FineTuningJob:
    method: Any = {"type": "supervised", "supervised": {"hyperparameters": HYPERPARAMETERS}}
    return await start(client, model="tiny", training_file=training_file, method=method, **more)


async def ended(client: openai.AsyncOpenAI, job_id: str) -> FineTuningJob:
    async with asyncio.timeout(60 * MINUTES):
        while (job := await client.fine_tuning.jobs.retrieve(job_id)).finished_at is None:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    return job


async def figures(client: openai.AsyncOpenAI, job_id: str) -> list[dict[str, Any]]:
    """The metrics of every step, oldest first."""
    events = [event async for event in client.fine_tuning.jobs.list_events(job_id, limit=100)]
    return [dict(event.data) for event in events[::-1] if event.type == "metrics"]  # type: ignore[call-overload]


async def until_step(client: openai.AsyncOpenAI, job_id: str, step: int) -> None:
    async with asyncio.timeout(60 * MINUTES):
        while not (found := await figures(client, job_id)) or found[-1]["step"] < step:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def ask(client: openai.AsyncOpenAI, model: str) -> str:
    answer = await client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": ASKED}], temperature=0, max_completion_tokens=30
    )
    return answer.choices[0].message.content or ""


async def test_open_weights_are_tuned_killed_resumed_and_served_by_name(tmp_path: Path) -> None:
    texts = [message["content"] for row in ROWS for message in row["messages"]]
    model = write_tiny_llama(tmp_path / "tiny.gguf", texts)
    fetch(ModelStore(tmp_path / "models"), source_of(str(model)), lambda done, total: None)
    async with (
        connected(tmp_path) as engine,
        openai.AsyncOpenAI(base_url=engine.url, api_key=engine.token, max_retries=10) as client,
    ):
        training_file = await upload(client, lines(ROWS))
        whole = await ended(client, (await trained(client, training_file)).id)
        assert whole.status == "succeeded", whole.error
        killed = await trained(client, training_file, suffix="killed")
        await until_step(client, killed.id, 20)
        for process in psutil.Process().children(recursive=True):
            if "bot.engine.fine_tuning.worker" in process.cmdline():
                process.kill()
        await until_step(client, killed.id, 60)
        address = read_address(tmp_path)
        assert address is not None
        psutil.Process(address.pid).kill()
        killed = await ended(client, killed.id)
        assert killed.status == "succeeded", killed.error

        told = await figures(client, killed.id)
        assert [line["step"] for line in told] == list(range(1, told[-1]["total_steps"] + 1))
        assert [line["train_loss"] for line in told] == [line["train_loss"] for line in await figures(client, whole.id)]
        assert str(killed.fine_tuned_model).startswith("ft:tiny:local:killed:")
        for tuned in (str(whole.fine_tuned_model), str(killed.fine_tuned_model)):
            assert await ask(client, tuned) == ANSWER
        assert await ask(client, "tiny") != ANSWER
