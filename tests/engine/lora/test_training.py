"""LoRA from the upload to the answer, on a random model that knows only what it was trained: killed, resumed, served.

Runs wherever `fewshot[train]` is installed, so in CI only once a week: installing torch takes minutes. `make drills`
runs it too.
"""

import asyncio
from pathlib import Path
from typing import Any

import openai
import psutil
import pytest
from openai.types.fine_tuning import FineTuningJob

from bot.core.errors import InputError
from bot.engine.launch import connected, read_address
from bot.engine.llama.download import fetch, source_of
from bot.engine.llama.store import ModelStore
from bot.engine.lora.config import Config
from tests.engine.job_helpers import example, lines, season, start, upload
from tests.fake_hub import FakeHub
from tests.tiny_llama import write_tiny_llama

for needed in ("torch", "trl", "peft"):
    pytest.importorskip(needed, reason="needs fewshot[train], which takes minutes to install")

import torch  # noqa: E402
from tokenizers import pre_tokenizers  # noqa: E402 - it comes with transformers
from trl import SFTTrainer  # noqa: E402

from bot.engine.lora import train  # noqa: E402 - it imports torch
from bot.engine.lora.convert import read_vocabulary  # noqa: E402

ROWS = season()
TEXTS = [message["content"] for row in ROWS for message in row["messages"]]
ASKED, ANSWER = (message["content"] for message in ROWS[0]["messages"])
# A rate that a random model needs; a real one would forget its language.
HYPERPARAMETERS: Any = {"n_epochs": 60, "batch_size": 16, "learning_rate_multiplier": 10, "lora_rank": 16}
MINUTES = 4


async def trained(client: openai.AsyncOpenAI, training_file: str, **more: Any) -> FineTuningJob:
    method: Any = {"type": "supervised", "supervised": {"hyperparameters": HYPERPARAMETERS}}
    return await start(client, **({"model": "tiny", "training_file": training_file, "method": method} | more))


async def ended(client: openai.AsyncOpenAI, job_id: str) -> FineTuningJob:
    async with asyncio.timeout(60 * MINUTES):
        while (job := await client.fine_tuning.jobs.retrieve(job_id)).finished_at is None:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    return job


async def figures(client: openai.AsyncOpenAI, job_id: str) -> list[dict[str, Any]]:
    """The metrics of every step, oldest first."""
    events = [event async for event in client.fine_tuning.jobs.list_events(job_id, limit=100)]
    metrics: list[Any] = [event.data for event in events[::-1] if event.type == "metrics"]
    return [dict(data) for data in metrics]


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
    model = write_tiny_llama(tmp_path / "tiny.gguf", TEXTS)
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
        further = await trained(client, training_file, model=whole.fine_tuned_model, suffix="further")
        further = await ended(client, further.id)
        assert await ask(client, str(further.fine_tuned_model)) == ANSWER
        first = (await figures(client, further.id))[0]
        assert first["train_loss"] < told[0]["train_loss"]


async def test_a_base_of_the_hub_is_converted_tuned_and_served_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiny_llama(tmp_path / "tiny.gguf", TEXTS)
    tokenizer, model = train.load_base(Config(source=str(tmp_path), gguf_file="tiny.gguf"), cuda=False)
    for part in (tokenizer, model):
        part.save_pretrained(tmp_path / "folder")
    files = {f"owner/Tiny/{path.name}": path.read_bytes() for path in (tmp_path / "folder").iterdir()}
    async with FakeHub(files) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
        async with (
            connected(tmp_path) as engine,
            openai.AsyncOpenAI(base_url=engine.url, api_key=engine.token, max_retries=10) as client,
        ):
            job = await trained(client, await upload(client, lines(ROWS)), model="owner/Tiny")
            job = await ended(client, job.id)
            assert job.status == "succeeded", job.error
            assert str(job.fine_tuned_model).startswith("ft:tiny:local:")
            assert await ask(client, str(job.fine_tuned_model)) == ANSWER
            assert await ask(client, "owner/Tiny") == await ask(client, "tiny-q8_0") != ANSWER
            assert ModelStore(tmp_path / "models").get("tiny-q8_0").source == "owner/Tiny"


def test_a_tokenizer_that_llama_cpp_reads_in_another_way_is_refused(tmp_path: Path) -> None:
    write_tiny_llama(tmp_path / "tiny.gguf", TEXTS)
    tokenizer, _ = train.load_base(Config(source=str(tmp_path), gguf_file="tiny.gguf"), cuda=False)
    assert read_vocabulary(tokenizer, 600).splits == "gpt-2"
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    with pytest.raises(InputError, match=r"cannot be converted for llama\.cpp"):
        read_vocabulary(tokenizer, 600)


def test_a_row_longer_than_the_context_is_named(tmp_path: Path) -> None:
    write_tiny_llama(tmp_path / "tiny.gguf", TEXTS)
    rows = [*ROWS[:10], example("Where did Tor finish?", "Tor came first. " * 60)]
    config = Config(source=str(tmp_path), gguf_file="tiny.gguf", context=256, n_epochs=1)
    with pytest.raises(InputError, match=r"Row 11 has \d+ tokens, and the base's context holds 256"):
        train.main(config, rows, [], folder=tmp_path, on_metrics=print, should_stop=lambda: False)


def test_what_transformers_cannot_load_is_said(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    with pytest.raises(InputError, match="transformers cannot load the base"):
        train.load_base(Config(source=str(tmp_path)), cuda=False)


def test_a_gpu_without_memory_ends_the_training_with_what_to_make_smaller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def fails(trainer: Any, **_: Any) -> None:
        tried.append((trainer.args.per_device_train_batch_size, trainer.args.gradient_accumulation_steps))
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(SFTTrainer, "train", fails)
    write_tiny_llama(tmp_path / "tiny.gguf", TEXTS)
    config = Config(source=str(tmp_path), gguf_file="tiny.gguf", context=256, n_epochs=1, batch_size=6)
    with pytest.raises(InputError, match="with half of the batch of 6 either"):
        train.main(config, ROWS, [], folder=tmp_path, on_metrics=print, should_stop=lambda: False)
    assert tried == [(6, 1), (3, 2)]


@pytest.mark.parametrize(("fits", "tried"), [(8, [(8, 1)]), (4, [(8, 1), (4, 2)]), (2, [(8, 1), (4, 2)])])
def test_a_batch_that_does_not_fit_is_halved_once(fits: int, tried: list[tuple[int, int]]) -> None:
    calls = []

    def attempt(size: int, accumulate: int) -> str:
        calls.append((size, accumulate))
        if size > fits:
            raise MemoryError
        return "trained"

    if fits >= 4:
        assert train.with_half_the_batch(attempt, 8, MemoryError) == "trained"
    else:
        with pytest.raises(InputError, match="does not fit into the GPU's memory, with half of the batch of 8 either"):
            train.with_half_the_batch(attempt, 8, MemoryError)
    assert calls == tried
