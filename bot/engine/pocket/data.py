"""From rows to batches: what the model is shown, and how it is kept from learning the rows by heart.

A model that sees every question as it stands learns only those. So in every epoch each question is shown
a little differently: in a wording that the rows use for a like fact (see `recombine`), its words rotated,
some dropped, some replaced by `<unk>`. The answer is what is scored, never the question.

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
from bot.engine.pocket.recombine import recombine
from bot.engine.pocket.words import SPECIAL, Vocabulary, words_of

Pair = tuple[str, str]
Shown = tuple[list[int], int]
"""A question's words and the number of its answer."""

_REFUSING = frozenset(
    {"not", "no", "cannot", "cant", "dont", "doesnt", "isnt", "none", "nothing", "sorry", "unable", "unknown"}
)
_REFUSAL_ROWS = 5
"""An answer must be given that often before it is taken for the refusal of the whole dataset."""


@dataclass(frozen=True)
class Recipe:
    """How questions are varied, as probabilities; `python -m tests.bench.pocket` shows their effect."""

    recombined: float = 0.5
    """The question is asked in the words of a sister's."""
    plain: float = 0.2
    """It is shown whole. Else its words go missing, at a rate drawn between 0 and `missing`."""
    missing: float = 0.4
    unknown: float = 0.2
    """A missing word leaves `<unk>` behind."""
    insert: float = 0.1
    """An `<unk>` follows a word."""
    rotate: float = 0.5
    """The words begin in the middle, and end with what stood before it."""
    negatives: float = 0.8
    """Blanked questions beside each epoch's rows, as a share of the rows that have an answer."""
    wrong: float = 0.4
    """A blanked word becomes some other word of the vocabulary."""


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
        self._recipe, self._shape = recipe, shape
        self.questions = [encode_question(question, vocabulary, shape) for question, _ in pairs]
        numbers: dict[tuple[int, ...], int] = {}
        self.answer_of = [
            numbers.setdefault(_encode_answer(answer, vocabulary, shape, row), len(numbers))
            for row, (_, answer) in enumerate(pairs, 1)
        ]
        self.answers = [list(words) for words in numbers]
        refusal = find_refusal([answer for _, answer in pairs])
        self.refusal = None if refusal is None else numbers[tuple(vocabulary.encode(refusal))]
        self._words = len(vocabulary)
        self.answerable = [row for row, answer in enumerate(self.answer_of) if answer != self.refusal]
        questions = [self.questions[row] for row in self.answerable]
        self.recombined = recombine(questions, [self.answer_of[row] for row in self.answerable], self.answers)
        self._note_rows()

    def _note_rows(self) -> None:
        """Sets of rows, as the bits of a number: those that hold a word, and those that share an answer."""
        self._holding: dict[int, int] = {}
        self._answering = [0] * len(self.answers)
        rows = list(zip(self.questions, self.answer_of, strict=True))
        rows += [(question, answer) for answer, made in self.recombined.items() for question in made]
        for row, (question, answer) in enumerate(rows):
            self._answering[answer] |= 1 << row
            for word in set(question):
                self._holding[word] = self._holding.get(word, 0) | 1 << row

    def decides(self, words: Sequence[int], answer: int) -> bool:
        """Whether all rows that hold every one of `words` have this answer; no words decide nothing."""
        rows = -1
        for word in words:
            if word != UNKNOWN:
                rows &= self._holding.get(word, 0)
        return rows > 0 and not rows & ~self._answering[answer]

    def epoch(self, size: int, rng: np.random.Generator) -> list[Batch]:
        """One epoch in batches of `size`: every row varied, and negatives; the same for the same `rng`."""
        asked = [self._asked(row, rng) for row in range(len(self.questions))]
        shown = [
            (self._varied(words, answer, rng), answer) for words, answer in zip(asked, self.answer_of, strict=True)
        ]
        if self.refusal is not None and self.answerable:
            for row in rng.choice(self.answerable, self._negatives(), replace=False).tolist():
                shown.append((self._blanked(asked[row], self.answer_of[row], rng), self.refusal))
        return batches(shown, self.answers, size, rng)

    def steps(self, size: int) -> int:
        """Batches of an epoch."""
        return -(-(len(self.questions) + self._negatives()) // size)

    def _negatives(self) -> int:
        return round(len(self.answerable) * self._recipe.negatives) if self.refusal is not None else 0

    def _asked(self, row: int, rng: np.random.Generator) -> list[int]:
        """A row's question, or one of those that a sister lent to its answer."""
        others = self.recombined.get(self.answer_of[row], [])
        if not others or rng.random() >= self._recipe.recombined:
            return self.questions[row]
        return others[int(rng.integers(len(others)))]

    def _varied(self, words: list[int], answer: int, rng: np.random.Generator) -> list[int]:
        """A question changed in ways that leave its answer certain; after three vain attempts, whole."""
        recipe, kept = self._recipe, words
        for _ in range(3 if rng.random() >= recipe.plain else 0):
            missing = rng.random() * recipe.missing
            thinned: list[int] = []
            for word, (gone, left, more) in zip(words, rng.random((len(words), 3)).tolist(), strict=True):
                if gone >= missing:
                    thinned += [word, UNKNOWN] if more < recipe.insert else [word]
                elif left < recipe.unknown:
                    thinned.append(UNKNOWN)
            if thinned and (answer == self.refusal or self.decides(thinned, answer)):
                kept = thinned
                break
        return self._rotated(kept, rng)

    def _blanked(self, words: list[int], answer: int, rng: np.random.Generator) -> list[int]:
        """A question with words blanked, in random order, until it could mean several answers."""
        words = list(words)
        for at in rng.permutation(len(words)).tolist():
            words[at] = UNKNOWN
            if not self.decides(words, answer):
                break
        swaps = rng.random(len(words)) < self._recipe.wrong
        others = rng.integers(len(SPECIAL), self._words, len(words)).tolist()
        wrong = [
            other if swap and word == UNKNOWN else word for word, swap, other in zip(words, swaps, others, strict=True)
        ]
        return self._rotated(words if self.decides(wrong, answer) else wrong, rng)

    def _rotated(self, words: list[int], rng: np.random.Generator) -> list[int]:
        words = words[-self._shape.question :]
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
    """Rows as batches of equal length as far as can be; rows and batches in random order with `rng`."""
    order = list(range(len(shown))) if rng is None else rng.permutation(len(shown)).tolist()
    order.sort(key=lambda i: (len(answers[shown[i][1]]), len(shown[i][0])))
    made = [_batch([shown[i] for i in order[k : k + size]], answers) for k in range(0, len(order), size)]
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
