"""The checker: everything that may be wrong with a dataset, as a report by kind with line numbers."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.core.i18n import _, ngettext
from bot.storage.datasets import PairRow
from bot.tuning import rows
from bot.tuning.checks import consistency as between
from bot.tuning.checks import content as texts
from bot.tuning.checks import format as form
from bot.tuning.checks import grounding as proof
from bot.tuning.checks import legacy
from bot.tuning.checks import statistics as whole
from bot.tuning.checks.finding import Finding
from bot.tuning.profiles import TUNABLES
from bot.tuning.rows import ANSWERABLE
from bot.tuning.split import HELD_OUT, NEVER_SEEN

# Lines that a report names for each kind before it counts the rest.
SHOWN = 50
# Characters of a token, for the estimate (`bot.llm.usage`); rounds of training that a price is given for.
PER_TOKEN, ROUNDS = 3.0, 3


@dataclass(frozen=True, slots=True)
class Report:
    """The findings, and what there is to know beside them. No findings mean that nothing is wrong."""

    title: str
    rows: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    def by_kind(self) -> dict[str, list[Finding]]:
        """The findings of each kind."""
        found: dict[str, list[Finding]] = defaultdict(list)
        for finding in self.findings:
            found[finding.kind].append(finding)
        return dict(found)

    @property
    def text(self) -> str:
        """The report for people."""
        lines = [self._head()]
        for kind, findings in sorted(self.by_kind().items()):
            lines.append(f"\n{_(kind)} ({len(findings)})")
            lines += [f"  {finding.sentence}" for finding in findings[:SHOWN]]
            if len(findings) > SHOWN:
                lines.append("  " + _("and {n:,} more", n=len(findings) - SHOWN))
        return "\n".join([*lines, "", *self.notes])

    def _head(self) -> str:
        """How much there is, and how much of it is wrong."""
        rows = ngettext("{n:,} row", "{n:,} rows", self.rows)
        if not self.findings:
            return _("{name}: {rows}, nothing found.", name=self.title, rows=rows)
        return ngettext(
            "{name}: {rows}, {n:,} finding.",
            "{name}: {rows}, {n:,} findings.",
            len(self.findings),
            name=self.title,
            rows=rows,
        )


def check_file(
    data: bytes,
    sources: Mapping[str, str] | None = None,
    held_out: Sequence[PairRow] = (),
    *,
    title: str = "dataset",
) -> Report:
    """The report on a file of JSON Lines, as it stands. `sources` are the texts that quotes are from."""
    read = form.read_rows(data)
    plain = [legacy.plain(pair) for pair in read.pairs]
    findings = [*read.findings, *_findings(plain, plain, sources, held_out, apart=True)]
    notes = [*legacy.notes(read.pairs, read.older), *_notes(plain)]
    return Report(title, len(read.pairs) + len(read.findings), _ordered(findings), tuple(notes))


def check_pairs(pairs: Sequence[PairRow], sources: Mapping[str, str], *, title: str = "dataset") -> Report:
    """The report on a dataset: its held-out questions are held against the rows that are trained."""
    held = [pair for pair in pairs if pair.role in (HELD_OUT, NEVER_SEEN)]
    trained = [pair for pair in pairs if pair.role not in (HELD_OUT, NEVER_SEEN)]
    findings = _findings(trained, pairs, sources, held)
    return Report(title, len(pairs), _ordered(findings), tuple(_notes(pairs)))


def fixed(data: bytes) -> str:
    """A mended copy of a file: messages, without what the older form added, empty rows and duplicates.

    What is not JSON is left out; what only a person can decide stays as it is.
    """
    read = form.read_rows(data)
    kept: dict[tuple[str, str], PairRow] = {}
    for pair in map(legacy.plain, read.pairs):
        if pair.question and pair.answer:
            kept.setdefault((pair.question.casefold(), pair.answer.casefold()), pair)
    return rows.as_lines(rows.as_json(pair) for pair in kept.values())


def _findings(
    trained: Sequence[PairRow],
    every: Sequence[PairRow],
    sources: Mapping[str, str] | None,
    held_out: Sequence[PairRow],
    *,
    apart: bool = False,
) -> list[Finding]:
    return [
        *texts.check(every),
        *proof.check(every, sources),
        *between.check(trained, held_out, apart=apart),
        *whole.check(trained),
    ]


def _ordered(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: (finding.lines, finding.kind)))


def _notes(pairs: Sequence[PairRow]) -> list[str]:
    """Size, balance, coverage, tokens and their price: no faults, but worth knowing."""
    if not pairs:
        return []
    facts = whole.wordings(pairs)
    sources = Counter(pair.source for pair in pairs if pair.source)
    characters = sum(len(pair.question) + len(pair.answer) for pair in pairs)
    tokens = int(characters / PER_TOKEN) * ROUNDS
    priced = [known for known in TUNABLES if known.training]
    prices = ", ".join(
        _("${usd:,.2f} on {model}", usd=known.training * tokens / 1_000_000, model=known.name)
        for known in priced
        if known.training
    )
    notes = [
        _(
            "Rows: {n:,}, of them with an answer: {answered:,}, refusals: {share:.0%}. Facts asked about: {facts:,}.",
            n=len(pairs),
            answered=sum(pair.kind == ANSWERABLE for pair in pairs),
            facts=len(facts),
            share=whole.refused_share(pairs),
        ),
        _(
            "Wordings of a fact: {least} to {most}.",
            least=min(facts.values(), default=0),
            most=max(facts.values(), default=0),
        ),
        _(
            "About {n:,} tokens in {rounds} rounds of training: {prices} (read {day}).",
            n=tokens,
            rounds=ROUNDS,
            prices=prices,
            day=TUNABLES[0].read,
        ),
    ]
    if sources:
        counted = ", ".join(f"{name} {count}" for name, count in sources.most_common(20))
        notes.append(_("Rows by source: {sources}.", sources=counted))
    return notes
