"""Words: how a text becomes numbers, and how numbers become the text again, with its capitals and commas.

The model reads and writes plain words: lower case, no punctuation, no possessive 's. What a person types
is corrected to a known word where one edit is enough, so that a slip of the finger costs nothing.

Capitals and punctuation are not the model's work. `Spelling` remembers how every word of the training
answers was written, between which neighbours, and writes it the same way again.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

from bot.engine.pocket.model import UNKNOWN

SPECIAL = ("<pad>", "<unk>", "<answer>", "<end>")
"""In the order of the model's constants; none can be typed, since a word holds no angle bracket."""
SHORTEST_CORRECTED = 4
"""Shorter words are not corrected: too many are one edit apart and mean something else."""

# Chinese and Japanese write no spaces, so each of their characters is a word of its own.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+(?:['’][^\W_]+)*")


def split(text: str) -> list[tuple[str, str]]:
    """`text` as (plain word, the text from its start to the next word's); joined, the texts are `text`."""
    found = list(_WORD.finditer(text))
    cuts = [0] + [match.start() for match in found[1:]] + [len(text)]
    return [(plain(match.group()), text[cuts[i] : cuts[i + 1]]) for i, match in enumerate(found)]


def plain(word: str) -> str:
    """One word in lower case, without apostrophes and without the possessive 's."""
    word = unicodedata.normalize("NFKC", word).casefold().replace("’", "'")
    return word.removesuffix("'s").replace("'", "") or word


def words_of(text: str) -> list[str]:
    """The plain words of `text`."""
    return [word for word, _ in split(text)]


def one_edit(a: str, b: str) -> bool:
    """Whether one letter added, lost, changed, or swapped with its neighbour leads from `a` to `b`."""
    if abs(len(a) - len(b)) > 1:
        return False
    shorter = min(len(a), len(b))
    head = next((i for i in range(shorter) if a[i] != b[i]), shorter)
    tail = 0
    while tail < shorter - head and a[-1 - tail] == b[-1 - tail]:
        tail += 1
    a, b = a[head : len(a) - tail], b[head : len(b) - tail]
    return max(len(a), len(b)) <= 1 or (len(a) == 2 and a == b[::-1])


class Vocabulary:
    """The words that a model knows, in the order of their numbers."""

    def __init__(self, words: Sequence[str]) -> None:
        """`words` begin with `SPECIAL`; earlier ones win where a correction has several choices."""
        self.words = tuple(words)
        self.number = {word: i for i, word in enumerate(self.words)}
        # Two words that are one edit apart are equal after losing at most one letter each.
        self._shorter: dict[str, list[str]] = {}
        for word in self.words[len(SPECIAL) :]:
            for form in _shortened(word):
                self._shorter.setdefault(form, []).append(word)
        self.correct = lru_cache(maxsize=4096)(self._correct)

    @classmethod
    def learnt(cls, texts: Iterable[str], known: Sequence[str] = SPECIAL) -> "Vocabulary":
        """The words of `known`, then the new ones of `texts`, the most frequent first."""
        counts = Counter(word for text in texts for word in words_of(text))
        new = sorted(counts.keys() - set(known), key=lambda word: (-counts[word], word))
        return cls([*known, *new])

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, text: str) -> list[int]:
        """The numbers of the words of `text`, corrected; `UNKNOWN` where nothing is near."""
        return [self.correct(word) for word in words_of(text)]

    def _correct(self, word: str) -> int:
        if word in self.number or len(word) < SHORTEST_CORRECTED:
            return self.number.get(word, UNKNOWN)
        near = {known for form in _shortened(word) for known in self._shorter.get(form, ())}
        fits = [known for known in near if len(known) >= SHORTEST_CORRECTED and one_edit(word, known)]
        # People seldom miss the first letter; after that, the more frequent word is the likelier.
        fits.sort(key=lambda known: (known[0] != word[0], self.number[known]))
        return self.number[fits[0]] if fits else UNKNOWN


def _shortened(word: str) -> set[str]:
    """`word`, and `word` without each one of its letters."""
    return {word, *(word[:i] + word[i + 1 :] for i in range(len(word)))}


class Spelling:
    """How the words of the training answers are written."""

    def __init__(self, answers: Iterable[str]) -> None:
        """Counts every spelling under what stands around it, from the whole beginning to nothing at all."""
        self._counts: dict[tuple[str, ...], Counter[str]] = {}
        for answer in answers:
            pieces = split(answer)
            words = [word for word, _ in pieces]
            for i, (_, written) in enumerate(pieces):
                for key in _around(words[: i + 1], words[i + 1] if i + 1 < len(words) else ""):
                    self._counts.setdefault(key, Counter())[written] += 1

    def write(self, so_far: Sequence[str], following: str) -> str:
        """The last word of `so_far` as it is written before `following` ("" at the end of the answer)."""
        for key in _around(so_far, following):
            if key in self._counts:
                return self._counts[key].most_common(1)[0][0]
        return so_far[-1] + (" " if following else "")


def _around(so_far: Sequence[str], following: str) -> list[tuple[str, ...]]:
    """Keys for a word's spelling, the most telling first."""
    word, before = so_far[-1], so_far[-2] if len(so_far) > 1 else ""
    end = "" if following else "end"
    return [
        ("whole", *so_far, "|", following),
        ("both", before, word, following),
        ("after", word, following),
        ("place", word, end),
        ("word", word),
    ]
