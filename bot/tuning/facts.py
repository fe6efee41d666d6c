"""The facts that go into a prompt in place of tuning: the whole corpus where it fits, else what is likeliest."""

import math
from collections import Counter
from dataclasses import dataclass

from bot.core.i18n import _
from bot.tuning.corpus import Corpus, chunks_of
from bot.tuning.words import words

# Characters of facts in a prompt: some 6,000 tokens.
ROOM = 24_000
PARAGRAPH = 800


@dataclass(frozen=True, slots=True)
class Facts:
    """A corpus for prompts. `whole` says that all of it fits; `pieces` are its paragraphs else."""

    text: str
    pieces: tuple[str, ...]
    bags: tuple[frozenset[str], ...]
    weight: dict[str, float]

    @property
    def whole(self) -> bool:
        """Whether every prompt holds the whole corpus."""
        return not self.pieces

    @property
    def how(self) -> str:
        """How the facts are chosen, in a sentence."""
        if self.whole:
            return _("The whole corpus fits into the prompt.")
        return _(
            "The corpus does not fit into a prompt: of its {n:,} paragraphs those that share the rarest words with the "
            "question are in it, up to {most:,} characters.",
            n=len(self.pieces),
            most=ROOM,
        )

    def about(self, question: str) -> str:
        """The facts for a question, in the order in which they stand in the corpus."""
        if self.whole:
            return self.text
        asked = set(words(question))
        scores = [sum(self.weight[word] for word in asked & bag) for bag in self.bags]
        chosen: list[int] = []
        room = ROOM
        for at in sorted(range(len(scores)), key=lambda at: (-scores[at], at)):
            if not scores[at] or len(self.pieces[at]) > room:
                break
            chosen.append(at)
            room -= len(self.pieces[at])
        return "\n\n".join(self.pieces[at] for at in sorted(chosen))


def facts_for(corpus: Corpus) -> Facts:
    """The facts of a corpus. Reads its texts, so it belongs off the event loop for a large one."""
    text = "\n\n".join(text.strip() for _source, text in corpus.texts())
    if len(text) <= ROOM:
        return Facts(text, (), (), {})
    pieces = tuple(chunk.text for source, whole in corpus.texts() for chunk in chunks_of(source, whole, PARAGRAPH))
    bags = tuple(frozenset(words(piece)) for piece in pieces)
    held = Counter(word for bag in bags for word in bag)
    return Facts("", pieces, bags, {word: math.log(1 + len(bags) / count) for word, count in held.items()})
