"""From rows to batches, with augmentation, so that the model learns more than the training questions.

In every epoch each question is varied: asked in a wording that the rows use for a similar fact, its words
rotated, some dropped, some replaced by `<unk>`. Only the answer has a loss.

A question without some of its words may not determine its answer any more. The rows decide: if all rows that
contain the remaining words have one answer, the question keeps it. Negatives are made in the opposite way: words are
blanked until several answers are possible, and the refusal is trained.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bot.core.errors import InputError
from bot.engine.pocket.model import ANSWER, END, IGNORE_INDEX, PAD, UNK, Batch, GPTConfig
from bot.engine.pocket.tokenizer import SPECIAL, Tokenizer, words_of

Pair = tuple[str, str]
"""A question and its answer."""
Example = tuple[list[int], int]
"""The token ids of a question, and the index of its answer."""
Pattern = tuple[int, ...]
"""A question's token ids, with slots as negative numbers: -1 is the first token of the answer."""

_REFUSING = frozenset(
    {"not", "no", "cannot", "cant", "dont", "doesnt", "isnt", "none", "nothing", "sorry", "unable", "unknown"}
)
_MIN_REFUSALS = 5
"""How often an answer must be given before it counts as the dataset's refusal."""
_MAX_RECOMBINED = 24
"""Recombined questions per answer, so that a large dataset fits into memory."""


@dataclass(frozen=True)
class AugmentConfig:
    """The probabilities of each variation. `python -m tests.bench.pocket` measures their effect."""

    recombine: float = 0.5
    """Ask the question in a wording of a similar answer."""
    keep_words: float = 0.2
    """Keep all words. Otherwise words are dropped, at a rate drawn between 0 and `max_drop`."""
    max_drop: float = 0.4
    unk_for_dropped: float = 0.2
    """Put `<unk>` in the place of a dropped word."""
    insert_unk: float = 0.1
    """Insert `<unk>` after a kept word."""
    rotate: float = 0.5
    """Begin in the middle of the question, and append the words before it."""
    negatives: float = 0.8
    """Blanked questions per epoch, as a share of the rows that have an answer."""
    random_for_blank: float = 0.4
    """Replace a blanked word by a random word of the vocabulary."""


def question_and_answer(row: dict[str, Any]) -> Pair:
    """The last user message and the last message of a chat example. Raises `InputError` where one is missing."""
    messages = row["messages"]
    questions = [message["content"] for message in messages[:-1] if message["role"] == "user"]
    if not questions or messages[-1]["role"] != "assistant":
        raise InputError("An example needs a user message and, as its last, the assistant's answer.")
    return questions[-1], messages[-1]["content"]


def find_refusal(answers: Sequence[str]) -> str | None:
    """The most frequent answer that says no in several words, if it is given at least five times."""
    for answer, count in Counter(answers).most_common():
        if count < _MIN_REFUSALS:
            return None
        words = words_of(answer)
        if len(words) > 1 and _REFUSING.intersection(words):
            return answer
    return None


class TrainingData:
    """Tokenized rows, their recombined questions, and an index of which rows contain which token."""

    def __init__(self, pairs: Sequence[Pair], tokenizer: Tokenizer, config: GPTConfig, augment: AugmentConfig) -> None:
        """Raises an `InputError` with the number of the first row whose answer is empty or too long."""
        self._augment, self._max_question, self._vocab_size = augment, config.max_question, len(tokenizer)
        self.questions = [encode_question(question, tokenizer, config) for question, _ in pairs]
        indexes: dict[tuple[int, ...], int] = {}
        self.answer_of = [
            indexes.setdefault(_encode_answer(answer, tokenizer, config, row), len(indexes))
            for row, (_, answer) in enumerate(pairs, 1)
        ]
        self.answers = [list(tokens) for tokens in indexes]
        refusal = find_refusal([answer for _, answer in pairs])
        self.refusal = None if refusal is None else indexes[tuple(tokenizer.encode(refusal))]
        self.answerable = [row for row, answer in enumerate(self.answer_of) if answer != self.refusal]
        questions = [self.questions[row] for row in self.answerable]
        self.recombined = recombine(questions, [self.answer_of[row] for row in self.answerable], self.answers)
        self._index_rows()

    def _index_rows(self) -> None:
        """Builds sets of rows as bits of an integer: the rows with each token, and the rows with each answer."""
        self._rows_with_token: dict[int, int] = {}
        self._rows_with_answer = [0] * len(self.answers)
        rows = list(zip(self.questions, self.answer_of, strict=True))
        rows += [(question, answer) for answer, questions in self.recombined.items() for question in questions]
        for row, (question, answer) in enumerate(rows):
            self._rows_with_answer[answer] |= 1 << row
            for token in set(question):
                self._rows_with_token[token] = self._rows_with_token.get(token, 0) | 1 << row

    def determines(self, tokens: Sequence[int], answer: int) -> bool:
        """Whether some row contains all of `tokens`, and every such row has this answer. `UNK` is ignored."""
        rows = -1
        for token in tokens:
            if token != UNK:
                rows &= self._rows_with_token.get(token, 0)
        return rows > 0 and not rows & ~self._rows_with_answer[answer]

    def epoch(self, batch_size: int, rng: np.random.Generator) -> list[Batch]:
        """The batches of one epoch: every row, augmented, and the negatives. Equal `rng` states give equal batches."""
        asked = [self._sample_wording(row, rng) for row in range(len(self.questions))]
        examples = [
            (self._drop_words(tokens, answer, rng), answer)
            for tokens, answer in zip(asked, self.answer_of, strict=True)
        ]
        if self.refusal is not None and self.answerable:
            for row in rng.choice(self.answerable, self._negatives(), replace=False).tolist():
                examples.append((self._blank_words(asked[row], self.answer_of[row], rng), self.refusal))
        return make_batches(examples, self.answers, batch_size, rng)

    def steps_per_epoch(self, batch_size: int) -> int:
        """The number of batches in an epoch."""
        return -(-(len(self.questions) + self._negatives()) // batch_size)

    def _negatives(self) -> int:
        return round(len(self.answerable) * self._augment.negatives) if self.refusal is not None else 0

    def _sample_wording(self, row: int, rng: np.random.Generator) -> list[int]:
        """A row's question, or a recombined question for its answer."""
        others = self.recombined.get(self.answer_of[row], [])
        if not others or rng.random() >= self._augment.recombine:
            return self.questions[row]
        return others[int(rng.integers(len(others)))]

    def _drop_words(self, tokens: list[int], answer: int, rng: np.random.Generator) -> list[int]:
        """A question with words dropped that still determines its answer; unchanged after three failed attempts."""
        augment, kept = self._augment, tokens
        for _ in range(3 if rng.random() >= augment.keep_words else 0):
            drop = rng.random() * augment.max_drop
            shorter: list[int] = []
            for token, (keep, unk, insert) in zip(tokens, rng.random((len(tokens), 3)).tolist(), strict=True):
                if keep >= drop:
                    shorter += [token, UNK] if insert < augment.insert_unk else [token]
                elif unk < augment.unk_for_dropped:
                    shorter.append(UNK)
            if shorter and (answer == self.refusal or self.determines(shorter, answer)):
                kept = shorter
                break
        return self._rotate(kept, rng)

    def _blank_words(self, tokens: list[int], answer: int, rng: np.random.Generator) -> list[int]:
        """A question with words blanked, in random order, until it does not determine its answer."""
        tokens = list(tokens)
        for at in rng.permutation(len(tokens)).tolist():
            tokens[at] = UNK
            if not self.determines(tokens, answer):
                break
        swaps = rng.random(len(tokens)) < self._augment.random_for_blank
        others = rng.integers(len(SPECIAL), self._vocab_size, len(tokens)).tolist()
        swapped = [
            other if swap and token == UNK else token for token, swap, other in zip(tokens, swaps, others, strict=True)
        ]
        return self._rotate(tokens if self.determines(swapped, answer) else swapped, rng)

    def _rotate(self, tokens: list[int], rng: np.random.Generator) -> list[int]:
        tokens = tokens[-self._max_question :]
        if rng.random() >= self._augment.rotate:
            return tokens
        at = int(rng.integers(len(tokens)))
        return tokens[at:] + tokens[:at]


def encode_question(question: str, tokenizer: Tokenizer, config: GPTConfig) -> list[int]:
    """The last `max_question` tokens of a question; one `UNK` for a question without a word."""
    return tokenizer.encode(question)[-config.max_question :] or [UNK]


def _encode_answer(answer: str, tokenizer: Tokenizer, config: GPTConfig, row: int) -> tuple[int, ...]:
    tokens = tuple(tokenizer.encode(answer))
    if not 1 <= len(tokens) <= config.max_answer:
        raise InputError(
            f"The answer of example {row} has {len(tokens)} words; the pocket GPT takes 1 to {config.max_answer}."
        )
    return tokens


def make_batches(
    examples: Sequence[Example],
    answers: Sequence[list[int]],
    batch_size: int,
    rng: np.random.Generator | None = None,
) -> list[Batch]:
    """Batches of examples of similar length. With `rng`, equal lengths and the batches are shuffled."""
    order = list(range(len(examples))) if rng is None else rng.permutation(len(examples)).tolist()
    order.sort(key=lambda i: (len(answers[examples[i][1]]), len(examples[i][0])))
    chunks = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    batches = [_make_batch([examples[i] for i in chunk], answers) for chunk in chunks]
    return batches if rng is None else [batches[i] for i in rng.permutation(len(batches)).tolist()]


def _make_batch(examples: Sequence[Example], answers: Sequence[list[int]]) -> Batch:
    """Examples in the layout that `model` describes."""
    before = max(len(tokens) for tokens, _ in examples)
    after = max(len(answers[answer]) for _, answer in examples) + 1
    question = np.full((len(examples), before), PAD, dtype=np.int64)
    answer_in = np.full((len(examples), after), PAD, dtype=np.int64)
    target = np.full((len(examples), after), IGNORE_INDEX, dtype=np.int64)
    for i, (tokens, index) in enumerate(examples):
        answer = answers[index]
        question[i, before - len(tokens) :] = tokens
        answer_in[i, : len(answer) + 1] = [ANSWER, *answer]
        target[i, : len(answer) + 1] = [*answer, END]
    return Batch(question, answer_in, target)


@dataclass
class AnswerGroup:
    """Answers of one construction: their common tokens by place (None where they differ), the patterns of their
    questions, and their indexes."""

    common: tuple[int | None, ...]
    patterns: set[Pattern]
    members: set[int]

    def covers(self, other: "AnswerGroup") -> bool:
        """Whether the other group is a special case of this one and shares an answer with it."""
        return (
            len(self.common) == len(other.common)
            and all(mine is None or mine == theirs for mine, theirs in zip(self.common, other.common, strict=True))
            and bool(self.members & other.members)
        )


def recombine(
    questions: Sequence[Sequence[int]], answer_of: Sequence[int], answers: Sequence[Sequence[int]]
) -> dict[int, list[list[int]]]:
    """New questions for each answer: what one fact is asked in these words, similar facts can be asked too.

    "Where did Vix Tor finish in the Naboo Cup?" — "Vix Tor finished first in the Naboo Cup."
    "Where did Senn Kava finish in the Bespin Run?" — "Senn Kava finished third in the Bespin Run."

    Words that the answer contains too are slots, numbered by their place in the answer. Both questions have the pattern
    "where did [0] [1] finish [4] [5] [6] [7]". Answers that share a pattern and some words form a group, and every
    pattern of a group is filled from each of its answers.

    A pattern counts only if the rows use it for at least two answers. It is left out if a filled question contradicts
    a row, or is the same for two answers. Questions and answers are token ids; the order of the result is fixed.
    """
    known = {tuple(question): answer for question, answer in zip(questions, answer_of, strict=True)}
    made: dict[int, set[tuple[int, ...]]] = {}
    for group in group_answers(questions, answer_of, answers):
        for pattern in group.patterns:
            filled = [(tuple(fill(pattern, answers[answer])), answer) for answer in group.members]
            contradicts = any(known.get(question, answer) != answer for question, answer in filled)
            if contradicts or len({question for question, _ in filled}) < len(filled):
                continue
            for question, answer in filled:
                made.setdefault(answer, set()).add(question)
    return {answer: [list(question) for question in sorted(made[answer])[:_MAX_RECOMBINED]] for answer in sorted(made)}


def pattern_of(question: Sequence[int], answer: Sequence[int]) -> Pattern:
    """The question with every token that the answer contains as a slot."""
    slots = {token: -1 - place for place, token in reversed(list(enumerate(answer)))}
    return tuple(slots.get(token, token) for token in question)


def fill(pattern: Pattern, answer: Sequence[int]) -> list[int]:
    """The question of this pattern about this answer."""
    return [answer[-1 - token] if token < 0 else token for token in pattern]


def group_answers(
    questions: Sequence[Sequence[int]], answer_of: Sequence[int], answers: Sequence[Sequence[int]]
) -> list[AnswerGroup]:
    """Groups of answers with a common pattern that agree in some token and differ in a slot; special cases are
    merged into the general ones."""
    users: dict[tuple[Pattern, int], set[int]] = {}
    for question, answer in zip(questions, answer_of, strict=True):
        key = (pattern_of(question, answers[answer]), len(answers[answer]))
        users.setdefault(key, set()).add(answer)
    found = []
    for (pattern, _), members in users.items():
        columns = zip(*(answers[answer] for answer in sorted(members)), strict=True)
        common = tuple(column[0] if len(set(column)) == 1 else None for column in columns)
        slots = [-1 - token for token in pattern if token < 0]
        if (
            len(members) > 1
            and any(token is not None for token in common)
            and any(common[slot] is None for slot in slots)
        ):
            found.append(AnswerGroup(common, {pattern}, members))
    found.sort(key=lambda group: sum(token is not None for token in group.common))
    merged: list[AnswerGroup] = []
    for group in found:
        general = next((other for other in merged if other.covers(group)), None)
        if general is None:
            merged.append(group)
        else:
            general.patterns |= group.patterns
            general.members |= group.members
    return merged
