"""The nearest questions: similar rows of a dataset, by the words that they share, the rarer the weightier.

They are a line of the scorecard and the rows behind **Where from?**; never an answerer, and never a cause.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

from bot.storage.datasets import PairRow
from bot.tuning.words import words


class Nearest:
    """An index of questions. Making it and asking it take time in proportion to the rows: off the event loop."""

    def __init__(self, pairs: Sequence[PairRow]) -> None:
        self._pairs = pairs
        bags = [frozenset(words(pair.question)) for pair in pairs]
        held = Counter(word for bag in bags for word in bag)
        self._weight = {word: math.log(1 + len(bags) / count) for word, count in held.items()}
        self._length = [math.sqrt(sum(self._weight[word] ** 2 for word in bag)) or 1.0 for bag in bags]
        self._holding: dict[str, list[int]] = defaultdict(list)
        for at, bag in enumerate(bags):
            for word in bag:
                self._holding[word].append(at)

    def find(self, question: str, most: int = 3) -> list[tuple[PairRow, float]]:
        """The nearest rows with their likeness from 0 to 1, the best first; none where no word is shared."""
        asked = {word: self._weight.get(word, 0.0) for word in set(words(question))}
        length = math.sqrt(sum(weight**2 for weight in asked.values())) or 1.0
        scores: dict[int, float] = defaultdict(float)
        for word, weight in asked.items():
            for at in self._holding.get(word, ()):
                scores[at] += weight * weight
        ranked = sorted(scores, key=lambda at: (-scores[at] / self._length[at], at))[:most]
        return [(self._pairs[at], scores[at] / (self._length[at] * length)) for at in ranked]
