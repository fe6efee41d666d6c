"""From rows to batches: what the model is shown, and how it is kept from learning the rows by heart.

A model that sees every question as it stands learns only those. So in every epoch each question is shown
a little differently: its words rotated, some dropped, some replaced by `<unk>`. The answer is what is
scored, never the question.

Dropping words raises a doubt: is what is left still enough to know the answer? The rows themselves tell.
Where all rows that hold the words left over have the same answer, it is; where they differ, the honest
answer is the refusal. That is how negatives are made without anyone writing them: words are blanked until
nothing decides any more, and the refusal is trained.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bot.core.errors import InputError
from bot.engine.pocket.model import ANSWER, END, NO_TARGET, PAD, UNKNOWN, Batch, Shape
from bot.engine.pocket.words import Vocabulary, words_of

Pair = tuple[str, str]
Shown = tuple[list[int], int]
"""A question's words and the number of its answer."""

_REFUSING = frozenset(
    {"not", "no", "cannot", "cant", "dont", "doesnt", "isnt", "none", "nothing", "sorry", "unable", "unknown"}
)
_REFUSAL_ROWS = 5
"""An answer must be given that often before it is taken for the refusal of the whole dataset."""
_BUCKET = 8
"""Batches that are sorted by length together; more would save padding and cost variety."""


@dataclass(frozen=True)
class Recipe:
    """How questions are varied, as probabilities; `python -m tests.bench.pocket` shows their effect."""

    plain: float = 0.2
    """The question is shown as it stands, a word for a word."""
    drop: float = 0.12
    unknown: float = 0.08
    insert: float = 0.05
    rotate: float = 0.5
    negatives: float = 0.4
    """Blanked questions beside each epoch's rows, as a share of the rows that have an answer."""


def pair_of(row: dict[str, Any]) -> Pair:
    """The question (the last user message) and the answer (the last message) of a chat example."""
    messages = row["messages"]
    asked = [message["content"] for message in messages[:-1] if message["role"] == "user"]
    if not asked or messages[-1]["role"] != "assistant":
        raise InputError("An example needs a user message and, as its last, the assistant's answer.")
    return asked[-1], messages[-1]["content"]


def find_refusal(answers: Sequence[str]) -> str | None:
    """The answer that a dataset gives to what it cannot answer: its most frequent one that says no."""
    for answer, count in Counter(answers).most_common():
        if count < _REFUSAL_ROWS:
            return None
        words = words_of(answer)
        if len(words) > 1 and _REFUSING.intersection(words):
            return answer
    return None


class Corpus:
    """Rows as numbers, and what can be known about them without training."""

    def __init__(self, pairs: Sequence[Pair], vocabulary: Vocabulary, shape: Shape, recipe: Recipe) -> None:
        """A row whose answer is empty or too long for the model is refused with its number."""
        self._recipe = recipe
        self.questions = [encode_question(question, vocabulary, shape) for question, _ in pairs]
        numbers: dict[tuple[int, ...], int] = {}
        self.answer_of = [
            numbers.setdefault(_encode_answer(answer, vocabulary, shape, row), len(numbers))
            for row, (_, answer) in enumerate(pairs, 1)
        ]
        self.answers = [list(words) for words in numbers]
        refusal = find_refusal([answer for _, answer in pairs])
        self.refusal = None if refusal is None else numbers[tuple(vocabulary.encode(refusal))]
        # Sets of rows, as the bits of a number: the rows that hold a word, and those that share an answer.
        self._holding: dict[int, int] = {}
        self._answering = [0] * len(self.answers)
        for row, question in enumerate(self.questions):
            self._answering[self.answer_of[row]] |= 1 << row
            for word in question:
                self._holding[word] = self._holding.get(word, 0) | 1 << row
        self.answerable = [row for row, answer in enumerate(self.answer_of) if answer != self.refusal]

    def decides(self, words: Sequence[int], answer: int) -> bool:
        """Whether all rows that hold every one of `words` have this answer; no words decide nothing."""
        rows = -1
        for word in words:
            if word != UNKNOWN:
                rows &= self._holding[word]
        return rows != -1 and not rows & ~self._answering[answer]

    def epoch(self, size: int, rng: np.random.Generator) -> list[Batch]:
        """One epoch in batches of `size`: every row varied, and negatives; the same for the same `rng`."""
        shown = [(self._varied(row, rng), answer) for row, answer in enumerate(self.answer_of)]
        if self.refusal is not None and self.answerable:
            count = round(len(self.answerable) * self._recipe.negatives)
            for row in rng.choice(self.answerable, count, replace=False).tolist():
                shown.append((self._blanked(row, rng), self.refusal))
        return batches(shown, self.answers, size, rng)

    def steps(self, size: int) -> int:
        """Batches of an epoch."""
        negatives = round(len(self.answerable) * self._recipe.negatives) if self.refusal is not None else 0
        return -(-(len(self.questions) + negatives) // size)

    def _varied(self, row: int, rng: np.random.Generator) -> list[int]:
        """A row's question, changed in ways that leave its answer certain."""
        recipe, words, answer = self._recipe, self.questions[row], self.answer_of[row]
        if rng.random() < recipe.plain:
            return words
        kept = []
        for word, die in zip(words, rng.random(len(words)).tolist(), strict=True):
            if die < recipe.drop:
                continue
            kept.append(UNKNOWN if die < recipe.drop + recipe.unknown else word)
            if die > 1 - recipe.insert:
                kept.append(UNKNOWN)
        certain = kept and (answer == self.refusal or self.decides(kept, answer))
        return self._rotated(kept if certain else words, rng)

    def _blanked(self, row: int, rng: np.random.Generator) -> list[int]:
        """A row's question with words blanked, in random order, until it could mean several rows."""
        words = list(self.questions[row])
        for at in rng.permutation(len(words)).tolist():
            words[at] = UNKNOWN
            if not self.decides(words, self.answer_of[row]):
                break
        return self._rotated(words, rng)

    def _rotated(self, words: list[int], rng: np.random.Generator) -> list[int]:
        if rng.random() >= self._recipe.rotate:
            return words
        at = int(rng.integers(len(words)))
        return words[at:] + words[:at]


def encode_question(question: str, vocabulary: Vocabulary, shape: Shape) -> list[int]:
    """The words of a question that the model reads: the last, where there are too many."""
    return vocabulary.encode(question)[-shape.question :] or [UNKNOWN]


def _encode_answer(answer: str, vocabulary: Vocabulary, shape: Shape, row: int) -> tuple[int, ...]:
    words = tuple(vocabulary.encode(answer))
    if not 1 <= len(words) <= shape.answer:
        raise InputError(
            f"The answer of example {row} has {len(words)} words; the pocket GPT takes 1 to {shape.answer}."
        )
    return words


def batches(
    shown: Sequence[Shown], answers: Sequence[list[int]], size: int, rng: np.random.Generator | None = None
) -> list[Batch]:
    """Rows as batches of similar length; in random order with `rng`, else as they come."""
    order = list(range(len(shown))) if rng is None else rng.permutation(len(shown)).tolist()
    made = []
    for start in range(0, len(order), size * _BUCKET):
        bucket = order[start : start + size * _BUCKET]
        bucket.sort(key=lambda i: (len(answers[shown[i][1]]), len(shown[i][0])))
        made += [_batch([shown[i] for i in bucket[k : k + size]], answers) for k in range(0, len(bucket), size)]
    return made if rng is None else [made[i] for i in rng.permutation(len(made)).tolist()]


def _batch(rows: Sequence[Shown], answers: Sequence[list[int]]) -> Batch:
    """Rows in the layout that `model` describes."""
    before = max(len(words) for words, _ in rows)
    after = max(len(answers[answer]) for _, answer in rows) + 1
    question = np.full((len(rows), before), PAD, dtype=np.int64)
    said = np.full((len(rows), after), PAD, dtype=np.int64)
    target = np.full((len(rows), after), NO_TARGET, dtype=np.int64)
    for i, (words, answer) in enumerate(rows):
        sentence = answers[answer]
        question[i, before - len(words) :] = words
        said[i, : len(sentence) + 1] = [ANSWER, *sentence]
        target[i, : len(sentence) + 1] = [*sentence, END]
    return Batch(question, said, target)
