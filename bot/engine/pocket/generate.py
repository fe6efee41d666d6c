"""Generates answers from a finished model, token by token.

A model does not change while it answers, so several threads may use one object.

At temperature 0, an answer with a probability below one half is replaced by the dataset's refusal, if it has one:
wrong answers are mostly improbable ones.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bot.core.errors import InputError
from bot.engine.pocket.checkpoint import load_model
from bot.engine.pocket.config import Row
from bot.engine.pocket.data import encode_question, find_refusal, question_and_answer
from bot.engine.pocket.model import ANSWER, END, PAD, UNK, Array, GPTConfig, Weights, forward
from bot.engine.pocket.tokenizer import Detokenizer, Tokenizer

_NEVER_GENERATED = [PAD, UNK, ANSWER]
MIN_PROBABILITY = 0.5
"""The probability of the whole answer below which the refusal is given. Of 181 racing questions kept out of training
this leaves 16 wrong answers instead of 29, and loses no right one (means of three seeds, 2026-11-22)."""
Choice = Callable[[Array, int], int]
"""Chooses the next token from the log probabilities and its place in the answer."""


@dataclass(frozen=True)
class GeneratedToken:
    """One token of an answer as text, with the space or punctuation behind it."""

    text: str
    """Empty for the last one, which is the end of the answer."""
    logprob: float
    """The natural logarithm of the token's probability; 0 for the end."""
    top_logprobs: tuple[tuple[str, float], ...] = ()
    """The most probable tokens at this place, if asked for. The end is an empty text."""
    finish_reason: Literal["stop", "length"] | None = None
    """Set on the last one only."""


class PocketGPT:
    """A trained model."""

    def __init__(self, config: GPTConfig, weights: Weights, vocab: Sequence[str], rows: Sequence[Row]) -> None:
        """`rows` are its training rows, which tell how words are spelt."""
        self.config = config
        self.tokenizer = Tokenizer(vocab)
        self.weights = weights
        answers = [question_and_answer(row)[1] for row in rows]
        self._detokenizer = Detokenizer(answers)
        refusal = find_refusal(answers)
        self._refusal = None if refusal is None else [*self.tokenizer.encode(refusal), END]

    def count_prompt_tokens(self, messages: Sequence[dict[str, Any]]) -> int:
        """How many tokens of `messages` are read, at most `max_question`."""
        return len(self._question(messages))

    def _question(self, messages: Sequence[dict[str, Any]]) -> list[int]:
        asked = next((m["content"] for m in reversed(messages) if m.get("role") == "user"), None)
        if not isinstance(asked, str):
            raise InputError("The pocket GPT needs a user message with a text.")
        return encode_question(asked, self.tokenizer, self.config)

    def generate(
        self,
        messages: Sequence[dict[str, Any]],
        *,
        temperature: float = 0.0,
        max_tokens: int | None = None,
        top_logprobs: int = 0,
        seed: int | None = None,
    ) -> Iterator[GeneratedToken]:
        """The answer to the last user message, at most `max_tokens` words. Other messages are not read.

        Temperature 0 is greedy decoding. Raises `InputError` where there is no user message.
        """
        question = self._question(messages)
        limit = min(self.config.max_answer, self.config.max_answer if max_tokens is None else max_tokens)
        if temperature > 0:
            rng = np.random.default_rng(None if seed is None else seed % 2**64)  # numpy refuses negative seeds
            return self._tokens(question, lambda logprobs, _: _sample(logprobs, temperature, rng), limit, top_logprobs)
        return self._greedy(question, limit, top_logprobs)

    def _greedy(self, question: list[int], limit: int, top: int) -> Iterator[GeneratedToken]:
        """The most probable tokens, or the refusal. The whole answer is generated before its first token is given."""
        answer = list(self._tokens(question, lambda logprobs, _: int(logprobs.argmax()), limit, top))
        refusal = self._refusal
        if refusal is None or sum(token.logprob for token in answer) >= math.log(MIN_PROBABILITY):
            yield from answer
        else:
            yield from self._tokens(question, lambda _, place: refusal[place], limit, top)

    def _tokens(self, question: list[int], choose: Choice, limit: int, top: int) -> Iterator[GeneratedToken]:
        answer: list[int] = []
        waiting: tuple[float, tuple[tuple[str, float], ...]] | None = None
        while True:
            logprobs = self._logprobs(question, answer)
            token = choose(logprobs, len(answer))
            # A word is given once the next is known, because the punctuation between them depends on both.
            if waiting:
                yield GeneratedToken(self._decode_last(answer, token), *waiting)
            if token == END or len(answer) >= limit:
                yield GeneratedToken("", 0.0, finish_reason="stop" if token == END else "length")
                return
            answer.append(token)
            waiting = (float(logprobs[token]), self._top(logprobs, top))

    def _logprobs(self, question: list[int], answer: list[int]) -> Array:
        """Log probabilities of the next token."""
        logits, _ = forward(self.weights, self.config, np.array([question]), np.array([[ANSWER, *answer]]))
        last = logits[0, -1].astype(np.float64)
        last[_NEVER_GENERATED] = -np.inf
        last -= last.max()
        logprobs: Array = last - np.log(np.exp(last).sum())
        return logprobs

    def _decode_last(self, answer: list[int], following: int) -> str:
        vocab = self.tokenizer.vocab
        return self._detokenizer.decode_last([vocab[i] for i in answer], "" if following == END else vocab[following])

    def _top(self, logprobs: Array, count: int) -> tuple[tuple[str, float], ...]:
        best = np.argsort(-logprobs, kind="stable")[:count].tolist()
        vocab = self.tokenizer.vocab
        return tuple(("" if i == END else vocab[i], float(max(logprobs[i], -9999.0))) for i in best)


def _sample(logprobs: Array, temperature: float, rng: np.random.Generator) -> int:
    scaled = logprobs / temperature
    probs = np.exp(scaled - scaled.max())
    return int(rng.choice(len(probs), p=probs / probs.sum()))


def load(folder: Path) -> PocketGPT:
    """The finished model in `folder`. Raises `StorageError` if it is not whole."""
    config, weights, vocab, rows, _ = load_model(folder)
    return PocketGPT(config, weights, vocab, rows)
