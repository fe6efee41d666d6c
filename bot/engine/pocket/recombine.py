"""New questions from old ones: what is asked of one fact in these words can be asked of its sisters.

"Where did Vix Tor finish in the Naboo Cup?" — "Vix Tor finished first in the Naboo Cup."
"Where did Senn Kava finish in the Bespin Run?" — "Senn Kava finished third in the Bespin Run."

Words that the answer holds too are slots, numbered by their place there: both questions are the frame
"where did [0] [1] finish [4] [5] [6] [7]". Answers that share a frame and some fixed words are of one kind,
and every frame of a kind can be filled from each of its answers. That gives a fact the wordings of its
sisters, without anyone writing them, and without touching a fact that stands alone.

Three rules keep it honest: a frame counts only when the rows use it for two answers or more, so that a
chance phrase is never spread; the answers must agree in at least one word and differ in a slot; and a frame
that would contradict a row, or ask the same of two answers, is not used at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

Sentence = tuple[int, ...]
Frame = tuple[int, ...]
"""Numbers of words, and slots as negative numbers: -1 is the answer's first word."""

MOST = 24
"""Recombined questions an answer, so that a large dataset cannot outgrow the memory."""


@dataclass
class Kind:
    """Answers that are built alike: what they have in common, how they are asked for, which they are."""

    fixed: tuple[int | None, ...]
    frames: set[Frame]
    members: set[int]

    def covers(self, other: "Kind") -> bool:
        """Whether the other kind is a special case of this one, and shares an answer with it."""
        return (
            len(self.fixed) == len(other.fixed)
            and all(mine is None or mine == theirs for mine, theirs in zip(self.fixed, other.fixed, strict=True))
            and bool(self.members & other.members)
        )


def recombine(
    questions: Sequence[Sequence[int]], answer_of: Sequence[int], answers: Sequence[Sequence[int]]
) -> dict[int, list[list[int]]]:
    """Questions for every answer that has sisters, in a fixed order; rows are given as numbers of words."""
    known: dict[Sentence, int] = {
        tuple(question): answer for question, answer in zip(questions, answer_of, strict=True)
    }
    made: dict[int, set[Sentence]] = {}
    for kind in kinds(questions, answer_of, answers):
        for frame in kind.frames:
            filled = [(tuple(fill(frame, answers[answer])), answer) for answer in kind.members]
            contradicts = any(known.get(question, answer) != answer for question, answer in filled)
            if contradicts or len({question for question, _ in filled}) < len(filled):
                continue
            for question, answer in filled:
                made.setdefault(answer, set()).add(question)
    return {answer: [list(question) for question in sorted(made[answer])[:MOST]] for answer in sorted(made)}


def frame_of(question: Sequence[int], answer: Sequence[int]) -> Frame:
    """The question with every word that the answer holds as a slot."""
    places = {word: -1 - place for place, word in reversed(list(enumerate(answer)))}
    return tuple(places.get(word, word) for word in question)


def fill(frame: Frame, answer: Sequence[int]) -> list[int]:
    """The frame's question about this answer."""
    return [answer[-1 - word] if word < 0 else word for word in frame]


def kinds(questions: Sequence[Sequence[int]], answer_of: Sequence[int], answers: Sequence[Sequence[int]]) -> list[Kind]:
    """The kinds of answers that the rows show, special cases joined to the general ones."""
    users: dict[tuple[Frame, int], set[int]] = {}
    for question, answer in zip(questions, answer_of, strict=True):
        key = (frame_of(question, answers[answer]), len(answers[answer]))
        users.setdefault(key, set()).add(answer)
    found = []
    for (frame, _), members in users.items():
        columns = zip(*(answers[answer] for answer in sorted(members)), strict=True)
        fixed = tuple(column[0] if len(set(column)) == 1 else None for column in columns)
        slots = [-1 - word for word in frame if word < 0]
        if len(members) > 1 and any(word is not None for word in fixed) and any(fixed[slot] is None for slot in slots):
            found.append(Kind(fixed, {frame}, members))
    found.sort(key=lambda kind: sum(word is not None for word in kind.fixed))
    joined: list[Kind] = []
    for kind in found:
        home = next((other for other in joined if other.covers(kind)), None)
        if home is None:
            joined.append(kind)
        else:
            home.frames |= kind.frames
            home.members |= kind.members
    return joined
