"""The pocket GPT itself: a small causal transformer, its forward pass and its gradients, in plain NumPy.

It reads a question and writes an answer, both as numbers of words. A batch is laid out so that every
answer begins in the same column::

    <pad> <pad> who won the naboo cup | <answer> senn kava won   | target: senn kava won <end>
    <pad> where did vix tor finish    | <answer> vix tor was ... |         vix tor was ...

Questions are aligned to the right and padded on the left, answers the other way round. Only the columns
from `<answer>` on are ever scored, so the last layer is computed for those alone: more than half
of the work is saved, and the result is the same.

The parts are GPT-2's, with three simplifications that cost nothing at this size: the norm has no gain
(RMSNorm), the perceptron uses ReLU, and there are no biases. The output layer is the embedding, turned
round. Shapes in the comments: B rows, T columns, A answer columns, H heads, D width.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Ids = NDArray[np.int64]
Weights = dict[str, Array]

PAD, UNKNOWN, ANSWER, END = range(4)
"""The first four words of every vocabulary."""
NO_TARGET = -1
"""Marks columns of the target that are not scored: the padding after an answer's end."""

_TINY = 1e-6
_HIDDEN = -1e9


@dataclass(frozen=True)
class Shape:
    """The sizes of a model. One layer, 80 wide, with 350 words has about 119,000 numbers.

    One layer is enough to look up and recombine, and learns that in half the time that two take.
    """

    words: int
    width: int = 80
    heads: int = 8
    layers: int = 1
    question: int = 48
    """The most words of a question that are read; of a longer one, the last."""
    answer: int = 128
    """The most words of an answer."""


class Batch(NamedTuple):
    """Rows as numbers: questions (B, Q), what the model sees of the answers and what it should say (B, A)."""

    question: Ids
    answer: Ids
    target: Ids


def new_weights(shape: Shape, rng: np.random.Generator) -> Weights:
    """Random weights in float32; the layers that write into the stream begin small, as in GPT-2."""
    width = shape.width

    def normal(rows: int, columns: int, spread: float) -> Array:
        return rng.normal(0.0, spread, (rows, columns)).astype(np.float32)

    weights = {
        "words": normal(shape.words, width, 0.1),
        "places": normal(shape.question + shape.answer + 1, width, 0.02),
    }
    inward, outward = width**-0.5, width**-0.5 / (2 * shape.layers) ** 0.5
    for layer in range(shape.layers):
        weights[f"{layer}.qkv"] = normal(width, 3 * width, inward)
        weights[f"{layer}.mix"] = normal(width, width, outward)
        weights[f"{layer}.up"] = normal(width, 4 * width, inward)
        weights[f"{layer}.down"] = normal(4 * width, width, outward / 2)
    return weights


def norm(x: Array) -> tuple[Array, Array]:
    """`x` with every vector scaled to a root mean square of one, and the scales for `norm_back`."""
    scale = 1.0 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + _TINY)
    return x * scale, scale


def norm_back(dy: Array, y: Array, scale: Array) -> Array:
    """The gradient at the norm's input, from that at its output `y`."""
    dx: Array = scale * (dy - y * np.mean(dy * y, axis=-1, keepdims=True))
    return dx


def split_heads(x: Array, heads: int) -> Array:
    """(B, T, D) as (B, H, T, D/H)."""
    rows, columns, width = x.shape
    return x.reshape(rows, columns, heads, width // heads).transpose(0, 2, 1, 3)


def join_heads(x: Array) -> Array:
    """(B, H, T, D/H) as (B, T, D)."""
    rows, heads, columns, width = x.shape
    return x.transpose(0, 2, 1, 3).reshape(rows, columns, heads * width)


def forward(weights: Weights, shape: Shape, question: Ids, answer: Ids) -> tuple[Array, list[Any]]:
    """Scores for every next word of the answers, (B, A, words), and the trace that `backward` needs."""
    start = question.shape[1]
    tokens = np.concatenate([question, answer], axis=1)
    columns = tokens.shape[1]
    places = slice(shape.question - start, shape.question - start + columns)
    x = weights["words"][tokens] + weights["places"][places]
    # A column sees itself, what stands before it, and no padding.
    unseen = np.triu(np.ones((columns, columns), dtype=bool), 1) | (tokens == PAD)[:, None, :]
    unseen[:, np.arange(columns), np.arange(columns)] = False  # a row of padding alone would divide by zero
    mask = np.where(unseen, x.dtype.type(_HIDDEN), x.dtype.type(0))[:, None]

    trace: list[Any] = []
    for layer in range(shape.layers):
        first = start if layer == shape.layers - 1 else 0
        x, kept = _layer(weights, shape, layer, x, mask, first)
        trace.append(kept)
    y, scale = norm(x)
    trace.append((tokens, places, y, scale))
    return y @ weights["words"].T, trace


def _layer(
    weights: Weights, shape: Shape, layer: int, x: Array, mask: Array, first: int
) -> tuple[Array, tuple[Any, ...]]:
    """Attention, then the perceptron; columns before `first` are read but not written."""
    width = shape.width
    n1, s1 = norm(x)
    qkv = weights[f"{layer}.qkv"]
    q = split_heads(n1[:, first:] @ qkv[:, :width], shape.heads)
    kv = n1 @ qkv[:, width:]
    k, v = split_heads(kv[:, :, :width], shape.heads), split_heads(kv[:, :, width:], shape.heads)
    scores = q @ k.transpose(0, 1, 3, 2) * q.dtype.type((width // shape.heads) ** -0.5) + mask[:, :, first:]
    heat = softmax(scores)
    mixed = join_heads(heat @ v)
    x = x[:, first:] + mixed @ weights[f"{layer}.mix"]
    n2, s2 = norm(x)
    up = np.maximum(n2 @ weights[f"{layer}.up"], 0)
    x = x + up @ weights[f"{layer}.down"]
    return x, (first, n1, s1, q, k, v, heat, mixed, n2, s2, up)


def softmax(scores: Array) -> Array:
    """Scores as shares that sum to one, along the last axis."""
    shares: Array = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    return shares


def loss_of(scores: Array, target: Ids) -> tuple[float, Array, NDArray[np.bool_]]:
    """Mean cross-entropy a scored word, its gradient at the scores, and which words would be said right."""
    scored = target != NO_TARGET
    shares = softmax(scores)
    rows, columns = np.nonzero(scored)
    picked = shares[rows, columns, target[rows, columns]]
    loss = float(-np.mean(np.log(np.maximum(picked, 1e-30))))
    right = (scores.argmax(axis=-1) == target) & scored
    slope = shares * scored[:, :, None]
    slope[rows, columns, target[rows, columns]] -= 1
    slope /= len(rows)
    return loss, slope, right


def backward(weights: Weights, shape: Shape, slope: Array, trace: list[Any]) -> Weights:
    """The gradient of the loss at every weight, from that at the scores."""
    tokens, places, y, scale = trace[-1]
    grads: Weights = {"words": flat(slope).T @ flat(y)}
    dx = norm_back(slope @ weights["words"], y, scale)
    for layer in reversed(range(shape.layers)):
        dx = _layer_back(weights, shape, layer, dx, trace[layer], grads)
    grads["places"] = np.zeros_like(weights["places"])
    grads["places"][places] = dx.sum(axis=0)
    add_rows(grads["words"], tokens.ravel(), flat(dx))
    return grads


def _layer_back(weights: Weights, shape: Shape, layer: int, dx: Array, kept: tuple[Any, ...], grads: Weights) -> Array:
    """The gradient at a layer's input; those of its weights go into `grads`."""
    first, n1, s1, q, k, v, heat, mixed, n2, s2, up = kept
    grads[f"{layer}.down"] = flat(up).T @ flat(dx)
    dup = (dx @ weights[f"{layer}.down"].T) * (up > 0)
    grads[f"{layer}.up"] = flat(n2).T @ flat(dup)
    dx = dx + norm_back(dup @ weights[f"{layer}.up"].T, n2, s2)

    grads[f"{layer}.mix"] = flat(mixed).T @ flat(dx)
    dmixed = split_heads(dx @ weights[f"{layer}.mix"].T, shape.heads)
    dheat = dmixed @ v.transpose(0, 1, 3, 2)
    dscores = heat * (dheat - np.sum(dheat * heat, axis=-1, keepdims=True))
    dscores *= dscores.dtype.type((shape.width // shape.heads) ** -0.5)
    width = shape.width
    dq = join_heads(dscores @ k)
    dkv = np.empty((*n1.shape[:2], 2 * width), dtype=n1.dtype)
    dkv[:, :, :width] = join_heads(dscores.transpose(0, 1, 3, 2) @ q)
    dkv[:, :, width:] = join_heads(heat.transpose(0, 1, 3, 2) @ dmixed)
    qkv = weights[f"{layer}.qkv"]
    grads[f"{layer}.qkv"] = np.concatenate([flat(n1[:, first:]).T @ flat(dq), flat(n1).T @ flat(dkv)], axis=1)
    dn1 = dkv @ qkv[:, width:].T
    dn1[:, first:] += dq @ qkv[:, :width].T
    before = norm_back(dn1, n1, s1)
    before[:, first:] += dx
    return before


def flat(x: Array) -> Array:
    """All but the last axis as one."""
    return x.reshape(-1, x.shape[-1])


def add_rows(into: Array, ids: Ids, rows: Array) -> None:
    """`into[ids] += rows`, counting every repetition; sorted first, which is much faster than `np.add.at`."""
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]])
    into[ids[starts]] += np.add.reduceat(rows[order], starts, axis=0)
