"""The scorecard: how many of which questions a model answers rightly, refuses, or gets wrong."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from bot.core.i18n import N_, _
from bot.storage.datasets import PairRow
from bot.tuning.localized_text import told
from bot.tuning.refusals import STAND_IN_REFUSAL
from bot.tuning.rows import ANSWERABLE
from bot.tuning.words import same_answer, sentence_key, words

# Wrong answers that a card keeps, to be read by people.
SHOWN_WRONG = 40
# The lines of a card, by the names under which they are kept and shown as a table.
TRAINED, HELD, NOISY = N_("train"), N_("held-out"), N_("noisy")
REFUSED_HELD, REFUSED_UNSEEN = N_("refusals, held-out"), N_("refusals, never seen")
FIRST_APART = N_("first 100 written apart")
NEAREST, BASE, BASE_WITH_FACTS = N_("nearest question's answer"), N_("base"), N_("base, with the facts")


@dataclass(frozen=True, slots=True)
class Mark:
    """One line. `right` counts proper refusals too; `refused` are answers that were known and not given. `note` is
    kept (`bot.tuning.localized_text`), `remark` what it says.
    """

    name: str
    right: int
    refused: int
    wrong: int
    model: str = ""
    note: str = ""

    @property
    def total(self) -> int:
        """The questions asked."""
        return self.right + self.refused + self.wrong

    @property
    def remark(self) -> str:
        """The note in the language that is spoken now."""
        return told(self.note)

    @property
    def share(self) -> float:
        """The share that is right; 1 where nothing was asked."""
        return self.right / self.total if self.total else 1.0


@dataclass(frozen=True, slots=True)
class Wrong:
    """A wrong answer."""

    mark: str
    question: str
    wanted: str
    said: str


@dataclass(frozen=True, slots=True)
class Scorecard:
    """All lines of one model; `at` in seconds since 1970."""

    model: str
    at: float
    marks: tuple[Mark, ...]
    wrong: tuple[Wrong, ...] = field(default=())

    def mark(self, name: str) -> Mark | None:
        """The line of that name."""
        return next((mark for mark in self.marks if mark.name == name), None)

    def share(self, *names: str) -> float | None:
        """The share that is right over several lines; None where none of them asked anything."""
        found = [mark for name in names if (mark := self.mark(name)) is not None and mark.total]
        return sum(mark.right for mark in found) / sum(mark.total for mark in found) if found else None

    def to_json(self) -> str:
        """For the database."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Scorecard":
        """What `to_json` made."""
        data: dict[str, Any] = json.loads(text)
        marks = tuple(Mark(**mark) for mark in data["marks"])
        return cls(data["model"], data["at"], marks, tuple(Wrong(**wrong) for wrong in data["wrong"]))


def judge(said: str, pair: PairRow, refusal: str, *, loosely: bool = False) -> str:
    """`right`, `refused` or `wrong`. A model that was never trained on our short answers is judged `loosely`:
    a sentence that holds the answer is right.
    """
    if not said.strip():
        return "refused"
    refuses = same_answer(said, refusal) or said.strip() == STAND_IN_REFUSAL
    if pair.kind != ANSWERABLE:
        return "right" if refuses else "wrong"
    if same_answer(said, pair.answer) or (loosely and not refuses and _holds(said, pair.answer)):
        return "right"
    return "refused" if refuses else "wrong"


def mark_of(
    name: str,
    answered: Iterable[tuple[PairRow, str]],
    refusal: str,
    *,
    loosely: bool = False,
    model: str = "",
    note: str = "",
) -> tuple[Mark, list[Wrong]]:
    """The line for `answered`, and its wrong answers."""
    counts = {"right": 0, "refused": 0, "wrong": 0}
    wrong = []
    for pair, said in answered:
        verdict = judge(said, pair, refusal, loosely=loosely)
        counts[verdict] += 1
        if verdict == "wrong":
            wrong.append(Wrong(name, pair.question, pair.answer, said))
    return Mark(name, counts["right"], counts["refused"], counts["wrong"], model, note), wrong


def table(card: Scorecard) -> str:
    """The card as a table of plain text."""
    lines = [f"{'questions':<30} {'right':>13} {'refused':>8} {'wrong':>6}"]
    for mark in card.marks:
        if not mark.total:
            remark = mark.remark or _("none asked")
            lines.append(f"{_(mark.name):<30} {remark:>13}")
            continue
        right = f"{mark.right}/{mark.total} {mark.share:>4.0%}"
        note = f"  {mark.remark}" if mark.note else ""
        lines.append(f"{_(mark.name):<30} {right:>13} {mark.refused:>8} {mark.wrong:>6}{note}")
    return "\n".join(lines)


def side_by_side(left: Scorecard, right: Scorecard, titles: tuple[str, str]) -> str:
    """Two cards beside each other: the lines that are the models' own and that both have."""
    lines = [f"{'questions':<30} {titles[0]:>22} {titles[1]:>22}"]
    for mark in left.marks:
        other = right.mark(mark.name)
        if mark.model == left.model and mark.total and other is not None and other.total:
            lines.append(f"{_(mark.name):<30} {_short(mark):>22} {_short(other):>22}")
    return "\n".join(lines)


def _short(mark: Mark) -> str:
    return f"{mark.right}/{mark.total} {mark.share:.0%}, {mark.wrong} wrong"


def _holds(said: str, wanted: str) -> bool:
    """Whether the words of `wanted` stand in `said`, in their order and together."""
    needle = [word for word in words(wanted) if word not in ("a", "an", "the")]
    hay = [word for word in sentence_key(said) if word not in ("a", "an", "the")]
    return bool(needle) and any(hay[at : at + len(needle)] == needle for at in range(len(hay) - len(needle) + 1))
