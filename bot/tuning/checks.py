"""The checker: everything that may be wrong with a dataset, as a report by kind with line numbers.

Each check takes pairs and yields findings; none changes anything. `check_file` and `check_pairs` make the report;
`flags_of` picks the findings that a person should decide on before a pair is trained.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.core.i18n import N_, _, ngettext
from bot.storage.datasets import PairRow
from bot.tuning import rows
from bot.tuning.localized_text import serialize
from bot.tuning.profiles import AS_OF, CHARACTERS_PER_TOKEN, tunables
from bot.tuning.rows import ANSWERABLE, Finding
from bot.tuning.split import HELD_OUT, NEVER_SEEN, TRAIN, fact_of
from bot.tuning.words import ASKING, NUMBERS, SMALL, TIMES, bag_key, sentence_key, squeezed, words

# Translators: kinds of faults in a dataset, as headings. A mention names people or channels; a leak is a held-out
# question that is trained.
EMPTY, TOO_LONG, SECRET, MENTION = N_("empty"), N_("too long"), N_("secret"), N_("mention")
NO_QUESTION, WHOLE_QUOTE, NO_NUMBER = N_("no question"), N_("answer is its quote"), N_("no number")
UNSUPPORTED, NO_SUCH_QUOTE = N_("unsupported"), N_("quote not in source")
NO_SUCH_SOURCE, NO_PROOF = N_("unknown source"), N_("no quote")
DUPLICATE, CONTRADICTION, LEAK = N_("duplicate"), N_("contradiction"), N_("leak")
SMALL_SET, FEW_WORDINGS = N_("too few rows"), N_("few wordings")
REFUSALS, OPENING = N_("share of refusals"), N_("same opening")

# Findings of a kind that a report names before it counts the rest.
MAX_SHOWN = 50
# Epochs that the report gives a price for.
EPOCHS = 3
# Tokens of an example that OpenAI takes (fine-tuning guide, 2026-11-22), at the least characters a token has.
MAX_CHARACTERS = 65_536 * 3
# Words that the pocket GPT takes in an answer; of a longer question it reads the last 48.
POCKET_ANSWER = 128
# A quote of at least so many words is a sentence, and an answer that repeats all of it is too long.
SENTENCE_WORDS = 4
# OpenAI's minimum number of examples (fine-tuning guide, 2026-11-22); the chapter's own advice is a few hundred.
MIN_ROWS, ADVISED_ROWS = 10, 200
# Wordings of a fact below which unseen questions suffer (measured 2026-11-22: 50, 85, 94 % with 1, 2, 3).
ADVISED_WORDINGS = 3
# Share of facts that may have fewer: some things are asked in two ways at most.
MAX_THIN_FACTS = 0.1
# Shares of unanswerable rows between which a model learns to refuse and still answers.
MIN_REFUSALS, MAX_REFUSALS = 0.08, 0.35
# Share of questions that may begin with the same two words, in a set large enough to tell.
MAX_SAME_OPENING, MIN_FOR_OPENING = 0.3, 30
# Duplicates need no decision: training keeps one of them.
NO_DECISION = frozenset({DUPLICATE})

_SECRETS = re.compile(
    r"\bsk-[A-Za-z0-9_-]{16,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bAKIA[0-9A-Z]{16}\b|-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----"
    r"|\bxox[abprs]-[A-Za-z0-9-]{10,}|\b[MNO][A-Za-z\d_-]{23,27}\.[A-Za-z\d_-]{6}\.[A-Za-z\d_-]{27,}"
    r"|\b(?:password|passwd|api[_ -]?key|secret)\s{0,9}[:=]\s{0,9}\S{6,}|\bBearer\s{1,9}[A-Za-z0-9._-]{20,}",
    re.IGNORECASE,
)
_MENTIONS = re.compile(r"<@[!&]?\d{5,}>|<#\d{5,}>|@everyone\b|@here\b|discord\.gg/\w+")


_HOW_MANY = re.compile(r"\bhow\s+many\b|\bwie\s*viele\b|\bcombien\s+d['’e]", re.IGNORECASE)
_WHEN = re.compile(r"^\W*(?:when|wann|quand)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Report:
    """The findings, and notes that are no faults. No findings mean that nothing is wrong."""

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
            lines += [f"  {finding.sentence}" for finding in findings[:MAX_SHOWN]]
            if len(findings) > MAX_SHOWN:
                lines.append("  " + _("and {n:,} more", n=len(findings) - MAX_SHOWN))
        return "\n".join([*lines, "", *self.notes])

    def _head(self) -> str:
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
    """The report on a file of JSON Lines. `sources` are the texts that quotes are from, by name.

    `held_out` are questions that must not be among the rows.
    """
    read = rows.read_rows(data)
    pairs = read.pairs
    contexts = {row.pair.line: row.context for row in read.rows if row.context}
    leaks = N_("Line {line} has a held-out question: line {other} of the held-out file.")
    findings = [*read.findings, *_check_rows(pairs, sources), *_check_together(pairs, held_out, leaks, contexts)]
    findings += _check_whole(pairs)
    count = len(read.rows) + len(read.unreadable)
    return Report(title, count, _ordered(findings), (*rows.notes(read), *_notes(pairs)))


def check_pairs(pairs: Sequence[PairRow], sources: Mapping[str, str], *, title: str = "dataset") -> Report:
    """The report on a dataset: its held-out questions are compared with the rows that are trained."""
    held = [pair for pair in pairs if pair.role in (HELD_OUT, NEVER_SEEN)]
    trained = [pair for pair in pairs if pair.role not in (HELD_OUT, NEVER_SEEN)]
    findings = [*_check_rows(pairs, sources), *_check_together(trained, held), *_check_whole(trained)]
    return Report(title, len(pairs), _ordered(findings), tuple(_notes(pairs)))


def flags_of(pairs: Sequence[PairRow], sources: Mapping[str, str]) -> dict[int, tuple[str, ...]]:
    """What a person should decide on before a pair is trained: serialized sentences, by line."""
    found: dict[int, list[str]] = defaultdict(list)
    held = [pair for pair in pairs if pair.role != TRAIN]
    trained = [pair for pair in pairs if pair.role == TRAIN]
    for finding in (*_check_rows(pairs, sources), *_check_together(trained, held)):
        if finding.kind not in NO_DECISION:
            for line in finding.lines:
                found[line].append(finding.text)
    return {line: tuple(dict.fromkeys(notes)) for line, notes in found.items()}


def _ordered(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: (finding.lines, finding.kind)))


def _found(kind: str, line: int, message: str, **values: object) -> Finding:
    return Finding(kind, (line,), serialize(message, line=line, **values))


# --- single rows


def _check_rows(pairs: Sequence[PairRow], sources: Mapping[str, str] | None) -> Iterator[Finding]:
    """The findings for each single row. Without `sources`, quotes are only compared with the answers."""
    plain: dict[str, str] = {}
    for pair in pairs:
        yield from _check_texts(pair)
        if pair.question.strip() and pair.answer.strip():
            yield from _check_sense(pair)
            if pair.kind == ANSWERABLE and (pair.quote or pair.source):
                yield from _check_source(pair, sources, plain)
                yield from _check_quote(pair)


def _check_texts(pair: PairRow) -> Iterator[Finding]:
    """Texts that are empty or too long, or hold what no model may learn."""
    line, both = pair.line, f"{pair.question}\n{pair.answer}"
    if not pair.question.strip() or not pair.answer.strip():
        asked = N_("Line {line} has an empty question.")
        yield _found(EMPTY, line, asked if not pair.question.strip() else N_("Line {line} has an empty answer."))
    if len(both) > MAX_CHARACTERS:
        message = N_("Line {line} has {n:,} characters; no provider takes so many.")
        yield _found(TOO_LONG, line, message, n=len(both))
    elif len(pair.answer.split()) > POCKET_ANSWER:
        message = N_("Line {line} has an answer of {n:,} words; the pocket GPT takes {most}.")
        yield _found(TOO_LONG, line, message, n=len(pair.answer.split()), most=POCKET_ANSWER)
    if _SECRETS.search(both):
        yield _found(SECRET, line, N_("Line {line} contains what looks like a key or a password."))
    if _MENTIONS.search(both):
        yield _found(MENTION, line, N_("Line {line} mentions people, channels or servers of Discord."))


def _check_sense(pair: PairRow) -> Iterator[Finding]:
    """Questions that ask nothing, and answers that do not fit their question."""
    question = pair.question[:2_000]
    if not _asks(question, pair):
        yield _found(NO_QUESTION, pair.line, N_("Line {line} asks nothing: its question is a statement."))
    if pair.kind != ANSWERABLE:
        return
    answer_words = words(pair.answer[:2_000])
    has_number = any(map(str.isdigit, pair.answer)) or not NUMBERS.isdisjoint(answer_words)
    if _HOW_MANY.search(question) and not has_number:
        yield _found(NO_NUMBER, pair.line, N_("Line {line} asks how many, and its answer holds no number."))
    elif _WHEN.match(question) and not has_number and TIMES.isdisjoint(answer_words):
        yield _found(NO_NUMBER, pair.line, N_("Line {line} asks when, and its answer holds no time."))


def _asks(question: str, pair: PairRow) -> bool:
    """Whether a text is a question, a request, or a few words as people type them into a search box."""
    if any(mark in question for mark in "?？؟\u037e"):
        return any(map(str.isalnum, question))
    asked = words(question)
    if not asked or sentence_key(question) in (sentence_key(pair.quote), sentence_key(pair.answer)):
        return False
    # The words are English, German and French, so they tell nothing about a text in another script.
    if not ASKING.isdisjoint(asked) or not _is_latin(question):
        return True
    return not question.rstrip().endswith((".", "!"))


def _is_latin(text: str) -> bool:
    return all(unicodedata.name(char, "").startswith("LATIN") for char in text if char.isalpha())


def _check_source(pair: PairRow, sources: Mapping[str, str] | None, plain: dict[str, str]) -> Iterator[Finding]:
    """A source that does not exist, or does not contain the quote. `plain` caches the sources with single spaces."""
    if not pair.quote:
        yield _found(NO_PROOF, pair.line, N_("Line {line} names a source and quotes nothing from it."))
    elif sources is not None and pair.source not in sources:
        message = N_("Line {line}: there is no source {name}.")
        yield _found(NO_SUCH_SOURCE, pair.line, message, name=repr(pair.source[:60]))
    elif sources is not None:
        if pair.source not in plain:
            plain[pair.source] = squeezed(sources[pair.source])
        if squeezed(pair.quote) not in plain[pair.source]:
            message = N_("Line {line}: {source} has no such sentence as its quote.")
            yield _found(NO_SUCH_QUOTE, pair.line, message, source=pair.source)


def _check_quote(pair: PairRow) -> Iterator[Finding]:
    """An answer that its quote does not support, or that only repeats it."""
    if not pair.quote:
        return
    missing = unsupported(pair.answer, pair.quote)
    if missing:
        message = N_("Line {line}: the quote does not say {words}.")
        yield _found(UNSUPPORTED, pair.line, message, words=", ".join(missing[:5]))
    elif len(words(pair.answer)) >= SENTENCE_WORDS and sentence_key(pair.answer) == sentence_key(pair.quote):
        message = N_("Line {line} answers with its whole quote; a short answer is learnt better.")
        yield _found(WHOLE_QUOTE, pair.line, message)


def unsupported(answer: str, quote: str) -> list[str]:
    """The words of an answer that its quote does not hold, small ones apart, in their order."""
    there = set(words(quote))
    return [word for word in dict.fromkeys(words(answer)) if word not in there and word not in SMALL]


# --- rows together


def _check_together(
    pairs: Sequence[PairRow],
    held_out: Sequence[PairRow],
    leak: str = N_("Line {line} has the held-out question of line {other}."),
    contexts: Mapping[int, str] | None = None,
) -> Iterator[Finding]:
    """Duplicates and contradictions among `pairs`, and `held_out` questions that are among them.

    `contexts` are instructions and earlier turns by line: the same question after other words is another question.
    """
    before = contexts or {}
    for group in _groups(pairs, lambda pair: (before.get(pair.line, ""), sentence_key(pair.question))):
        if _differ(group):
            yield _found_together(CONTRADICTION, group, N_("Lines {lines} ask the same and answer differently."))
        else:
            yield _found_together(DUPLICATE, group, N_("Lines {lines} are the same pair."))
    named = [pair for pair in pairs if pair.fact and pair.kind == ANSWERABLE]
    for group in _groups(named, lambda pair: pair.fact):
        if _differ(group):
            message = N_("Lines {lines} answer the fact {fact} differently.")
            yield _found_together(CONTRADICTION, group, message, fact=group[0].fact)
    trained = {bag_key(pair.question): pair.line for pair in pairs}
    for pair in held_out:
        line = trained.get(bag_key(pair.question))
        if line is not None:
            yield _found(LEAK, line, leak, other=pair.line)


def _groups(pairs: Sequence[PairRow], key: Callable[[PairRow], Any]) -> Iterator[list[PairRow]]:
    """The groups of two and more pairs, with a question and an answer, that have the same `key`."""
    groups: dict[Any, list[PairRow]] = defaultdict(list)
    for pair in pairs:
        if pair.question.strip() and pair.answer.strip():
            groups[key(pair)].append(pair)
    return (group for group in groups.values() if len(group) > 1)


def _differ(group: Sequence[PairRow]) -> bool:
    """Whether a group has different answers."""
    return len({sentence_key(pair.answer) for pair in group}) > 1


def _found_together(kind: str, group: Sequence[PairRow], message: str, **values: object) -> Finding:
    lines = tuple(pair.line for pair in group)
    return Finding(kind, lines, serialize(message, lines=_list(lines), **values))


def _list(lines: tuple[int, ...]) -> str:
    shown = ", ".join(map(str, lines[:6]))
    return shown if len(lines) <= 6 else serialize(N_("{lines} and {n:,} more"), lines=shown, n=len(lines) - 6)


# --- the dataset as a whole


def _check_whole(pairs: Sequence[PairRow]) -> Iterator[Finding]:
    """Too few rows, wordings or refusals, too many refusals, and an opening that too many questions share."""
    if len(pairs) < MIN_ROWS:
        message = N_("Rows: {n:,}. Providers want at least {least}.")
        yield _found_in_all(SMALL_SET, message, n=len(pairs), least=MIN_ROWS)
    elif len(pairs) < ADVISED_ROWS:
        message = N_("There are {n:,} rows; a model learns from a few hundred on.")
        yield _found_in_all(SMALL_SET, message, n=len(pairs))
    counts = _wordings(pairs)
    thin = sum(count < ADVISED_WORDINGS for count in counts.values())
    if counts and thin > MAX_THIN_FACTS * len(counts):
        message = N_("Facts asked in fewer than {ways} ways: {n:,} of {total:,}. Other wordings will be missed.")
        yield _found_in_all(FEW_WORDINGS, message, n=thin, total=len(counts), ways=ADVISED_WORDINGS)
    share = _refused_share(pairs)
    if pairs and share < MIN_REFUSALS:
        message = N_(
            "{share:.0%} of the rows are refusals; below {least:.0%}, a model invents an answer to everything."
        )
        yield _found_in_all(REFUSALS, message, share=share, least=MIN_REFUSALS)
    elif share > MAX_REFUSALS:
        message = N_("{share:.0%} of the rows are refusals; above {most:.0%}, a model also refuses what it knows.")
        yield _found_in_all(REFUSALS, message, share=share, most=MAX_REFUSALS)
    openings = Counter(tuple(words(pair.question)[:2]) for pair in pairs)
    for opening, count in openings.most_common(1):
        if len(pairs) >= MIN_FOR_OPENING and count > MAX_SAME_OPENING * len(pairs):
            message = N_("{n:,} of {total:,} questions begin with “{words}”; people's questions vary more.")
            yield _found_in_all(OPENING, message, n=count, total=len(pairs), words=" ".join(opening))


def _found_in_all(kind: str, message: str, **values: object) -> Finding:
    return Finding(kind, (), serialize(message, **values))


def _wordings(pairs: Sequence[PairRow]) -> dict[str, int]:
    """How many different wordings each answerable fact has."""
    asked: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for pair in pairs:
        if pair.kind == ANSWERABLE and pair.answer.strip():
            asked[fact_of(pair)].add(sentence_key(pair.question))
    return {fact: len(forms) for fact, forms in asked.items()}


def _refused_share(pairs: Sequence[PairRow]) -> float:
    """The share of rows that answer with a refusal."""
    return sum(pair.kind != ANSWERABLE for pair in pairs) / len(pairs) if pairs else 0.0


def _notes(pairs: Sequence[PairRow]) -> list[str]:
    """Size, balance, coverage, tokens and their price. They are no faults."""
    if not pairs:
        return []
    facts = _wordings(pairs)
    sources = Counter(pair.source for pair in pairs if pair.source)
    characters = sum(len(pair.question) + len(pair.answer) for pair in pairs)
    tokens = int(characters / CHARACTERS_PER_TOKEN) * EPOCHS
    prices = ", ".join(
        _("${usd:,.2f} on {model}", usd=known.training * tokens / 1_000_000, model=known.name)
        for known in tunables()
        if known.training
    )
    notes = [
        _(
            "Rows: {n:,}, of them with an answer: {answered:,}, refusals: {share:.0%}. Facts asked about: {facts:,}.",
            n=len(pairs),
            answered=sum(pair.kind == ANSWERABLE for pair in pairs),
            facts=len(facts),
            share=_refused_share(pairs),
        ),
        _(
            "Wordings of a fact: {least} to {most}.",
            least=min(facts.values(), default=0),
            most=max(facts.values(), default=0),
        ),
        _(
            "About {n:,} tokens in {rounds} rounds of training: {prices} (read {day}).",
            n=tokens,
            rounds=EPOCHS,
            prices=prices,
            day=AS_OF,
        ),
    ]
    if sources:
        counted = ", ".join(f"{name} {count}" for name, count in sources.most_common(20))
        notes.append(_("Rows by source: {sources}.", sources=counted))
    return notes
