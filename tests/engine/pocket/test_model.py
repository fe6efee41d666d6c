"""The transformer and its gradients."""

import numpy as np
import pytest

from bot.engine.pocket.model import (
    ANSWER,
    IGNORE_INDEX,
    PAD,
    GPTConfig,
    Weights,
    backward,
    cross_entropy,
    forward,
    init_weights,
)

CONFIG = GPTConfig(vocab_size=11, n_embd=8, n_head=2, n_layer=2, max_question=4, max_answer=4)
QUESTION = np.array([[PAD, 5, 6, 7], [8, 9, 1, 10]])
ANSWERS = np.array([[ANSWER, 5, 6], [ANSWER, 7, PAD]])
TARGET = np.array([[5, 6, 3], [7, 3, IGNORE_INDEX]])


@pytest.mark.parametrize(
    "name",
    ["wte", "wpe", *(f"h.{i}.{p}" for i in (0, 1) for p in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"))],
)
def test_gradients_equal_finite_differences(name: str) -> None:
    weights: Weights = {k: w.astype(np.float64) * 3 for k, w in init_weights(CONFIG, np.random.default_rng(1)).items()}

    def loss() -> float:
        return cross_entropy(forward(weights, CONFIG, QUESTION, ANSWERS)[0], TARGET)[0]

    logits, cache = forward(weights, CONFIG, QUESTION, ANSWERS)
    found = backward(weights, CONFIG, cross_entropy(logits, TARGET)[1], cache)[name]
    expected = np.zeros_like(found)
    for at in np.ndindex(*found.shape):
        kept, epsilon = weights[name][at], 1e-5
        weights[name][at] = kept + epsilon
        above = loss()
        weights[name][at] = kept - epsilon
        expected[at] = (above - loss()) / (2 * epsilon)
        weights[name][at] = kept
    assert np.abs(expected).max() > 1e-4
    assert np.abs(found - expected).max() / np.abs(expected).max() < 1e-6


def test_padding_does_not_change_logits() -> None:
    weights = init_weights(CONFIG, np.random.default_rng(1))
    alone, _ = forward(weights, CONFIG, QUESTION[:1, 1:], ANSWERS[:1])
    padded, _ = forward(weights, CONFIG, QUESTION[:1], ANSWERS[:1])
    assert np.allclose(alone, padded, atol=1e-6)


def test_attention_is_causal() -> None:
    weights = init_weights(CONFIG, np.random.default_rng(1))
    one, _ = forward(weights, CONFIG, QUESTION, ANSWERS)
    other, _ = forward(weights, CONFIG, QUESTION, np.array([[ANSWER, 5, 9], [ANSWER, 7, 9]]))
    assert np.array_equal(one[:, :2], other[:, :2])
    assert not np.array_equal(one[:, 2], other[:, 2])
