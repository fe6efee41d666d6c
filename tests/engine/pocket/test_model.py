"""The transformer: its gradients are those of its loss."""

import numpy as np
import pytest

from bot.engine.pocket.model import ANSWER, NO_TARGET, PAD, Shape, backward, forward, loss_of, new_weights

SHAPE = Shape(words=11, width=8, heads=2, layers=2, question=4, answer=4)
QUESTION = np.array([[PAD, 5, 6, 7], [8, 9, 1, 10]])
SAID = np.array([[ANSWER, 5, 6], [ANSWER, 7, PAD]])
TARGET = np.array([[5, 6, 3], [7, 3, NO_TARGET]])


@pytest.mark.parametrize(
    "name", ["words", "places", *(f"{i}.{p}" for i in (0, 1) for p in ("qkv", "mix", "up", "down"))]
)
def test_gradients_equal_finite_differences(name: str) -> None:
    """Every weight, moved by a hair, changes the loss as its gradient says, to one part in a million."""
    weights = {k: w.astype(np.float64) * 3 for k, w in new_weights(SHAPE, np.random.default_rng(1)).items()}

    def loss() -> float:
        return loss_of(forward(weights, SHAPE, QUESTION, SAID)[0], TARGET)[0]

    scores, trace = forward(weights, SHAPE, QUESTION, SAID)
    found = backward(weights, SHAPE, loss_of(scores, TARGET)[1], trace)[name]
    expected = np.zeros_like(found)
    for at in np.ndindex(*found.shape):
        kept, hair = weights[name][at], 1e-5
        weights[name][at] = kept + hair
        above = loss()
        weights[name][at] = kept - hair
        expected[at] = (above - loss()) / (2 * hair)
        weights[name][at] = kept
    assert np.abs(expected).max() > 1e-4
    assert np.abs(found - expected).max() / np.abs(expected).max() < 1e-6


def test_padding_changes_nothing() -> None:
    """A question has the same scores whatever length the others of its batch have."""
    weights = new_weights(SHAPE, np.random.default_rng(1))
    alone, _ = forward(weights, SHAPE, QUESTION[:1, 1:], SAID[:1])
    padded, _ = forward(weights, SHAPE, QUESTION[:1], SAID[:1])
    assert np.allclose(alone, padded, atol=1e-6)


def test_a_word_never_sees_what_follows_it() -> None:
    """Changing a later word of the answer leaves the scores before it as they were."""
    weights = new_weights(SHAPE, np.random.default_rng(1))
    one, _ = forward(weights, SHAPE, QUESTION, SAID)
    other, _ = forward(weights, SHAPE, QUESTION, np.array([[ANSWER, 5, 9], [ANSWER, 7, 9]]))
    assert np.array_equal(one[:, :2], other[:, :2])
    assert not np.array_equal(one[:, 2], other[:, 2])
