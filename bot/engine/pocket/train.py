"""Training: one flat loop from rows to a model, which can be stopped anywhere and goes on as if it had not.

The weights walk at full speed until the validation score stops rising (or for half of the epochs, where their
number is given), then slow down to a halt: most of what is won is won while slowing down.

An epoch's draws come from the seed and the epoch's number alone. So a checkpoint holds no state of a
random generator: the epoch is drawn again, and its batches up to the checkpoint are left out.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bot.engine.pocket import store
from bot.engine.pocket.config import Config, Metrics, Result, Row
from bot.engine.pocket.model import NO_TARGET, Batch, Shape, Weights, backward, forward, loss_of
from bot.engine.pocket.run import Progress, Run, about, keep, prepare, report, restore

WARM_UP = 50
"""Steps in which the rate rises from nothing."""
EVERY, PATIENCE = 2, 3
"""Epochs between evaluations; evaluations without a rise that end the walk at full speed."""


def train(
    rows: Sequence[Row],
    *,
    folder: Path,
    validation: Sequence[Row] = (),
    config: Config | None = None,
    on_metrics: Callable[[Metrics], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Result:
    """Trains a model in `folder` and returns where it lies (`folder/model`), or goes on where it stopped.

    `on_metrics` is called after every step; `should_stop` too, and when it says so a checkpoint is written
    and the result has no model. Raises `InputError` for rows that cannot be trained and `StorageError`
    when something cannot be written or the folder's checkpoint belongs to other rows or settings.
    """
    run = prepare(rows, validation, config or Config())
    restore(run, folder)
    at, saved = run.progress, time.monotonic()
    while at.epoch < at.epochs:
        shown = run.corpus.epoch(run.batch_size, np.random.default_rng([run.config.seed, at.epoch]))
        if at.within == 0:
            at.loss_sum, at.loss_steps = 0.0, 0
        for batch in shown[at.within :]:
            loss, right = learn(run, batch, run.speed * pace(at, len(shown)))
            at.step, at.within = at.step + 1, at.within + 1
            at.loss_sum, at.loss_steps = at.loss_sum + loss, at.loss_steps + 1
            at.words += int(np.count_nonzero(batch.question) + np.count_nonzero(batch.answer))
            metrics = Metrics(at.step, 0, at.epoch + 1, loss, right)
            if at.within == len(shown):
                at.epoch, at.within = at.epoch + 1, 0
                metrics = assess(run, folder, metrics)
            left = (at.epochs - at.epoch) * len(shown) - at.within
            on_metrics(replace(metrics, total_steps=at.step + left))
            stop = should_stop()
            if stop or time.monotonic() - saved > run.config.checkpoint_seconds:
                keep(run, folder)
                saved = time.monotonic()
            if stop:
                return report(run, None)
    model = store.save_model(folder / "model", run.shape, run.weights, run.vocabulary.words, run.rows, about(run))
    store.clear_state(folder)
    return report(run, model)


def pace(at: Progress, steps: int) -> float:
    """The share of the full rate at this step: it rises, stays, and falls to nothing at the last epoch."""
    falling = (at.epochs - at.epoch - at.within / steps) / max(at.epochs - at.slow_from, 1)
    return min(1.0, (at.step + 1) / WARM_UP, falling)


def learn(run: Run, batch: Batch, share: float) -> tuple[float, float]:
    """One step at a `share` of the full rate; the batch's loss and accuracy before it."""
    scores, trace = forward(run.weights, run.shape, batch.question, batch.answer)
    loss, slope, right = loss_of(scores, batch.target)
    grads = backward(run.weights, run.shape, slope, trace)
    run.optimizer.step(run.weights, grads, share, run.progress.step + 1)
    return loss, float(right.sum() / np.count_nonzero(batch.target != NO_TARGET))


def score(weights: Weights, shape: Shape, valid: Sequence[Batch]) -> tuple[float, float, float]:
    """Loss and accuracy a word, and the share of whole answers that are right.

    An answer is right when every word is, each given the right ones before it; that is the same as
    writing it out greedily, at the price of one pass.
    """
    losses, rights, words, whole, rows = 0.0, 0, 0, 0, 0
    for batch in valid:
        scores, _ = forward(weights, shape, batch.question, batch.answer)
        loss, _, right = loss_of(scores, batch.target)
        scored = (batch.target != NO_TARGET).sum(axis=1)
        losses, rights = losses + loss * int(scored.sum()), rights + int(right.sum())
        words, rows = words + int(scored.sum()), rows + len(scored)
        whole += int((right.sum(axis=1) == scored).sum())
    return losses / words, rights / words, whole / rows


def assess(run: Run, folder: Path, metrics: Metrics) -> Metrics:
    """At the end of every second epoch: validation figures, the decision to slow down, a usable model."""
    at = run.progress
    if at.epoch % EVERY and at.epoch != at.epochs:
        return metrics
    if run.valid:
        at.valid_loss, accuracy, at.valid_exact = score(run.weights, run.shape, run.valid)
        metrics = replace(metrics, valid_loss=at.valid_loss, valid_accuracy=accuracy, valid_exact=at.valid_exact)
        slow_down(run, at.valid_exact)
    if run.config.keep_models and at.epoch < at.epochs:
        name = folder / "steps" / f"{at.step:06d}"
        store.save_model(name, run.shape, run.weights, run.vocabulary.words, run.rows, about(run))
        store.drop_models(folder / "steps", run.config.keep_models)
        metrics = replace(metrics, model=name)
    return metrics


def slow_down(run: Run, exact: float) -> None:
    """With `auto` epochs: once the score has stopped rising, the rate falls for half as long as it was full."""
    at = run.progress
    at.since = 0 if exact > at.best else at.since + 1
    at.best = max(at.best, exact)
    if run.config.n_epochs == "auto" and at.epoch < at.slow_from and (at.since >= PATIENCE or at.best == 1.0):
        at.slow_from, at.epochs = at.epoch, at.epoch + max(4, at.epoch // 2)
