"""Which texts are nearest to a text: by the words and the runs of letters that they share, rare ones counting more.

No model and no index: a trick has twenty examples at the most, and comparing them takes under a millisecond each.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence

WORD = re.compile(r"\w+")
# Letters in a run: three find “replaced” near “replacement”, and still tell most words apart.
RUN = 3


def nearest(text: str, candidates: Sequence[str], count: int) -> list[int]:
    """The places of the `count` candidates nearest to `text`, in their own order."""
    likenesses = _likenesses(text, candidates)
    best = sorted(range(len(candidates)), key=lambda place: (-likenesses[place], place))[:count]
    return sorted(best)


def likeness(one: str, other: str) -> float:
    """From 0 (nothing shared) to 1 (the same words)."""
    return _cosine(Counter(_features(one)), Counter(_features(other)))


def _likenesses(text: str, candidates: Sequence[str]) -> list[float]:
    """How near each candidate is; what most of them have counts little."""
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
    return words + [word[at : at + RUN] for word in marked for at in range(len(word) - RUN + 1)]
