"""Tuned models on a server with vLLM's routes: an adapter is loaded there once, and again after a restart."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
from openai.types.chat import ChatCompletion

from bot.engine import disk
from bot.engine.fine_tuning.jobs import Job
from bot.engine.llama.download import fetch, source_of
from bot.engine.llama.store import ModelStore
from bot.engine.lora.adapter import write_gguf
from bot.engine.lora.config import ADAPTER_GGUF
from tests.engine.job_helpers import lines, season, start, upload
from tests.fake_vllm import FakeVLLM, fake_vllm
from tests.local_engine import engine_in
from tests.model_folder import folder_model
from tests.tiny_llama import byte_words, random_weights, write_model

BASE = "owner/Base-1B"


@pytest.fixture
async def vllm() -> AsyncIterator[FakeVLLM]:
    async with fake_vllm(BASE, lambda question: "Kava won.") as server:
        yield server


def finished_job(data_dir: Path, base: str = BASE) -> Job:
    """A job on open weights as it lies on disk once it has succeeded."""
    hyperparameters: Any = {"n_epochs": 3}
    job = Job(
        id="ftjob-0123456789abcdef",
        created_at=1,
        arrived=1.0,
        model=base,
        base_model=base,
        training_file="file-1",
        suffix="racing",
        seed=1,
        hyperparameters=hyperparameters,
        status="succeeded",
        finished_at=2,
    )
    folder = data_dir / "engine" / "jobs" / job.id
    disk.make_folder(folder / "run" / "model")
    disk.write_json(folder / "run" / "model" / "adapter_config.json", {"r": 16})
    disk.write_json(folder / "job.json", job.model_dump())
    return job


def install_tiny(data_dir: Path) -> None:
    """A random model as the conversion of `owner/Tiny`, and an adapter for it in the folder of a finished job."""
    job = finished_job(data_dir, "owner/Tiny")
    words = byte_words()
    path = write_model(data_dir / "tiny-q8_0.gguf", words, ["W h"], random_weights(len(words)))
    store = ModelStore(data_dir / "models")
    store.add(replace(fetch(store, source_of(str(path)), lambda done, total: None), source="owner/Tiny"))
    rng = np.random.default_rng(5)
    name = "base_model.model.model.layers.1.mlp.down_proj.lora"
    parts = {f"{name}_A.weight": rng.standard_normal((2, 128)), f"{name}_B.weight": rng.standard_normal((64, 2))}
    write_gguf(parts, 32.0, path, data_dir / "engine" / "jobs" / job.id / "run" / "model" / ADAPTER_GGUF, {})


@contextlib.asynccontextmanager
async def client_of(data_dir: Path, url: str | None) -> AsyncIterator[openai.AsyncOpenAI]:
    async with (
        engine_in(data_dir, serving_url=url) as engine,
        openai.AsyncOpenAI(base_url=engine.url, api_key=engine.token, max_retries=0) as client,
    ):
        yield client


async def ask(client: openai.AsyncOpenAI, model: str) -> tuple[str | None, int]:
    answer = await client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Who won?"}])
    assert answer.usage is not None
    return answer.choices[0].message.content, answer.usage.total_tokens


async def test_an_adapter_is_loaded_at_the_first_question_and_asked_by_name(vllm: FakeVLLM, tmp_path: Path) -> None:
    job = finished_job(tmp_path)
    name = "ft:base-1b:local:racing:89abcdef"
    assert job.model_name == name
    async with client_of(tmp_path, f"{vllm.url}/v1/") as client:
        assert name in [model.id async for model in client.models.list()]
        assert await ask(client, name) == ("Kava won.", 9)
        assert await ask(client, name) == ("Kava won.", 9)
        assert vllm.asked == [name, "load", name, name]
        assert Path(vllm.adapters.pop(name)).name == "model"  # the server restarts
        assert await ask(client, name) == ("Kava won.", 9)
        assert await ask(client, BASE) == ("Kava won.", 9)
        (tmp_path / "engine" / "jobs" / job.id / "run" / "model" / "adapter_config.json").unlink()
        vllm.adapters.clear()
        with pytest.raises(openai.BadRequestError, match="No adapter found"):
            await ask(client, name)


async def test_llama_cpp_applies_an_adapter_to_the_requests_that_name_it_alone(tmp_path: Path) -> None:
    install_tiny(tmp_path)
    tuned = "ft:tiny:local:racing:89abcdef"

    async def say(client: openai.AsyncOpenAI, model: str) -> str | None:
        question: Any = [{"role": "user", "content": "Who won?"}]
        options: Any = {"temperature": 0, "max_completion_tokens": 12}
        answer: ChatCompletion = await client.chat.completions.create(model=model, messages=question, **options)
        return answer.choices[0].message.content

    async with client_of(tmp_path, None) as client:
        assert tuned in [model.id async for model in client.models.list()]
        base = await say(client, "owner/Tiny")
        with_adapter = await say(client, tuned)
        assert with_adapter != base
        # Not what the adapter has made of the same prompt, which llama.cpp keeps.
        assert await say(client, "owner/Tiny") == base
        assert list(await asyncio.gather(say(client, tuned), say(client, "owner/Tiny"))) == [with_adapter, base]


async def test_a_server_that_is_down_or_not_set_is_said(tmp_path: Path) -> None:
    job = finished_job(tmp_path)
    async with client_of(tmp_path, "http://127.0.0.1:9") as client:
        with pytest.raises(openai.InternalServerError, match=r"SERVING_URL .* cannot be reached"):
            await ask(client, job.model_name)
    async with client_of(tmp_path, None) as client:
        assert job.model_name not in [model.id async for model in client.models.list()]
        with pytest.raises(openai.InternalServerError, match="is not installed any more"):
            await ask(client, job.model_name)


@pytest.mark.parametrize(
    ("model", "name", "sentence"),
    [
        ("pocket-gpt", "lora_rank", "pocket-gpt has no lora_rank"),
        ("pocket-gpt", "n_epochs", "from 1 to 100"),
        ("stand-in", None, "stand-in cannot be tuned"),
        ("{folder}", None, "set SERVING_URL"),
    ],
)
async def test_a_job_that_cannot_be_trained_is_refused_at_once(
    tmp_path: Path, model: str, name: str | None, sentence: str
) -> None:
    folder = folder_model(tmp_path / "mamba", architectures=["MambaForCausalLM"])
    model = model.format(folder=folder)
    async with client_of(tmp_path, None) as client:
        method: Any = {"type": "supervised", "supervised": {"hyperparameters": {name: 200} if name else {}}}
        with pytest.raises(openai.BadRequestError, match=sentence):
            await start(client, model=model, training_file=await upload(client, lines(season())), method=method)
