"""What rows are wrong together: the same pair twice, one question with two answers, held-out questions trained."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bot.core.i18n import N_
from bot.storage.datasets import PairRow
from bot.tuning.checks.finding import Finding
from bot.tuning.localized_text import kept
from bot.tuning.rows import ANSWERABLE
from bot.tuning.words import bag_key, sentence_key

# Translators: kinds of faults in a dataset, as headings; a leak is a question of the exam that is trained.
DUPLICATE, CONTRADICTION, LEAK = N_("duplicate"), N_("contradiction"), N_("leak")


def check(pairs: Sequence[PairRow], held_out: Sequence[PairRow] = (), *, apart: bool = False) -> Iterator[Finding]:
    """Findings between `pairs`, and of `held_out` questions that are among them; `apart`: in a file of their own."""
    for rows in _together(pairs, lambda pair: sentence_key(pair.question)):
        lines = tuple(pair.line for pair in rows)
        if len({sentence_key(pair.answer) for pair in rows}) > 1:
            text = kept(N_("Lines {lines} ask the same and answer differently."), lines=_list(lines))
            yield Finding(CONTRADICTION, lines, text)
        else:
            text = kept(N_("Lines {lines} are the same pair."), lines=_list(lines))
            yield Finding(DUPLICATE, lines, text, fixable=True)
    yield from _facts(pairs)
    trained = {bag_key(pair.question): pair.line for pair in pairs}
    here = N_("Line {line} has the held-out question of line {other}.")
    there = N_("Line {line} has a held-out question: line {other} of the held-out file.")
    for pair in held_out:
        line = trained.get(bag_key(pair.question))
        if line is not None:
            yield Finding(LEAK, (line,), kept(there if apart else here, line=line, other=pair.line))


def _facts(pairs: Sequence[PairRow]) -> Iterator[Finding]:
    """A fact by name that has two answers."""
    named = [pair for pair in pairs if pair.fact and pair.kind == ANSWERABLE and pair.answer.strip()]
    for rows in _together(named, lambda pair: pair.fact):
        if len({sentence_key(pair.answer) for pair in rows}) > 1:
            lines = tuple(pair.line for pair in rows)
            text = N_("Lines {lines} answer the fact {fact} differently.")
            yield Finding(CONTRADICTION, lines, kept(text, lines=_list(lines), fact=rows[0].fact))


def _together(pairs: Sequence[PairRow], key: Callable[[PairRow], Any]) -> Iterator[list[PairRow]]:
    """The groups of two and more with the same `key`."""
    groups: dict[Any, list[PairRow]] = defaultdict(list)
    for pair in pairs:
        if pair.question.strip() and pair.answer.strip():
            groups[key(pair)].append(pair)
    return (rows for rows in groups.values() if len(rows) > 1)


def _list(lines: tuple[int, ...]) -> str:
    shown = ", ".join(str(line) for line in lines[:6])
    return shown if len(lines) <= 6 else kept(N_("{lines} and {n:,} more"), lines=shown, n=len(lines) - 6)
