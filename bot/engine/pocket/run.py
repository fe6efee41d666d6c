"""A run of training: what it is made from, how it is put down on disk and taken up again."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from bot.core.errors import InputError, StorageError
from bot.engine.pocket import store
from bot.engine.pocket.config import MAX_EPOCHS, MAX_ROWS, Config, Result, Row
from bot.engine.pocket.data import Corpus, Pair, Recipe, batches, encode_question, pair_of
from bot.engine.pocket.model import Batch, Shape, Weights, new_weights
from bot.engine.pocket.optimizer import Optimizer
from bot.engine.pocket.words import SPECIAL, Vocabulary, words_of

VALID_BATCH = 64


@dataclass
class Progress:
    """Where a run stands: all of it goes into a checkpoint, and none of it anywhere else."""

    step: int = 0
    epoch: int = 0
    """Epochs that are complete."""
    within: int = 0
    """Steps of the epoch that is not."""
    slow_from: int = 0
    """The epoch from which the rate falls."""
    epochs: int = 0
    """The epoch at which it has fallen to nothing, and the run ends."""
    best: float = -1.0
    """The best validation score, and the evaluations since."""
    since: int = 0
    loss_sum: float = 0.0
    loss_steps: int = 0
    words: int = 0
    valid_loss: float | None = None
    valid_exact: float | None = None


@dataclass
class Run:
    """What a run works with; made anew from the same arguments whenever it goes on."""

    config: Config
    shape: Shape
    vocabulary: Vocabulary
    corpus: Corpus
    valid: list[Batch]
    rows: list[Row]
    weights: Weights
    identity: str
    batch_size: int
    speed: float
    """What the learning rates are multiplied by."""
    optimizer: Optimizer
    progress: Progress = field(default_factory=Progress)


def prepare(rows: Sequence[Row], validation: Sequence[Row], config: Config) -> Run:
    """Everything a run needs, from its arguments alone."""
    if not rows or len(rows) > MAX_ROWS:
        raise InputError(f"The pocket GPT trains on 1 to {MAX_ROWS:,} examples; these are {len(rows):,}.")
    known: Sequence[str] = SPECIAL
    older: list[Row] = []
    rng = np.random.default_rng([config.seed, MAX_ROWS])
    if config.base:
        base_shape, base_weights, known, older, _ = store.load_model(config.base)
    kept = replay(older if config.replay else [], rows)
    pairs = [pair_of(row) for row in kept]
    vocabulary = Vocabulary.learnt((text for pair in pairs for text in pair), known)
    if config.base:
        shape = replace(base_shape, words=len(vocabulary))
        weights = new_weights(shape, rng)
        weights["words"][: len(known)] = base_weights.pop("words")
        weights |= base_weights
    else:
        shape = Shape(words=len(vocabulary))
        weights = new_weights(shape, rng)
    corpus = Corpus(pairs, vocabulary, shape, Recipe())
    data = store.as_lines(kept) + b"\n" + store.as_lines(validation)
    size = config.batch_size if config.batch_size != "auto" else auto_batch(len(kept))
    speed = config.learning_rate_multiplier if config.learning_rate_multiplier != "auto" else 1.0
    run = Run(
        config=config,
        shape=shape,
        vocabulary=vocabulary,
        corpus=corpus,
        valid=as_batches([pair_of(row) for row in validation], vocabulary, shape),
        rows=kept,
        weights=weights,
        identity=store.digest(data + repr(sorted(config.identity().items())).encode()),
        batch_size=size,
        speed=speed,
        optimizer=Optimizer(weights),
    )
    epochs = config.n_epochs if config.n_epochs != "auto" else auto_epochs(corpus.steps(size))
    run.progress = Progress(epochs=epochs, slow_from=epochs // 2)
    return run


def auto_batch(rows: int) -> int:
    """Rows a step: the more rows there are, the less a step may count, from 4 for a few to 64 for thousands."""
    return next((size for size, least in ((64, 1500), (32, 600), (16, 200), (8, 80)) if rows >= least), 4)


def auto_epochs(steps: int) -> int:
    """The most epochs that `auto` takes: about 1,200 steps of them, but 26 at least and 100 at most."""
    return max(26, min(MAX_EPOCHS, 1200 // steps))


def replay(older: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """The rows of the model that is trained further, then the new ones; a question asked anew loses its old answer."""
    asked = {tuple(words_of(pair_of(row)[0])) for row in rows} if older else set()
    return [row for row in older if tuple(words_of(pair_of(row)[0])) not in asked] + list(rows)


def as_batches(pairs: Sequence[Pair], vocabulary: Vocabulary, shape: Shape) -> list[Batch]:
    """Pairs as they stand, to be scored. A word of an answer that was never trained counts as wrong."""
    shown = [(encode_question(question, vocabulary, shape), i) for i, (question, _) in enumerate(pairs)]
    answers = [vocabulary.encode(answer)[: shape.answer] for _, answer in pairs]
    return batches(shown, answers, VALID_BATCH)


def restore(run: Run, folder: Path) -> None:
    """Goes on from the checkpoint in `folder`, if there is one."""
    found = store.load_state(folder)
    if found is None:
        return
    arrays, facts = found
    if facts["identity"] != run.identity:
        raise StorageError("The checkpoint in this folder belongs to other examples or settings.")
    run.progress = Progress(**facts["progress"])
    for kind, weights in state_of(run).items():
        for name in weights:
            weights[name] = arrays[f"{kind}/{name}"]


def keep(run: Run, folder: Path) -> None:
    """Writes a checkpoint."""
    arrays = {f"{kind}/{name}": array for kind, weights in state_of(run).items() for name, array in weights.items()}
    facts = {"step": run.progress.step, "identity": run.identity, "progress": vars(run.progress)}
    store.save_state(folder, arrays, facts)


def state_of(run: Run) -> dict[str, Weights]:
    """All the arrays that a checkpoint holds."""
    return {"weights": run.weights, "mean": run.optimizer.mean, "square": run.optimizer.square}


def resolved(run: Run) -> dict[str, float]:
    """The hyperparameters with every `auto` replaced."""
    return {
        "n_epochs": run.progress.epochs,
        "batch_size": run.batch_size,
        "learning_rate_multiplier": run.speed,
    }


def about(run: Run) -> dict[str, Any]:
    """What a model's manifest says of its making."""
    return {
        "config": run.config.identity(),
        "resolved": resolved(run),
        "step": run.progress.step,
        "data": run.identity,
        "valid_loss": run.progress.valid_loss,
        "valid_exact": run.progress.valid_exact,
    }


def report(run: Run, model: Path | None) -> Result:
    """The run as a result."""
    at = run.progress
    return Result(
        model=model,
        steps=at.step,
        epochs=at.epoch,
        train_loss=at.loss_sum / max(at.loss_steps, 1),
        valid_loss=at.valid_loss,
        valid_exact=at.valid_exact,
        trained_words=at.words,
        resolved=resolved(run),
    )
