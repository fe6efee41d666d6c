"""Answering: a finished model is loaded once and writes answers word by word.

A model is only read while it answers, so one object serves any number of threads at once.

A model that is trained with refusals knows when it does not know, nearly: its wrong answers are mostly ones that
it gives little weight itself. So at temperature 0 an answer that is less likely than not gives way to the refusal.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bot.core.errors import InputError
from bot.engine.pocket.data import encode_question, find_refusal, pair_of
from bot.engine.pocket.model import ANSWER, END, PAD, UNKNOWN, Array, Shape, Weights, forward
from bot.engine.pocket.store import load_model
from bot.engine.pocket.words import Spelling, Vocabulary, words_of

_NEVER_SAID = [PAD, UNKNOWN, ANSWER]
SURE = 0.5
"""The probability that an answer's words must have together, for it to be given. Of 181 racing questions kept out of
training it takes 29 wrong answers down to 16 and costs no right ones (means of three seeds, 2026-11-22)."""
Choice = Callable[[Array, int], int]
"""Takes the next word from the logarithms of the probabilities, and its place in the answer."""


@dataclass(frozen=True)
class Piece:
    """A part of an answer, as it comes."""

    text: str
    logprob: float
    """Natural logarithm of the probability of this word; 0 for a piece without a word."""
    top: tuple[tuple[str, float], ...] = ()
    """The likeliest words here with their logarithms, when asked for; the end is an empty word."""
    finish: Literal["stop", "length"] | None = None
    """Why the answer ends; set on the last piece alone."""


class PocketGPT:
    """A trained model."""

    def __init__(self, shape: Shape, weights: Weights, words: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
        """`rows` are those it was trained on: they tell how words are spelt."""
        self.shape = shape
        self.vocabulary = Vocabulary(words)
        self.weights = weights
        answers = [pair_of(row)[1] for row in rows]
        self._spelling = Spelling(answers)
        refusal = find_refusal(answers)
        self._refusal = None if refusal is None else [*self.vocabulary.encode(refusal), END]

    def prompt_words(self, messages: Sequence[dict[str, Any]]) -> int:
        """How many words of `messages` are read; at most the model's limit."""
        return len(self._question(messages))

    def _question(self, messages: Sequence[dict[str, Any]]) -> list[int]:
        asked = next((m["content"] for m in reversed(messages) if m.get("role") == "user"), None)
        if not isinstance(asked, str):
            raise InputError("The pocket GPT needs a user message with a text.")
        return encode_question(asked, self.vocabulary, self.shape)

    def answer(
        self,
        messages: Sequence[dict[str, Any]],
        *,
        temperature: float = 0.0,
        max_tokens: int | None = None,
        stop: Sequence[str] = (),
        top: int = 0,
        seed: int | None = None,
    ) -> Iterator[Piece]:
        """Pieces whose texts joined are the answer to the last user message.

        `temperature` 0 takes the likeliest word each time, and refuses where the answer is not sure enough.
        `max_tokens` counts words. The answer ends before the first of the `stop` texts. With `top`, every
        piece carries that many likeliest words.
        """
        question = self._question(messages)
        limit = min(self.shape.answer, self.shape.answer if max_tokens is None else max_tokens)
        if temperature > 0:
            rng = np.random.default_rng(seed)
            pieces = self._words(question, lambda chances, _: _drawn(chances, temperature, rng), limit, top)
        else:
            pieces = self._surest(question, limit, top)
        return _until(pieces, [text for text in stop if text])

    def _surest(self, question: list[int], limit: int, top: int) -> Iterator[Piece]:
        """The likeliest words, or the refusal. The answer is written out before its first word is given."""
        pieces = list(self._words(question, lambda chances, _: int(chances.argmax()), limit, top))
        refusal = self._refusal
        if refusal is None or sum(piece.logprob for piece in pieces) >= math.log(SURE):
            yield from pieces
        else:
            yield from self._words(question, lambda _, place: refusal[place], limit, top)

    def _words(self, question: list[int], choose: Choice, limit: int, top: int) -> Iterator[Piece]:
        said: list[int] = []
        waiting: tuple[float, tuple[tuple[str, float], ...]] | None = None
        while True:
            # A word is written once the next is known, since that decides the comma between them.
            chances = self._chances(question, said)
            number = choose(chances, len(said))
            if waiting:
                yield Piece(self._write(said, number), *waiting)
            if number == END or len(said) >= limit:
                yield Piece("", 0.0, finish="stop" if number == END else "length")
                return
            said.append(number)
            waiting = (float(chances[number]), self._top(chances, top))

    def _chances(self, question: list[int], said: list[int]) -> Array:
        """Logarithms of the probabilities of every next word."""
        scores, _ = forward(self.weights, self.shape, np.array([question]), np.array([[ANSWER, *said]]))
        last = scores[0, -1].astype(np.float64)
        last[_NEVER_SAID] = -np.inf
        last -= last.max()
        chances: Array = last - np.log(np.exp(last).sum())
        return chances

    def _write(self, said: list[int], following: int) -> str:
        words = self.vocabulary.words
        return self._spelling.write([words[i] for i in said], "" if following == END else words[following])

    def _top(self, chances: Array, count: int) -> tuple[tuple[str, float], ...]:
        best = np.argsort(-chances, kind="stable")[:count].tolist()
        words = self.vocabulary.words
        return tuple(("" if i == END else words[i], float(max(chances[i], -9999.0))) for i in best)


def _drawn(chances: Array, temperature: float, rng: np.random.Generator) -> int:
    hot = chances / temperature
    shares = np.exp(hot - hot.max())
    return int(rng.choice(len(shares), p=shares / shares.sum()))


def _until(pieces: Iterator[Piece], stops: Sequence[str]) -> Iterator[Piece]:
    """The pieces up to the first of `stops`; what may be the beginning of one waits for the next piece."""
    held = ""
    for piece in pieces:
        held += piece.text
        found = [held.index(text) for text in stops if text in held]
        if found:
            yield Piece(held[: min(found)], piece.logprob, piece.top, "stop")
            return
        keep = 0 if piece.finish else max((_overlap(held, text) for text in stops), default=0)
        ready, held = held[: len(held) - keep], held[len(held) - keep :]
        yield Piece(ready, piece.logprob, piece.top, piece.finish)


def _overlap(text: str, stop: str) -> int:
    """How many letters at the end of `text` begin `stop`."""
    return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0)


def load(folder: Path) -> PocketGPT:
    """The finished model in `folder`; a `StorageError` when it is not whole."""
    shape, weights, words, rows, _ = load_model(folder)
    return PocketGPT(shape, weights, words, rows)


def words_in(text: str) -> int:
    """How many words the model would count in `text`."""
    return len(words_of(text))
