"""Retrieval by shared words: the rarer a word, the more it counts (inverse document frequency).

`NearestQuestions` finds training rows like a question: a baseline in the scorecard, and the rows behind **Where
from?**. `Facts` are the texts that a prompt holds where the base model is asked without tuning.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bot.core.i18n import _
from bot.storage.datasets import PairRow
from bot.tuning.corpus import Corpus, chunks_of
from bot.tuning.words import words

# Characters of facts in a prompt, about 6,000 tokens, and of each paragraph that is chosen or not.
MAX_FACTS, PARAGRAPH = 24_000, 800


class NearestQuestions:
    """An index of questions. Build it in a thread: the time is in proportion to the rows."""

    def __init__(self, pairs: Sequence[PairRow]) -> None:
        self._pairs = pairs
        bags = [frozenset(words(pair.question)) for pair in pairs]
        self._weight = _weights(bags)
        self._length = [math.sqrt(sum(self._weight[word] ** 2 for word in bag)) or 1.0 for bag in bags]
        self._rows: dict[str, list[int]] = defaultdict(list)
        for at, bag in enumerate(bags):
            for word in bag:
                self._rows[word].append(at)

    def find(self, question: str, limit: int = 3) -> list[tuple[PairRow, float]]:
        """At most `limit` rows with their cosine similarity from 0 to 1, best first; none where no word is shared."""
        asked = {word: self._weight.get(word, 0.0) for word in set(words(question))}
        length = math.sqrt(sum(weight**2 for weight in asked.values())) or 1.0
        scores: dict[int, float] = defaultdict(float)
        for word, weight in asked.items():
            for at in self._rows.get(word, ()):
                scores[at] += weight * weight
        ranked = sorted(scores, key=lambda at: (-scores[at] / self._length[at], at))[:limit]
        return [(self._pairs[at], scores[at] / (self._length[at] * length)) for at in ranked]


@dataclass(frozen=True, slots=True)
class Facts:
    """A corpus for prompts: `text` where all of it fits, else its `paragraphs` with their words and weights."""

    text: str
    paragraphs: tuple[str, ...] = ()
    bags: tuple[frozenset[str], ...] = ()
    weight: Mapping[str, float] = field(default_factory=dict)

    @property
    def how(self) -> str:
        """A sentence that says how the facts are chosen."""
        if not self.paragraphs:
            return _("The whole corpus fits into the prompt.")
        return _(
            "The corpus does not fit into a prompt: of its {n:,} paragraphs those that share the rarest words with the "
            "question are in it, up to {most:,} characters.",
            n=len(self.paragraphs),
            most=MAX_FACTS,
        )

    def about(self, question: str) -> str:
        """The facts for a question, in the order of the corpus, at most `MAX_FACTS` characters."""
        if not self.paragraphs:
            return self.text
        asked = set(words(question))
        scores = [sum(self.weight[word] for word in asked & bag) for bag in self.bags]
        chosen: list[int] = []
        left = MAX_FACTS
        for at in sorted(range(len(scores)), key=lambda at: (-scores[at], at)):
            if not scores[at] or len(self.paragraphs[at]) > left:
                break
            chosen.append(at)
            left -= len(self.paragraphs[at])
        return "\n\n".join(self.paragraphs[at] for at in sorted(chosen))


def facts_of(corpus: Corpus) -> Facts:
    """The facts of a corpus. Reads its files: call it in a thread."""
    text = "\n\n".join(text.strip() for _source, text in corpus.texts())
    if len(text) <= MAX_FACTS:
        return Facts(text)
    pieces = tuple(chunk.text for source, whole in corpus.texts() for chunk in chunks_of(source, whole, PARAGRAPH))
    bags = tuple(frozenset(words(piece)) for piece in pieces)
    return Facts("", pieces, bags, _weights(bags))


def _weights(bags: Sequence[Iterable[str]]) -> dict[str, float]:
    """The weight of each word: the logarithm of how rare it is among the bags."""
    count = Counter(word for bag in bags for word in bag)
    return {word: math.log(1 + len(bags) / n) for word, n in count.items()}
