"""Text similarity by words and letter n-grams: BM25 to choose among texts, the cosine of counts to compare two.

It needs no model and no index: a trick has at most twenty examples, for which a library's index would be slower.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence

WORD = re.compile(r"\w+")
# Length of letter n-grams. With three, “replaced” is similar to “replacement”, and most words stay distinct.
NGRAM = 3
# BM25's usual parameters: how soon a repeated feature stops counting, and how much a long text is discounted.
SATURATION, LENGTH_WEIGHT = 1.5, 0.75


def nearest(text: str, candidates: Sequence[str], count: int) -> list[int]:
    """The indices of the `count` candidates most similar to `text` by BM25, ascending."""
    scores = _bm25(text, candidates)
    best = sorted(range(len(candidates)), key=lambda place: (-scores[place], place))[:count]
    return sorted(best)


def likeness(one: str, other: str) -> float:
    """From 0 (nothing shared) to 1 (the same words)."""
    return _cosine(Counter(_features(one)), Counter(_features(other)))


def _bm25(text: str, candidates: Sequence[str]) -> list[float]:
    """The BM25 score of each candidate for the query `text`; features that most candidates share count little."""
    counted = [Counter(_features(candidate)) for candidate in candidates]
    having = Counter(feature for counts in counted for feature in counts)
    total = len(candidates)
    weights = {feature: math.log(1 + (total - n + 0.5) / (n + 0.5)) for feature, n in having.items()}
    lengths = [counts.total() for counts in counted]
    mean = sum(lengths) / max(total, 1) or 1.0
    query = [feature for feature in _features(text) if feature in weights]
    scores = []
    for counts, length in zip(counted, lengths, strict=True):
        bound = SATURATION * (1 - LENGTH_WEIGHT + LENGTH_WEIGHT * length / mean)
        found = (counts[feature] * weights[feature] / (counts[feature] + bound) for feature in query)
        scores.append(sum(found) * (SATURATION + 1))
    return scores


def _cosine(one: Counter[str], other: Counter[str]) -> float:
    product = sum(value * other.get(feature, 0) for feature, value in one.items())
    lengths = math.hypot(*one.values()) * math.hypot(*other.values())
    return float(product / lengths) if lengths else 0.0


def _features(text: str) -> list[str]:
    """Words, and runs of letters with the ends of words marked."""
    words = WORD.findall(text.casefold())
    marked = [f" {word} " for word in words]
    return words + [word[at : at + NGRAM] for word in marked for at in range(len(word) - NGRAM + 1)]
