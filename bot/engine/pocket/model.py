"""The pocket GPT: a small causal transformer in plain NumPy, forward and backward.

A batch holds questions and answers as token ids. Questions are padded on the left and answers on the right, so
that every answer begins in the same column::

    <pad> <pad> who won the naboo cup | <answer> senn kava won   | target: senn kava won <end>
    <pad> where did vix tor finish    | <answer> vix tor was ... |         vix tor was ...

Only the columns from `<answer>` on have targets, so the last block is computed for those alone. This saves more
than half of the work and does not change the result.

The parts are GPT-2's, with three simplifications that cost no accuracy at this size: RMSNorm without gain, ReLU
instead of GELU, no biases. The output layer shares the token embedding `wte`.

Shapes in the comments: B rows, T columns, A answer columns, H heads, C embedding width, V vocabulary.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Ids = NDArray[np.int64]
Weights = dict[str, Array]

PAD, UNK, ANSWER, END = range(4)
"""The ids of the special tokens, the first four of every vocabulary."""
IGNORE_INDEX = -1
"""The target of columns without a loss: the padding after an answer's end."""

_EPSILON = 1e-6
_MASKED = -1e9


@dataclass(frozen=True)
class GPTConfig:
    """The sizes of a model. One block of width 80 with 350 tokens has about 119,000 parameters.

    One block is enough to look facts up and recombine them, and learns that in half the time that two need.
    """

    vocab_size: int
    n_embd: int = 80
    n_head: int = 8
    n_layer: int = 1
    max_question: int = 48
    """The most tokens of a question that are read; of a longer one, the last."""
    max_answer: int = 128
    """The most tokens of an answer."""


class Batch(NamedTuple):
    """Token ids: questions (B, Q), answers as the model reads them (B, A), and the tokens to predict (B, A)."""

    question: Ids
    answer: Ids
    target: Ids


def init_weights(config: GPTConfig, rng: np.random.Generator) -> Weights:
    """Random float32 weights. As in GPT-2, the projections into the residual stream begin small."""
    n_embd = config.n_embd

    def normal(rows: int, columns: int, std: float) -> Array:
        return rng.normal(0.0, std, (rows, columns)).astype(np.float32)

    weights = {
        "wte": normal(config.vocab_size, n_embd, 0.1),
        "wpe": normal(config.max_question + config.max_answer + 1, n_embd, 0.02),
    }
    std, proj_std = n_embd**-0.5, n_embd**-0.5 / (2 * config.n_layer) ** 0.5
    for layer in range(config.n_layer):
        weights[f"h.{layer}.attn.c_attn"] = normal(n_embd, 3 * n_embd, std)
        weights[f"h.{layer}.attn.c_proj"] = normal(n_embd, n_embd, proj_std)
        weights[f"h.{layer}.mlp.c_fc"] = normal(n_embd, 4 * n_embd, std)
        weights[f"h.{layer}.mlp.c_proj"] = normal(4 * n_embd, n_embd, proj_std / 2)
    return weights


def rms_norm(x: Array) -> tuple[Array, Array]:
    """`x` with every vector scaled to a root mean square of one, and the scales for `rms_norm_backward`."""
    scale = 1.0 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + _EPSILON)
    return x * scale, scale


def rms_norm_backward(dy: Array, y: Array, scale: Array) -> Array:
    """The gradient at the norm's input, from the gradient at its output `y`."""
    dx: Array = scale * (dy - y * np.mean(dy * y, axis=-1, keepdims=True))
    return dx


def split_heads(x: Array, n_head: int) -> Array:
    """(B, T, C) as (B, H, T, C/H)."""
    rows, columns, width = x.shape
    return x.reshape(rows, columns, n_head, width // n_head).transpose(0, 2, 1, 3)


def join_heads(x: Array) -> Array:
    """(B, H, T, C/H) as (B, T, C)."""
    rows, n_head, columns, width = x.shape
    return x.transpose(0, 2, 1, 3).reshape(rows, columns, n_head * width)


def forward(weights: Weights, config: GPTConfig, question: Ids, answer: Ids) -> tuple[Array, list[Any]]:
    """Logits for the next token of every answer column, (B, A, V), and the cache that `backward` needs."""
    start = question.shape[1]
    tokens = np.concatenate([question, answer], axis=1)
    columns = tokens.shape[1]
    # Positions count from the first answer column, so that a question's padding does not move its words.
    positions = slice(config.max_question - start, config.max_question - start + columns)
    x = weights["wte"][tokens] + weights["wpe"][positions]
    # A column attends to itself and to the columns before it that are not padding.
    hidden = np.triu(np.ones((columns, columns), dtype=bool), 1) | (tokens == PAD)[:, None, :]
    hidden[:, np.arange(columns), np.arange(columns)] = False  # else the softmax of a padding column divides by zero
    mask = np.where(hidden, x.dtype.type(_MASKED), x.dtype.type(0))[:, None]

    cache: list[Any] = []
    for layer in range(config.n_layer):
        first = start if layer == config.n_layer - 1 else 0
        x, block_cache = block_forward(weights, config, layer, x, mask, first)
        cache.append(block_cache)
    x, scale = rms_norm(x)
    cache.append((tokens, positions, x, scale))
    return x @ weights["wte"].T, cache


def block_forward(
    weights: Weights, config: GPTConfig, layer: int, x: Array, mask: Array, first: int
) -> tuple[Array, tuple[Any, ...]]:
    """Attention, then the MLP. Columns before `first` are attended to, but have no output."""
    n_embd = config.n_embd
    x1, scale1 = rms_norm(x)
    c_attn = weights[f"h.{layer}.attn.c_attn"]
    q = split_heads(x1[:, first:] @ c_attn[:, :n_embd], config.n_head)
    kv = x1 @ c_attn[:, n_embd:]
    k, v = split_heads(kv[:, :, :n_embd], config.n_head), split_heads(kv[:, :, n_embd:], config.n_head)
    attn = softmax(q @ k.transpose(0, 1, 3, 2) * q.dtype.type((n_embd // config.n_head) ** -0.5) + mask[:, :, first:])
    y = join_heads(attn @ v)
    x = x[:, first:] + y @ weights[f"h.{layer}.attn.c_proj"]
    x2, scale2 = rms_norm(x)
    relu = np.maximum(x2 @ weights[f"h.{layer}.mlp.c_fc"], 0)
    x = x + relu @ weights[f"h.{layer}.mlp.c_proj"]
    return x, (first, x1, scale1, q, k, v, attn, y, x2, scale2, relu)


def softmax(logits: Array) -> Array:
    """Probabilities along the last axis."""
    probs: Array = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probs /= probs.sum(axis=-1, keepdims=True)
    return probs


def cross_entropy(logits: Array, target: Ids) -> tuple[float, Array, NDArray[np.bool_]]:
    """The mean loss in nats per target token, its gradient at the logits, and which tokens are predicted right."""
    scored = target != IGNORE_INDEX
    probs = softmax(logits)
    rows, columns = np.nonzero(scored)
    picked = probs[rows, columns, target[rows, columns]]
    loss = float(-np.mean(np.log(np.maximum(picked, 1e-30))))
    correct = (logits.argmax(axis=-1) == target) & scored
    dlogits = probs * scored[:, :, None]
    dlogits[rows, columns, target[rows, columns]] -= 1
    dlogits /= len(rows)
    return loss, dlogits, correct


def backward(weights: Weights, config: GPTConfig, dlogits: Array, cache: list[Any]) -> Weights:
    """The gradient of the loss at every weight, from the gradient at the logits."""
    tokens, positions, x, scale = cache[-1]
    grads: Weights = {"wte": flatten(dlogits).T @ flatten(x)}
    dx = rms_norm_backward(dlogits @ weights["wte"], x, scale)
    for layer in reversed(range(config.n_layer)):
        dx = block_backward(weights, config, layer, dx, cache[layer], grads)
    grads["wpe"] = np.zeros_like(weights["wpe"])
    grads["wpe"][positions] = dx.sum(axis=0)
    scatter_add(grads["wte"], tokens.ravel(), flatten(dx))
    return grads


def block_backward(
    weights: Weights, config: GPTConfig, layer: int, dx: Array, cache: tuple[Any, ...], grads: Weights
) -> Array:
    """The gradient at a block's input. The gradients of its weights are put into `grads`."""
    first, x1, scale1, q, k, v, attn, y, x2, scale2, relu = cache
    grads[f"h.{layer}.mlp.c_proj"] = flatten(relu).T @ flatten(dx)
    drelu = (dx @ weights[f"h.{layer}.mlp.c_proj"].T) * (relu > 0)
    grads[f"h.{layer}.mlp.c_fc"] = flatten(x2).T @ flatten(drelu)
    dx = dx + rms_norm_backward(drelu @ weights[f"h.{layer}.mlp.c_fc"].T, x2, scale2)

    grads[f"h.{layer}.attn.c_proj"] = flatten(y).T @ flatten(dx)
    dy = split_heads(dx @ weights[f"h.{layer}.attn.c_proj"].T, config.n_head)
    dattn = dy @ v.transpose(0, 1, 3, 2)
    dscores = attn * (dattn - np.sum(dattn * attn, axis=-1, keepdims=True))
    dscores *= dscores.dtype.type((config.n_embd // config.n_head) ** -0.5)
    n_embd = config.n_embd
    dq = join_heads(dscores @ k)
    dkv = np.empty((*x1.shape[:2], 2 * n_embd), dtype=x1.dtype)
    dkv[:, :, :n_embd] = join_heads(dscores.transpose(0, 1, 3, 2) @ q)
    dkv[:, :, n_embd:] = join_heads(attn.transpose(0, 1, 3, 2) @ dy)
    c_attn = weights[f"h.{layer}.attn.c_attn"]
    grads[f"h.{layer}.attn.c_attn"] = np.concatenate(
        [flatten(x1[:, first:]).T @ flatten(dq), flatten(x1).T @ flatten(dkv)], axis=1
    )
    dx1 = dkv @ c_attn[:, n_embd:].T
    dx1[:, first:] += dq @ c_attn[:, :n_embd].T
    dinput = rms_norm_backward(dx1, x1, scale1)
    dinput[:, first:] += dx
    return dinput


def flatten(x: Array) -> Array:
    """All axes but the last as one."""
    return x.reshape(-1, x.shape[-1])


def scatter_add(into: Array, ids: Ids, rows: Array) -> None:
    """`into[ids] += rows`, with repeated ids added up. Sorting first is much faster than `np.add.at`."""
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]])
    into[ids[starts]] += np.add.reduceat(rows[order], starts, axis=0)
