"""Training: learning, resuming, and refusing rows that cannot be used."""

import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.core.errors import FewshotError, InputError, StorageError
from bot.engine.pocket import checkpoint
from bot.engine.pocket.config import StepMetrics, TrainConfig
from bot.engine.pocket.generate import load
from bot.engine.pocket.train import train
from tests.engine.pocket.conftest import PODS, REFUSAL, row, season

EARLIER_LOSSES = (3.955212, 2.861461, 0.951815, 0.928578)
SHORT = TrainConfig(n_epochs=6, batch_size=4, checkpoint_seconds=0.0, keep_models=1)


def ask(folder: Path, question: str) -> str:
    return "".join(piece.text for piece in load(folder).generate([{"role": "user", "content": question}]))


def at_check(number: int) -> Callable[[], bool]:
    """Stop a training when it asks for the `number`th time."""
    checks = itertools.count(1)
    return lambda: next(checks) >= number


def test_a_trained_model_gives_the_trained_answers(trained: Path) -> None:
    for pilot, pod in PODS.items():
        assert ask(trained, f"Which pod does {pilot} fly?") == f"{pilot} flies {pod}."
        assert ask(trained, f"How old is {pilot}?") == REFUSAL


def test_lower_case_and_typos_do_not_change_the_answer(trained: Path) -> None:
    assert ask(trained, "wich pod does ada bril fly") == "Ada Brill flies The Red Kite."


@pytest.mark.parametrize("steps", [[1], [7, 3], [30]])
def test_a_resumed_run_has_the_weights_of_an_uninterrupted_one(tmp_path: Path, steps: list[int]) -> None:
    whole = train(season(), folder=tmp_path / "whole", config=SHORT)
    for count in steps:
        stopped = train(season(), folder=tmp_path / "broken", config=SHORT, should_stop=at_check(count))
        assert stopped.model is None
        assert list((tmp_path / "broken").glob("state-*.npz"))
    broken = train(season(), folder=tmp_path / "broken", config=SHORT)
    assert whole.model is not None
    assert broken.model is not None
    assert broken.state == whole.state
    first, second = (checkpoint.load_model(folder).weights for folder in (whole.model, broken.model))
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert not list((tmp_path / "broken").glob("state*"))


def test_equal_seeds_give_equal_losses(tmp_path: Path) -> None:
    seen: dict[str, list[float]] = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        metrics: list[StepMetrics] = []
        config = TrainConfig(n_epochs=2, batch_size=4, seed=seed, keep_models=0)
        train(season(), folder=tmp_path / name, config=config, on_metrics=metrics.append)
        seen[name] = [m.train_loss for m in metrics]
    assert seen["a"] == seen["b"] != seen["c"]


def test_the_losses_of_a_seed_are_those_of_earlier_versions(tmp_path: Path) -> None:
    losses: list[float] = []
    config = TrainConfig(n_epochs=4, batch_size=4, seed=7, keep_models=0)
    train(season(), folder=tmp_path, config=config, on_metrics=lambda metrics: losses.append(metrics.train_loss))
    # Recorded with the first version. Other builds of BLAS differ in the last digits.
    assert [losses[step] for step in (0, 10, 20, 30)] == pytest.approx(EARLIER_LOSSES, rel=1e-3)


def test_metrics_count_steps_and_evaluations_have_validation_figures(tmp_path: Path) -> None:
    metrics: list[StepMetrics] = []
    result = train(season(), folder=tmp_path, validation=season()[:5], config=SHORT, on_metrics=metrics.append)
    assert [m.step for m in metrics] == list(range(1, result.state.step + 1))
    assert metrics[-1].total_steps == metrics[0].total_steps == result.state.step
    evaluated = [m for m in metrics if m.valid_exact is not None]
    assert [m.epoch for m in evaluated] == [2, 4, 6]
    assert result.state.valid_loss == evaluated[-1].valid_loss
    kept = [m.model for m in metrics if m.model is not None]
    assert ask(kept[-1], "Which pod does Ada Brill fly?") is not None
    assert not kept[0].exists(), "only the newest is kept"


def test_auto_epochs_end_after_the_validation_score_has_stopped_rising(tmp_path: Path) -> None:
    config = TrainConfig(batch_size=8, keep_models=0)
    result = train(season(), folder=tmp_path, validation=season(), config=config)
    planned: list[StepMetrics] = []
    train(season(), folder=tmp_path / "all", config=config, on_metrics=planned.append, should_stop=lambda: True)
    assert result.state.step < planned[0].total_steps
    assert result.resolved["n_epochs"] == result.state.epoch
    assert result.state.valid_exact == 1.0


def test_continued_training_keeps_old_facts_and_replaces_repeated_questions(trained: Path, tmp_path: Path) -> None:
    new = [
        row(f"{asked} Ed Fox {end}", "Ed Fox flies The Pink Moth.")
        for asked, end in (("Which pod does", "fly?"), ("Name the pod of", ""))
    ]
    new.append(row("How old is Bo Carr?", "Bo Carr is ninety."))
    result = train(new, folder=tmp_path, config=TrainConfig(n_epochs=30, batch_size=4, base=trained))
    assert result.model is not None
    assert ask(result.model, "Which pod does Ed Fox fly?") == "Ed Fox flies The Pink Moth."
    assert ask(result.model, "Which pod does Ada Brill fly?") == "Ada Brill flies The Red Kite."
    assert ask(result.model, "How old is Bo Carr?") == "Bo Carr is ninety."
    assert len(checkpoint.load_model(result.model).rows) == len(season()) + 2


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "1 to"),
        ([row("Who?", "!!!")], "example 1"),
        ([row("Who?", "word " * 129)], "129 words"),
        ([{"messages": [{"role": "assistant", "content": "Hello."}]}], "user message"),
    ],
)
def test_rows_that_cannot_be_trained_are_refused_with_a_sentence(
    tmp_path: Path, rows: list[dict[str, Any]], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        train(rows, folder=tmp_path)


@pytest.mark.parametrize(
    "wrong", [{"n_epochs": 0}, {"batch_size": 1.5}, {"learning_rate_multiplier": 99}, {"n_epochs": True}]
)
def test_hyperparameters_out_of_range_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        TrainConfig(**wrong)


def test_a_checkpoint_of_other_rows_is_refused(tmp_path: Path) -> None:
    train(season(), folder=tmp_path, config=SHORT, should_stop=lambda: True)
    with pytest.raises(StorageError, match="other examples"):
        train(season()[1:], folder=tmp_path, config=SHORT)


def test_a_full_disk_is_an_error_and_keeps_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(season(), folder=tmp_path, config=SHORT, should_stop=lambda: True)
    before = sorted(path.name for path in tmp_path.iterdir())
    real = os.fsync

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FewshotError, match="No space left on device"):
        train(season(), folder=tmp_path, config=SHORT)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    monkeypatch.setattr(os, "fsync", real)
    assert train(season(), folder=tmp_path, config=SHORT).model is not None


def to_format_1(model: Path, folder: Path) -> None:
    """Copy a model under the names of format 1."""
    saved = checkpoint.load_model(model)
    parts = {new: old for old, new in checkpoint._WEIGHTS_1.items()} | {"wte": "words", "wpe": "places"}
    sizes = {old: getattr(saved.config, new) for old, new in checkpoint._SIZES_1.items()}
    checkpoint.save_model(folder, saved.config, saved.weights, saved.vocab, saved.rows, {})
    names = {name: name.removeprefix("h.") for name in saved.weights}
    for name in names:
        layer, _, part = names[name].partition(".") if "." in name else ("", "", name)
        names[name] = f"{layer}.{parts[part]}" if layer else parts[part]
    data = checkpoint._npz({names[name]: array for name, array in saved.weights.items()})
    (folder / "weights.npz").write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["files"]["weights.npz"] = checkpoint.sha256(data)
    manifest |= {"format": 1, "shape": sizes}
    del manifest["gpt_config"]
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def test_a_model_of_format_1_answers_and_can_be_continued(trained: Path, tmp_path: Path) -> None:
    to_format_1(trained, tmp_path / "old")
    assert ask(tmp_path / "old", "Which pod does Ada Brill fly?") == "Ada Brill flies The Red Kite."
    models = []
    for name, base in (("old", tmp_path / "old"), ("new", trained)):
        config = TrainConfig(n_epochs=2, batch_size=4, base=base)
        models.append(train(season()[:4], folder=tmp_path / f"from_{name}", config=config).model)
    first, second = (checkpoint.load_model(model).weights for model in models if model is not None)
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_a_checkpoint_of_format_1_is_ignored(tmp_path: Path) -> None:
    whole = train(season(), folder=tmp_path / "whole", config=SHORT)
    train(season(), folder=tmp_path / "old", config=SHORT, should_stop=lambda: True)
    state = json.loads((tmp_path / "old" / "state.json").read_bytes())
    del state["format"]
    (tmp_path / "old" / "state.json").write_text(json.dumps(state), encoding="utf-8")
    again = train(season(), folder=tmp_path / "old", config=SHORT)
    assert again.state == whole.state


@pytest.mark.parametrize("name", ["weights.npz", "words.json", "rows.jsonl", "manifest.json"])
def test_a_damaged_model_is_refused(trained: Path, tmp_path: Path, name: str) -> None:
    for path in trained.iterdir():
        data = path.read_bytes()
        (tmp_path / path.name).write_bytes(data[: len(data) // 2] if path.name == name else data)
    with pytest.raises(StorageError):
        load(tmp_path)
