"""Text similarity: the cosine of word and letter n-gram counts, weighted by inverse document frequency.

It needs no model and no index: a trick has at most twenty examples, and a comparison takes under a millisecond.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence

WORD = re.compile(r"\w+")
# Length of letter n-grams. With three, “replaced” is similar to “replacement”, and most words stay distinct.
NGRAM = 3


def nearest(text: str, candidates: Sequence[str], count: int) -> list[int]:
    """The indices of the `count` candidates most similar to `text`, ascending."""
    likenesses = _likenesses(text, candidates)
    best = sorted(range(len(candidates)), key=lambda place: (-likenesses[place], place))[:count]
    return sorted(best)


def likeness(one: str, other: str) -> float:
    """From 0 (nothing shared) to 1 (the same words)."""
    return _cosine(Counter(_features(one)), Counter(_features(other)))


def _likenesses(text: str, candidates: Sequence[str]) -> list[float]:
    """The similarity of each candidate; features that most candidates share count little."""
    counted = [Counter(_features(candidate)) for candidate in candidates]
    having = Counter(feature for counts in counted for feature in counts)
    weights = {feature: math.log((1 + len(candidates)) / count) for feature, count in having.items()}
    wanted = _weighted(Counter(_features(text)), weights)
    return [_cosine(wanted, _weighted(counts, weights)) for counts in counted]


def _weighted(counts: Counter[str], weights: dict[str, float]) -> dict[str, float]:
    return {feature: count * weights[feature] for feature, count in counts.items() if feature in weights}


def _cosine(one: dict[str, float] | Counter[str], other: dict[str, float] | Counter[str]) -> float:
    product = sum(value * other.get(feature, 0) for feature, value in one.items())
    lengths = math.hypot(*one.values()) * math.hypot(*other.values())
    return float(product / lengths) if lengths else 0.0


def _features(text: str) -> list[str]:
    """Words, and runs of letters with the ends of words marked."""
    words = WORD.findall(text.casefold())
    marked = [f" {word} " for word in words]
    return words + [word[at : at + NGRAM] for word in marked for at in range(len(word) - NGRAM + 1)]
