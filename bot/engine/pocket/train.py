"""Trains a pocket GPT: one loop from rows to a model. It can be stopped at any step and resumed with the same result.

The learning rate rises, stays at its full value until the validation score stops rising (or for half of the epochs,
where their number is given), and then falls to zero. Most of the accuracy is gained while it falls.

The augmentation of an epoch depends only on the seed and the epoch's number. So a checkpoint holds no state of a
random generator: a resumed run draws the epoch again and skips the batches before the checkpoint.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from bot.core.errors import InputError, StorageError
from bot.engine.pocket import checkpoint
from bot.engine.pocket.config import MAX_EPOCHS, MAX_ROWS, Row, StepMetrics, TrainConfig, TrainResult, TrainState
from bot.engine.pocket.data import (
    AugmentConfig,
    Pair,
    TrainingData,
    encode_question,
    make_batches,
    question_and_answer,
)
from bot.engine.pocket.model import (
    IGNORE_INDEX,
    Batch,
    GPTConfig,
    Weights,
    backward,
    cross_entropy,
    forward,
    init_weights,
)
from bot.engine.pocket.optimizer import Optimizer
from bot.engine.pocket.tokenizer import SPECIAL, Tokenizer, words_of

WARMUP_STEPS = 50
EVAL_EPOCHS = 2
"""Epochs between evaluations."""
PATIENCE = 3
"""Evaluations without a better score after which the learning rate falls."""
VALID_BATCH = 64

log = logging.getLogger(__name__)


@dataclass
class Run:
    """The parts of a run, rebuilt from equal arguments whenever it is resumed."""

    config: TrainConfig
    gpt_config: GPTConfig
    tokenizer: Tokenizer
    rows: list[Row]
    data: TrainingData
    valid: list[Batch]
    identity: str
    """A hash of the rows and the settings."""
    batch_size: int
    lr_multiplier: float
    weights: Weights
    state: TrainState
    optimizer: Optimizer = field(init=False)

    def __post_init__(self) -> None:
        self.optimizer = Optimizer(self.weights)

    @property
    def resolved(self) -> dict[str, float]:
        """The hyperparameters with every `auto` replaced by its value."""
        return {
            "n_epochs": self.state.n_epochs,
            "batch_size": self.batch_size,
            "learning_rate_multiplier": self.lr_multiplier,
        }


def train(
    rows: Sequence[Row],
    *,
    folder: Path,
    validation: Sequence[Row] = (),
    config: TrainConfig | None = None,
    on_metrics: Callable[[StepMetrics], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> TrainResult:
    """Trains a model and saves it in `folder/model`, or resumes from the checkpoint in `folder`.

    `on_metrics` and `should_stop` are called after every step. When `should_stop` returns true, a checkpoint is
    written and the result has no model. Raises `InputError` for rows that cannot be trained, and `StorageError` when
    something cannot be written or the checkpoint belongs to other rows or settings.
    """
    run = setup(rows, validation, config or TrainConfig())
    resume(run, folder)
    state, saved = run.state, time.monotonic()
    parameters = sum(array.size for array in run.weights.values())
    log.info(
        "Training %s parameters on %s rows from step %s: %s, data %s",
        *(parameters, len(run.rows), state.step, run.config.identity() | run.resolved, run.identity),
    )
    while state.epoch < state.n_epochs:
        batches = run.data.epoch(run.batch_size, np.random.default_rng([run.config.seed, state.epoch]))
        if state.epoch_step == 0:
            state.loss_sum, state.loss_steps = 0.0, 0
        for batch in batches[state.epoch_step :]:
            loss, accuracy = train_step(run, batch, run.lr_multiplier * lr_schedule(state, len(batches)))
            state.step, state.epoch_step = state.step + 1, state.epoch_step + 1
            state.loss_sum, state.loss_steps = state.loss_sum + loss, state.loss_steps + 1
            state.trained_tokens += int(np.count_nonzero(batch.question) + np.count_nonzero(batch.answer))
            metrics = StepMetrics(state.step, 0, state.epoch + 1, loss, accuracy)
            if state.epoch_step == len(batches):
                state.epoch, state.epoch_step = state.epoch + 1, 0
                metrics = evaluate_epoch(run, folder, metrics)
            steps_left = (state.n_epochs - state.epoch) * len(batches) - state.epoch_step
            on_metrics(replace(metrics, total_steps=state.step + steps_left))
            stop = should_stop()
            if stop or time.monotonic() - saved > run.config.checkpoint_seconds:
                save_checkpoint(run, folder)
                saved = time.monotonic()
            if stop:
                return TrainResult(None, state, run.resolved)
    model = save_model(run, folder / "model")
    checkpoint.delete_checkpoint(folder)
    return TrainResult(model, state, run.resolved)


def setup(rows: Sequence[Row], validation: Sequence[Row], config: TrainConfig) -> Run:
    """Resolves the settings and builds tokenizer, data and initial weights. Equal arguments give an equal run."""
    if not rows or len(rows) > MAX_ROWS:
        raise InputError(f"The pocket GPT trains on 1 to {MAX_ROWS:,} examples; these are {len(rows):,}.")
    base = checkpoint.load_model(config.base) if config.base else None
    kept = merge_replay(base.rows if base and config.replay else [], rows)
    pairs = [question_and_answer(row) for row in kept]
    tokenizer = Tokenizer.train((text for pair in pairs for text in pair), base.vocab if base else SPECIAL)
    gpt_config = replace(base.config, vocab_size=len(tokenizer)) if base else GPTConfig(vocab_size=len(tokenizer))
    weights = init_weights(gpt_config, np.random.default_rng([config.seed, MAX_ROWS]))
    if base:
        weights["wte"][: len(base.vocab)] = base.weights.pop("wte")  # new words keep their random embeddings
        weights |= base.weights
    data = TrainingData(pairs, tokenizer, gpt_config, AugmentConfig())
    batch_size = config.batch_size if config.batch_size != "auto" else auto_batch_size(len(kept))
    n_epochs = config.n_epochs if config.n_epochs != "auto" else auto_epochs(data.steps_per_epoch(batch_size))
    hashed = checkpoint.to_jsonl(kept) + b"\n" + checkpoint.to_jsonl(validation)
    return Run(
        config=config,
        gpt_config=gpt_config,
        tokenizer=tokenizer,
        rows=kept,
        data=data,
        valid=validation_batches([question_and_answer(row) for row in validation], tokenizer, gpt_config),
        identity=checkpoint.sha256(hashed + repr(sorted(config.identity().items())).encode()),
        batch_size=batch_size,
        lr_multiplier=config.learning_rate_multiplier if config.learning_rate_multiplier != "auto" else 1.0,
        weights=weights,
        state=TrainState(n_epochs=n_epochs, decay_from=n_epochs // 2),
    )


def merge_replay(older: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """The base model's rows, then the new ones. Of a question in both, only the new rows are kept."""
    asked = {tuple(words_of(question_and_answer(row)[0])) for row in rows} if older else set()
    return [row for row in older if tuple(words_of(question_and_answer(row)[0])) not in asked] + list(rows)


def auto_batch_size(rows: int) -> int:
    """The batch size of `auto`: from 4 for fewer than 80 rows to 64 for 1,500 and more."""
    return next((size for size, least in ((64, 1500), (32, 600), (16, 200), (8, 80)) if rows >= least), 4)


def auto_epochs(steps_per_epoch: int) -> int:
    """The most epochs of `auto`: about 1,200 steps of them, but at least 26 and at most 100."""
    return max(26, min(MAX_EPOCHS, 1200 // steps_per_epoch))


def validation_batches(pairs: Sequence[Pair], tokenizer: Tokenizer, config: GPTConfig) -> list[Batch]:
    """Batches without augmentation. A word of an answer that was never trained counts as wrong."""
    examples = [(encode_question(question, tokenizer, config), i) for i, (question, _) in enumerate(pairs)]
    answers = [tokenizer.encode(answer)[: config.max_answer] for _, answer in pairs]
    return make_batches(examples, answers, VALID_BATCH)


def lr_schedule(state: TrainState, steps_per_epoch: int) -> float:
    """The factor of the learning rate at this step, from 0 to 1: linear warm-up, constant, linear decay to zero."""
    decay = (state.n_epochs - state.epoch - state.epoch_step / steps_per_epoch) / max(
        state.n_epochs - state.decay_from, 1
    )
    return min(1.0, (state.step + 1) / WARMUP_STEPS, decay)


def train_step(run: Run, batch: Batch, lr_scale: float) -> tuple[float, float]:
    """Updates the weights once. Returns the batch's loss and accuracy before the update."""
    logits, cache = forward(run.weights, run.gpt_config, batch.question, batch.answer)
    loss, dlogits, correct = cross_entropy(logits, batch.target)
    grads = backward(run.weights, run.gpt_config, dlogits, cache)
    run.optimizer.step(run.weights, grads, lr_scale, run.state.step + 1)
    return loss, float(correct.sum() / np.count_nonzero(batch.target != IGNORE_INDEX))


def evaluate(weights: Weights, config: GPTConfig, batches: Sequence[Batch]) -> tuple[float, float, float]:
    """Loss and accuracy per token, and the share of answers whose tokens are all right.

    Each token is predicted from the right tokens before it. An answer that is all right this way is also what
    greedy generation writes, and one forward pass is enough.
    """
    loss_sum, correct_tokens, tokens, correct_answers, answers = 0.0, 0, 0, 0, 0
    for batch in batches:
        logits, _ = forward(weights, config, batch.question, batch.answer)
        loss, _, correct = cross_entropy(logits, batch.target)
        lengths = (batch.target != IGNORE_INDEX).sum(axis=1)
        loss_sum, correct_tokens = loss_sum + loss * int(lengths.sum()), correct_tokens + int(correct.sum())
        tokens, answers = tokens + int(lengths.sum()), answers + len(lengths)
        correct_answers += int((correct.sum(axis=1) == lengths).sum())
    return loss_sum / tokens, correct_tokens / tokens, correct_answers / answers


def evaluate_epoch(run: Run, folder: Path, metrics: StepMetrics) -> StepMetrics:
    """After every second epoch and the last: adds validation figures, decides about the decay, saves a model."""
    state = run.state
    if state.epoch % EVAL_EPOCHS and state.epoch != state.n_epochs:
        return metrics
    if run.valid:
        state.valid_loss, accuracy, state.valid_exact = evaluate(run.weights, run.gpt_config, run.valid)
        metrics = replace(metrics, valid_loss=state.valid_loss, valid_accuracy=accuracy, valid_exact=state.valid_exact)
        update_schedule(run, state.valid_exact)
    if run.config.keep_models and state.epoch < state.n_epochs:
        metrics = replace(metrics, model=save_model(run, folder / "steps" / f"{state.step:06d}"))
        checkpoint.prune_models(folder / "steps", run.config.keep_models)
    return metrics


def update_schedule(run: Run, exact: float) -> None:
    """With `n_epochs="auto"`, starts the decay once the score has stopped rising. It takes half as many epochs as
    the constant part, at least four."""
    state = run.state
    state.evals_since_best = 0 if exact > state.best_exact else state.evals_since_best + 1
    state.best_exact = max(state.best_exact, exact)
    finished = state.evals_since_best >= PATIENCE or state.best_exact == 1.0
    if run.config.n_epochs == "auto" and state.epoch < state.decay_from and finished:
        state.decay_from, state.n_epochs = state.epoch, state.epoch + max(4, state.epoch // 2)


def save_model(run: Run, folder: Path) -> Path:
    """Saves the weights as a usable model."""
    training = {
        "config": run.config.identity(),
        "resolved": run.resolved,
        "step": run.state.step,
        "data": run.identity,
        "valid_loss": run.state.valid_loss,
        "valid_exact": run.state.valid_exact,
    }
    return checkpoint.save_model(folder, run.gpt_config, run.weights, run.tokenizer.vocab, run.rows, training)


def arrays_of(run: Run) -> dict[str, Weights]:
    """All the arrays of a checkpoint."""
    return {"weights": run.weights, "exp_avg": run.optimizer.exp_avg, "exp_avg_sq": run.optimizer.exp_avg_sq}


def save_checkpoint(run: Run, folder: Path) -> None:
    """Writes what `resume` reads."""
    arrays = {f"{kind}/{name}": array for kind, weights in arrays_of(run).items() for name, array in weights.items()}
    state: dict[str, Any] = {"step": run.state.step, "identity": run.identity, "state": vars(run.state)}
    checkpoint.save_checkpoint(folder, arrays, state)


def resume(run: Run, folder: Path) -> None:
    """Continues from the checkpoint in `folder`, if there is one. Raises `StorageError` if it is another run's."""
    found = checkpoint.load_checkpoint(folder)
    if found is None:
        return
    arrays, facts = found
    if facts["identity"] != run.identity:
        raise StorageError("The checkpoint in this folder belongs to other examples or settings.")
    run.state = TrainState(**facts["state"])
    for kind, weights in arrays_of(run).items():
        for name in weights:
            weights[name] = arrays[f"{kind}/{name}"]
