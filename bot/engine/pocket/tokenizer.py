"""Words as tokens: text to ids, and ids back to text with its capitals and punctuation.

The model reads and writes normalized words: lower case, no punctuation, no possessive 's. A misspelt word is
corrected to a known word that is one edit away.

The model does not predict capitals and punctuation. The `Detokenizer` remembers how every word of the training
answers was written, between which neighbours, and writes it that way again.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

from bot.core.words import WORD
from bot.engine.pocket.model import UNK

SPECIAL = ("<pad>", "<unk>", "<answer>", "<end>")
"""In the order of the ids in `model`. No text contains them, because a word has no angle brackets."""
MIN_CORRECTED = 4
"""Shorter words are not corrected: too many words of three letters are one edit apart."""


def split_words(text: str) -> list[tuple[str, str]]:
    """`text` as (normalized word, the text from its start to the start of the next word).

    The second parts joined are `text`, if it has a word.
    """
    found = list(WORD.finditer(text))
    cuts = [0] + [match.start() for match in found[1:]] + [len(text)]
    return [(normalize(match.group()), text[cuts[i] : cuts[i + 1]]) for i, match in enumerate(found)]


def normalize(word: str) -> str:
    """A word in lower case, without apostrophes and without the possessive 's."""
    word = unicodedata.normalize("NFKC", word).casefold().replace("’", "'")
    return word.removesuffix("'s").replace("'", "") or word


def words_of(text: str) -> list[str]:
    """The normalized words of `text`."""
    return [word for word, _ in split_words(text)]


def within_one_edit(a: str, b: str) -> bool:
    """Whether `a` becomes `b` by at most one insertion, deletion, substitution or swap of neighbours."""
    if abs(len(a) - len(b)) > 1:
        return False
    shorter = min(len(a), len(b))
    head = next((i for i in range(shorter) if a[i] != b[i]), shorter)
    tail = 0
    while tail < shorter - head and a[-1 - tail] == b[-1 - tail]:
        tail += 1
    a, b = a[head : len(a) - tail], b[head : len(b) - tail]
    return max(len(a), len(b)) <= 1 or (len(a) == 2 and a == b[::-1])


class Tokenizer:
    """The vocabulary of a model, in the order of its ids."""

    def __init__(self, vocab: Sequence[str]) -> None:
        """`vocab` begins with `SPECIAL`. Among several corrections, the word with the lowest id wins."""
        self.vocab = tuple(vocab)
        self.token_to_id = {word: i for i, word in enumerate(self.vocab)}
        # Two words that are one edit apart are equal after at most one deletion in each.
        self._by_deletion: dict[str, list[str]] = {}
        for word in self.vocab[len(SPECIAL) :]:
            for form in _deletions(word):
                self._by_deletion.setdefault(form, []).append(word)
        self.lookup = lru_cache(maxsize=4096)(self._lookup)

    @classmethod
    def train(cls, texts: Iterable[str], known: Sequence[str] = SPECIAL) -> "Tokenizer":
        """The words of `known`, then the new words of `texts`, the most frequent first."""
        counts = Counter(word for text in texts for word in words_of(text))
        new = sorted(counts.keys() - set(known), key=lambda word: (-counts[word], word))
        return cls([*known, *new])

    def __len__(self) -> int:
        return len(self.vocab)

    def encode(self, text: str) -> list[int]:
        """The ids of the words of `text`, after correction; `UNK` for a word without a near one."""
        return [self.lookup(word) for word in words_of(text)]

    def _lookup(self, word: str) -> int:
        if word in self.token_to_id or len(word) < MIN_CORRECTED:
            return self.token_to_id.get(word, UNK)
        near = {known for form in _deletions(word) for known in self._by_deletion.get(form, ())}
        fits = [known for known in near if len(known) >= MIN_CORRECTED and within_one_edit(word, known)]
        # People seldom mistype the first letter. Lower ids are more frequent words.
        fits.sort(key=lambda known: (known[0] != word[0], self.token_to_id[known]))
        return self.token_to_id[fits[0]] if fits else UNK


def _deletions(word: str) -> set[str]:
    """`word`, and `word` without each one of its letters."""
    return {word, *(word[:i] + word[i + 1 :] for i in range(len(word)))}


class Detokenizer:
    """How the words of the training answers are written, with capitals, punctuation and spaces."""

    def __init__(self, answers: Iterable[str]) -> None:
        """Counts every spelling by its context, from the whole beginning of the answer to the word alone."""
        self._spellings: dict[tuple[str, ...], Counter[str]] = {}
        for answer in answers:
            pieces = split_words(answer)
            words = [word for word, _ in pieces]
            for i, (_, written) in enumerate(pieces):
                for key in _context_keys(words[: i + 1], words[i + 1] if i + 1 < len(words) else ""):
                    self._spellings.setdefault(key, Counter())[written] += 1

    def decode_last(self, words: Sequence[str], following: str) -> str:
        """The last of `words` as it is written before `following` ("" at the end of the answer)."""
        for key in _context_keys(words, following):
            if key in self._spellings:
                return self._spellings[key].most_common(1)[0][0]
        return words[-1] + (" " if following else "")


def _context_keys(words: Sequence[str], following: str) -> list[tuple[str, ...]]:
    """Keys for the spelling of the last of `words`, the most specific first."""
    word, before = words[-1], words[-2] if len(words) > 1 else ""
    end = "" if following else "end"
    return [
        ("whole", *words, "|", following),
        ("both", before, word, following),
        ("after", word, following),
        ("place", word, end),
        ("word", word),
    ]
