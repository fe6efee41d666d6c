"""Open weights by `/finetune`: offered, estimated in hours, trained, scored, promoted and asked, as any other base.

The trainer is a stand-in behind the trainers' interface, so that the test needs no torch; the server that answers with
the adapter is real. `tests/engine/lora/test_training.py` trains.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.engine import disk
from bot.engine.fine_tuning.trainer import Line, Result
from bot.engine.llama.download import fetch, source_of
from bot.engine.llama.store import ModelStore
from bot.engine.lora import bases
from tests.cogs.operating import CORPUS, card, season, shown
from tests.fake_vllm import fake_vllm
from tests.gguf_files import chat_model, gguf
from tests.model_folder import folder_model
from tests.racing.season import REFUSAL, rows
from tests.racing.season import answer as answer_of
from tests.racing.season import question as question_of
from tests.simulated import Simulated

BASE = "owner/Base-1B"


class InstantTraining:
    """Trains in no time: two steps, and an adapter that the server below takes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def follow(self) -> AsyncIterator[list[Line]]:
        rest = {"train_accuracy": 1.0, "valid_loss": None, "valid_accuracy": None, "valid_exact": None, "model": None}
        for step in (1, 2):
            yield [{"step": step, "total_steps": 2, "train_loss": 1.0 / step, "note": "It takes long.", **rest}]

    def cancel(self) -> None:
        raise AssertionError("nothing cancels this job")

    async def result(self) -> Result:
        settings = disk.read_json(self._folder / "config.json")
        assert settings["weights"]["source"] == BASE
        disk.make_folder(self._folder / "run" / "model")
        disk.write_json(self._folder / "run" / "model" / "adapter_config.json", {"r": 16})
        return Result("done", trained_tokens=1_000, hyperparameters={"n_epochs": 3, "lora_rank": 16})


class InstantTrainer:
    @asynccontextmanager
    async def start(self, folder: Path, step: int) -> AsyncIterator[InstantTraining]:
        yield InstantTraining(folder)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model `tiny`, installed; and few questions to score."""
    for name in ("SAMPLE", "BASE_SAMPLE"):
        monkeypatch.setattr(f"bot.tuning.scoring.{name}", 10)
    monkeypatch.setattr("cogs.finetune.job_cards.UPDATE_INTERVAL", 0.3)
    monkeypatch.setattr(bases, "NEEDED", ())
    monkeypatch.setattr("bot.engine.server.ChildProcess", InstantTrainer)
    path = tmp_path / "tiny.gguf"
    path.write_bytes(gguf(chat_model()))
    fetch(ModelStore(tmp_path / "data" / "models"), source_of(str(path)), lambda done, total: None)


async def dataset_of(sim: Simulated) -> str:
    """The id of the dataset that ships."""
    await sim.admin.slash(sim.general, "finetune prepare", corpus=CORPUS)
    return str((await sim.admin.autocomplete(sim.general, "finetune start", "dataset", CORPUS))[0]["value"])


async def test_open_weights_are_tuned_as_any_other_base(tmp_path: Path, installed: None) -> None:
    known = {question_of(row): answer_of(row) for row in [*rows("questions.jsonl"), *rows("heldout.jsonl")]}
    async with (
        fake_vllm(BASE, lambda question: known.get(question, REFUSAL)) as vllm,
        season(tmp_path, serving_url=vllm.url) as sim,
    ):
        dataset = await dataset_of(sim)
        confirm = (await sim.admin.slash(sim.general, "finetune start", dataset=dataset, base=BASE)).response
        assert f"➜ **{BASE}** · The local engine\nhours and memory not known before the download" in sim.text(confirm)
        assert "**tiny** · The local engine\nabout 1 minute on the processor, 2.8 GiB of memory" in sim.text(confirm)
        await sim.admin.click(confirm, label="Start: hours and memory not known before the download")
        done = await card(sim, "· done")
        assert f"· {BASE} · dataset" in shown(done)
        assert "1,000 tokens · free" in shown(done)
        await sim.admin.click(done, label="Promote")
        asked = await sim.member.slash(sim.general, f"{CORPUS} ask", question="Which pod does Senn Kava fly?")
        assert sim.text(asked.response).startswith("The Thunderbolt\n-# ft:base-1b:local:fewshot-")
        compared = await sim.member.slash(sim.general, f"{CORPUS} compare", question="Which pod does Senn Kava fly?")
        assert sim.said(compared).count("The Thunderbolt") == 3
        assert vllm.asked.count("load") == 1
        assert not sim.errors


async def test_a_base_that_cannot_be_tuned_is_refused_before_anything_is_stored(
    tmp_path: Path, installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with season(tmp_path) as sim:
        dataset = await dataset_of(sim)
        offered = await sim.admin.autocomplete(sim.general, "finetune start", "base", "")
        assert [choice["value"] for choice in offered] == ["pocket-gpt", "tiny"]

        async def refusal(base: str) -> str:
            return sim.said(await sim.admin.slash(sim.general, "finetune start", dataset=dataset, base=base))

        assert "gpt-9 cannot be tuned: it is no installed model (tiny)" in await refusal("gpt-9")
        mamba = folder_model(tmp_path / "mamba", architectures=["MambaForCausalLM"])
        assert "its architecture (MambaForCausalLM) cannot be converted for llama.cpp" in await refusal(mamba)
        monkeypatch.setattr(bases, "NEEDED", ("no_such_package",))
        assert "pip install -e '.[train]'" in await refusal("tiny")
        assert await sim.services.tuning.jobs.all() == []
