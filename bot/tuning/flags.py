"""What a person should look at before a pair is trained: a sentence a doubt, as it is kept, by line."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from bot.storage.datasets import PairRow
from bot.tuning.checks import consistency as between
from bot.tuning.checks import content as texts
from bot.tuning.checks import grounding as proof
from bot.tuning.split import TRAIN

# What the same pair twice needs is no person: one of them is enough, and training keeps one.
SELF_EVIDENT = frozenset({between.DUPLICATE})


def flags_of(pairs: Sequence[PairRow], sources: Mapping[str, str]) -> dict[int, tuple[str, ...]]:
    """The doubts about each line; the questions that are held out are doubted like the others."""
    found: dict[int, list[str]] = defaultdict(list)
    held = [pair for pair in pairs if pair.role != TRAIN]
    trained = [pair for pair in pairs if pair.role == TRAIN]
    findings = [*proof.check(pairs, sources), *texts.check(pairs), *between.check(trained, held)]
    for finding in findings:
        if finding.kind not in SELF_EVIDENT:
            for line in finding.lines:
                found[line].append(finding.kept)
    return {line: tuple(dict.fromkeys(said)) for line, said in found.items()}
