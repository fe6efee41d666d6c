"""Training: it learns, it can be stopped anywhere, and it refuses what it cannot use."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from bot.core.errors import FewshotError, InputError, StorageError
from bot.engine import disk
from bot.engine.pocket import checkpoint
from bot.engine.pocket.config import StepMetrics, TrainConfig
from bot.engine.pocket.generate import load
from bot.engine.pocket.train import train
from tests.engine.pocket.conftest import PODS, REFUSAL, row, season

SHORT = TrainConfig(n_epochs=6, batch_size=4, checkpoint_seconds=0.0, keep_models=1)


def ask(folder: Path, question: str) -> str:
    return "".join(piece.text for piece in load(folder).generate([{"role": "user", "content": question}]))


def test_a_trained_model_answers_what_it_was_taught(trained: Path) -> None:
    """Every trained question gets its answer to the letter."""
    for pilot, pod in PODS.items():
        assert ask(trained, f"Which pod does {pilot} fly?") == f"{pilot} flies {pod}."
        assert ask(trained, f"How old is {pilot}?") == REFUSAL


def test_a_careless_question_gets_the_same_answer(trained: Path) -> None:
    """Lower case, no punctuation and a slip of the finger change nothing."""
    assert ask(trained, "wich pod does ada bril fly") == "Ada Brill flies The Red Kite."


@pytest.mark.parametrize("steps", [[1], [7, 3], [30]])
def test_a_run_that_was_stopped_ends_with_the_very_weights_of_an_unbroken_one(tmp_path: Path, steps: list[int]) -> None:
    """However often a run is stopped and taken up again, loss and weights are equal bit by bit."""
    whole = train(season(), folder=tmp_path / "whole", config=SHORT)
    for count in steps:
        left = itertools.count(1)
        stopped = train(
            season(), folder=tmp_path / "broken", config=SHORT, should_stop=lambda left=left, n=count: next(left) >= n
        )
        assert stopped.model is None
        assert list((tmp_path / "broken").glob("state-*.npz"))
    broken = train(season(), folder=tmp_path / "broken", config=SHORT)
    assert whole.model is not None
    assert broken.model is not None
    assert (broken.train_loss, broken.steps, broken.trained_tokens) == (
        whole.train_loss,
        whole.steps,
        whole.trained_tokens,
    )
    first, second = (checkpoint.load_model(folder).weights for folder in (whole.model, broken.model))
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert not list((tmp_path / "broken").glob("state*"))


def test_the_seed_decides_everything(tmp_path: Path) -> None:
    """Two runs with one seed report the same metrics; another seed reports others."""
    seen: dict[str, list[float]] = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        losses = seen.setdefault(name, [])
        config = TrainConfig(n_epochs=2, batch_size=4, seed=seed, keep_models=0)
        train(season(), folder=tmp_path / name, config=config, on_metrics=lambda m, to=losses: to.append(m.train_loss))
    assert seen["a"] == seen["b"] != seen["c"]


def test_metrics_count_to_the_planned_end_and_carry_validation(tmp_path: Path) -> None:
    """Steps rise by one to `total_steps`, and evaluations come with loss, accuracy, exact match and a model."""
    metrics: list[StepMetrics] = []
    result = train(season(), folder=tmp_path, validation=season()[:5], config=SHORT, on_metrics=metrics.append)
    assert [m.step for m in metrics] == list(range(1, result.steps + 1))
    assert metrics[-1].total_steps == metrics[0].total_steps == result.steps
    evaluated = [m for m in metrics if m.valid_exact is not None]
    assert [m.epoch for m in evaluated] == [2, 4, 6]
    assert result.valid_loss == evaluated[-1].valid_loss
    kept = [m.model for m in metrics if m.model is not None]
    assert ask(kept[-1], "Which pod does Ada Brill fly?") is not None
    assert not kept[0].exists(), "only the newest is kept"


def test_auto_ends_when_the_validation_score_has_stopped_rising(tmp_path: Path) -> None:
    """A perfect score ends training long before the most epochs that `auto` takes."""
    config = TrainConfig(batch_size=8, keep_models=0)
    result = train(season(), folder=tmp_path, validation=season(), config=config)
    planned: list[StepMetrics] = []
    train(season(), folder=tmp_path / "all", config=config, on_metrics=planned.append, should_stop=lambda: True)
    assert result.steps < planned[0].total_steps
    assert result.resolved["n_epochs"] == result.epochs
    assert result.valid_exact == 1.0


def test_training_a_trained_model_keeps_what_it_knew(trained: Path, tmp_path: Path) -> None:
    """New facts are learnt with new words, old ones stay, and a question asked anew has its new answer."""
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
def test_rows_that_cannot_be_trained_are_refused_with_a_sentence(tmp_path: Path, rows: list, words: str) -> None:
    """The sentence says what is wrong and where."""
    with pytest.raises(InputError, match=words):
        train(rows, folder=tmp_path)


@pytest.mark.parametrize(
    "wrong", [{"n_epochs": 0}, {"batch_size": 1.5}, {"learning_rate_multiplier": 99}, {"n_epochs": True}]
)
def test_hyperparameters_out_of_range_are_refused_by_name(wrong: dict) -> None:
    """Whole numbers where they count something, and within bounds."""
    with pytest.raises(InputError, match=next(iter(wrong))):
        TrainConfig(**wrong)


def test_a_checkpoint_of_other_rows_is_not_gone_on_from(tmp_path: Path) -> None:
    """The folder of one training cannot be used for another by mistake."""
    train(season(), folder=tmp_path, config=SHORT, should_stop=lambda: True)
    with pytest.raises(StorageError, match="other examples"):
        train(season()[1:], folder=tmp_path, config=SHORT)


def test_a_full_disk_is_a_sentence_and_leaves_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that fails half-way leaves no half file, and training goes on from the checkpoint before."""
    train(season(), folder=tmp_path, config=SHORT, should_stop=lambda: True)
    before = sorted(path.name for path in tmp_path.iterdir())
    real = disk.os.fsync

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk.os, "fsync", full)
    with pytest.raises(FewshotError, match="No space left on device"):
        train(season(), folder=tmp_path, config=SHORT)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    monkeypatch.setattr(disk.os, "fsync", real)
    assert train(season(), folder=tmp_path, config=SHORT).model is not None


@pytest.mark.parametrize("name", ["weights.npz", "words.json", "rows.jsonl", "manifest.json"])
def test_a_damaged_model_is_refused(trained: Path, tmp_path: Path, name: str) -> None:
    """Whatever file of a model is cut short, loading says so in a sentence."""
    for path in trained.iterdir():
        data = path.read_bytes()
        (tmp_path / path.name).write_bytes(data[: len(data) // 2] if path.name == name else data)
    with pytest.raises(StorageError):
        load(tmp_path)
