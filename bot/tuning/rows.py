"""Rows of a dataset in JSON Lines: read, written, and mended without losing what they hold.

Two forms are read: `{"messages": [...]}`, which is also written, and the older `{"prompt", "completion"}`. Our own rows
have fact, kind, source and quote beside the messages. A `PairRow` holds the last question and answer of a row; `Row`
holds everything.
"""

import codecs
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bot.core.errors import InputError
from bot.core.i18n import N_, _, ngettext
from bot.core.json_text import without_surrogates, without_surrogates_in
from bot.storage.datasets import PairRow
from bot.tuning.localized_text import localize, serialize
from bot.tuning.words import REFUSAL, sentence_key

ANSWERABLE, UNANSWERABLE, OFF_TOPIC = "answerable", "unanswerable", "off-topic"
KINDS = (ANSWERABLE, UNANSWERABLE, OFF_TOPIC)
# An answer that at least so many rows have is not the answer to one question.
MIN_REPEATED = 3
_NO = frozenset({"not", "no", "cannot", "cant", "dont", "doesnt", "isnt", "none", "nothing", "sorry", "unknown"})

# Bytes of a file that is read whole: OpenAI takes no larger one (512 MB, fine-tuning guide, 2026-11-22).
MAX_FILE = 512 * 1024 * 1024
# Translators: kinds of faults in a dataset, as headings.
NOT_UTF8, NOT_JSON, SHAPE = N_("not UTF-8"), N_("not JSON"), N_("wrong shape")
# Lines without a row that can be trained.
UNREADABLE = frozenset({NOT_UTF8, NOT_JSON, SHAPE})
HALF_CHARACTER = N_("half a character")
ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})

# What models before chat models needed: a separator where the question ends, a space before the answer, and a stop
# string behind it. Chat models have roles instead, and would only learn to write these.
_SEPARATOR = re.compile(r"(?:###|->|=>)\s*\Z")
_STOP = re.compile(r"(?:###|\bEND\b|<\|endoftext\|>)\s*\Z")
# Share of the rows in the older form that must end in a sign for it to be one.
MIN_SHARE = 0.5
SPACES = N_(
    "Answers that begin with a space: {n:,}. Older tokenizers joined it to the first word; chat models need none, and "
    "--fix removes it."
)
SEPARATORS = N_(
    "Questions that end with a separator: {n:,}. It told older models where the question ended; chat models need none, "
    "and --fix removes it."
)
STOPS = N_(
    "Answers that end with a stop string: {n:,}. It told older models where to stop; chat models need none, and --fix "
    "removes it."
)
# Lines that a note lists.
MAX_LISTED = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault of a dataset. `lines` count from 1; a fault of the whole has none. `text` is its sentence, serialized."""

    kind: str
    lines: tuple[int, ...]
    text: str

    @property
    def sentence(self) -> str:
        """The fault in the reader's language."""
        return localize(self.text)


@dataclass(frozen=True, slots=True)
class Row:
    """A row with `messages`, whichever form it was read in, and its last question and answer as a pair."""

    value: dict[str, Any]
    pair: PairRow
    older: bool

    @property
    def context(self) -> str:
        """What comes before the question and belongs to it: earlier turns and instructions; empty in most rows."""
        return json.dumps(self.value["messages"][:-2], sort_keys=True) if len(self.value["messages"]) > 2 else ""


@dataclass(slots=True)
class ReadRows:
    """The rows of a file, and what is wrong with its lines."""

    rows: list[Row] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def pairs(self) -> list[PairRow]:
        """The last question and answer of each row, with its kind, without the signs of the older form."""
        return [row.pair for row in self.rows]

    @property
    def unreadable(self) -> list[Finding]:
        """The lines that hold no row."""
        return [finding for finding in self.findings if finding.kind in UNREADABLE]


def read_file(file: Path) -> bytes:
    """The contents of a file. Raises `InputError` where it cannot be read or has more than `MAX_FILE` bytes."""
    try:
        if file.stat().st_size > MAX_FILE:
            raise InputError(
                "{file} is larger than {most:,} bytes, the most that providers take.", file=file.name, most=MAX_FILE
            )
        return file.read_bytes()
    except OSError as error:
        raise InputError("{file} cannot be read: {reason}.", file=file.name, reason=error.strerror) from None


def read_rows(data: bytes) -> ReadRows:
    """Every line of a file in UTF-8, or in UTF-16 with its byte order mark; empty lines are skipped."""
    read = ReadRows()
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # what PowerShell's `>` writes
        data = data.decode("utf-16", "replace").encode("utf-8", "replace")
    for line, raw in enumerate(data.removeprefix(codecs.BOM_UTF8).split(b"\n"), 1):
        if raw.strip():
            _read_line(read, line, raw)
    pairs = with_kinds([row.pair for row in read.rows])
    separators, stops = _signs(read.rows)
    read.rows = [
        replace(row, pair=_without_signs(pair, row, separators, stops))
        for row, pair in zip(read.rows, pairs, strict=True)
    ]
    return read


def _read_line(read: ReadRows, line: int, raw: bytes) -> None:
    """Add a line's row to what was read, or what is wrong with it."""
    try:
        value = json.loads(raw.decode("utf-8"))
        clean = without_surrogates_in(value)
    except UnicodeDecodeError as error:
        message = N_("Line {line} is not UTF-8: its byte {byte} cannot be read.")
        read.findings.append(Finding(NOT_UTF8, (line,), serialize(message, line=line, byte=error.start + 1)))
        return
    except (ValueError, RecursionError):
        read.findings.append(Finding(NOT_JSON, (line,), serialize(N_("Line {line} is not JSON."), line=line)))
        return
    problem = _problem(clean, line)
    if problem:
        read.findings.append(Finding(SHAPE, (line,), problem))
        return
    if clean != value:
        message = N_("Line {line} holds half a character, which no file can hold; it is replaced.")
        read.findings.append(Finding(HALF_CHARACTER, (line,), serialize(message, line=line)))
    older = "messages" not in clean
    if older:
        clean = _as_messages(clean)
    read.rows.append(Row(clean, pair(clean, line), older))


def _problem(value: Any, line: int) -> str:
    """What is wrong with a row's shape, serialized; empty where nothing is."""
    if not isinstance(value, dict):
        return serialize(N_("Line {line} is not a JSON object."), line=line)
    if "messages" in value:
        return _problem_of(value["messages"], line)
    if not {"prompt", "completion"} <= value.keys():
        return serialize(N_('Line {line} has neither "messages" nor "prompt" and "completion".'), line=line)
    if isinstance(value["prompt"], str) and isinstance(value["completion"], str):
        return ""
    return serialize(N_("Line {line} has a prompt or a completion that is no text."), line=line)


def _problem_of(messages: Any, line: int) -> str:
    if not isinstance(messages, list) or len(messages) < 2:
        return serialize(N_("Line {line} needs at least two messages, the question and the answer."), line=line)
    for message in messages:
        if not isinstance(message, dict) or not _has_content(message):
            return serialize(N_("Line {line} has a message without a text."), line=line)
        if not isinstance(message.get("role"), str) or message["role"] not in ROLES:
            role = repr(str(message.get("role"))[:30])
            return serialize(N_("Line {line} has a message of the unknown role {role}."), line=line, role=role)
    if messages[-1]["role"] != "assistant":
        return serialize(N_("Line {line} does not end with the assistant's answer."), line=line)
    if messages[-2]["role"] not in ("user", "tool", "function"):
        return serialize(N_("Line {line} has no user's question before the answer."), line=line)
    return ""


def _has_content(message: Mapping[str, Any]) -> bool:
    """Whether a message has a text, parts with texts, or calls of tools."""
    content = message.get("content")
    if isinstance(content, list):
        return any(isinstance(part, dict) and isinstance(part.get("text"), str) for part in content)
    return isinstance(content, str) or (content is None and bool(message.get("tool_calls")))


def _content(message: Mapping[str, Any]) -> str:
    """The text of a message, of parts too; calls of tools as JSON."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = [part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)]
        return "\n".join(texts)
    return json.dumps(message.get("tool_calls"), ensure_ascii=False)


def _as_messages(value: dict[str, Any]) -> dict[str, Any]:
    """A row of the older form with `messages` in place of prompt and completion."""
    messages = [
        {"role": "user", "content": value["prompt"]},
        {"role": "assistant", "content": value["completion"]},
    ]
    return {**{key: text for key, text in value.items() if key not in ("prompt", "completion")}, "messages": messages}


def pair(row: Mapping[str, Any], line: int) -> PairRow:
    """The last question and answer of a row of the right shape; a member that is missing is empty, the kind too."""
    return PairRow(
        line=line,
        fact=str(row.get("fact") or ""),
        kind=row["kind"] if row.get("kind") in KINDS else "",
        question=_content(row["messages"][-2]),
        answer=_content(row["messages"][-1]),
        source=str(row.get("source") or ""),
        quote=str(row.get("quote") or ""),
    )


def with_kinds(pairs: Sequence[PairRow]) -> list[PairRow]:
    """Pairs with a kind where their rows named none: a repeated answer that says no and quotes nothing is a refusal."""
    bare = Counter(sentence_key(pair.answer) for pair in pairs if not pair.quote)
    refusals = {answer for answer, count in bare.items() if count >= MIN_REPEATED and _NO.intersection(answer)}

    def kind(pair: PairRow) -> str:
        return UNANSWERABLE if not pair.quote and sentence_key(pair.answer) in refusals else ANSWERABLE

    return [pair if pair.kind else replace(pair, kind=kind(pair)) for pair in pairs]


def as_json(pair: PairRow) -> dict[str, Any]:
    """A pair as a row; `pair` of the row gives an equal pair."""
    row: dict[str, Any] = {
        "fact": pair.fact,
        "kind": pair.kind,
        "messages": [{"role": "user", "content": pair.question}, {"role": "assistant", "content": pair.answer}],
    }
    if pair.source or pair.quote:
        row |= {"source": pair.source, "quote": pair.quote}
    return row


def as_lines(rows: Iterable[Mapping[str, Any]]) -> str:
    """JSON Lines, with letters of all scripts unescaped."""
    return "".join(without_surrogates(json.dumps(row, ensure_ascii=False)) + "\n" for row in rows)


def refusal_of(pairs: Iterable[PairRow], corpus: str) -> str:
    """The answer that most of these pairs refuse with, or `REFUSAL` where none refuses."""
    given = [pair.answer for pair in pairs if pair.kind != ANSWERABLE]
    return max(sorted(set(given)), key=given.count) if given else REFUSAL.format(corpus=corpus)


# --- the older form


def _signs(rows: Sequence[Row]) -> tuple[frozenset[str], frozenset[str]]:
    """The separators and the stop strings that the file uses as such: see `_shared`."""
    questions = [(row.older, _sign(_SEPARATOR, row.pair.question)) for row in rows]
    answers = [(row.older, _sign(_STOP, row.pair.answer)) for row in rows]
    return _shared(questions), _shared(answers)


def _sign(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[0].strip() if found else ""


def _shared(ends: Sequence[tuple[bool, str]]) -> frozenset[str]:
    """The signs that half of the rows in the older form end in, or that all rows of the file end in."""
    found: set[str] = set()
    older = [sign for is_older, sign in ends if is_older]
    found |= {sign for sign, count in Counter(older).items() if sign and count >= MIN_SHARE * len(older)}
    every = {sign for _, sign in ends}
    if len(ends) > 1 and len(every) == 1:
        found |= every - {""}
    return frozenset(found)


def _without_signs(pair: PairRow, row: Row, separators: frozenset[str], stops: frozenset[str]) -> PairRow:
    """A pair without the file's separator and stop string, and without blank space around its texts."""
    question, answer = pair.question, pair.answer
    if _sign(_SEPARATOR, question) in separators:
        question = _SEPARATOR.sub("", question)
    if _sign(_STOP, answer) in stops:
        answer = _STOP.sub("", answer)
    return replace(pair, question=question.strip(), answer=answer.strip())


def notes(read: ReadRows) -> list[str]:
    """Sentences about the older form, and about what is not trained from a file. They are no faults."""
    sentences = []
    older = sum(row.older for row in read.rows)
    if older:
        sentences.append(
            ngettext(
                "{n:,} row is a prompt/completion pair, the form of older models; it is written as messages.",
                "{n:,} rows are prompt/completion pairs, the form of older models; they are written as messages.",
                older,
            )
        )
    written = [replace(row, pair=pair(row.value, row.pair.line)) for row in read.rows]
    every = _all_spaced(read.rows)
    spaced = sum(row.pair.answer.startswith(" ") and (row.older or every) for row in written)
    separators, stops = _signs(written)
    separated = sum(_sign(_SEPARATOR, row.pair.question) in separators for row in written)
    stopped = sum(_sign(_STOP, row.pair.answer) in stops for row in written)
    for count, sentence in ((spaced, SPACES), (separated, SEPARATORS), (stopped, STOPS)):
        if count:
            sentences.append(_(sentence, n=count))
    if longer := [row.pair.line for row in read.rows if row.context]:
        sentences.append(
            _(
                "Rows with instructions or earlier turns: {n:,} (lines {lines}). --fix keeps them; a dataset made of "
                "this file trains only their last question and answer.",
                n=len(longer),
                lines=", ".join(map(str, longer[:MAX_LISTED])) + ("…" if longer[MAX_LISTED:] else ""),
            )
        )
    return sentences


@dataclass(frozen=True, slots=True)
class Fixed:
    """A mended copy of a file, and the lines of the original that are not in it."""

    text: str
    left_out: tuple[int, ...]


def fixed(data: bytes) -> Fixed:
    """A mended copy: the older form as messages, without its signs; no empty row, and each row once.

    Every other member of a row and of its messages is kept. Lines that hold no row are left out.
    """
    read = read_rows(data)
    kept: dict[tuple[str, str, str], Row] = {}
    left_out = [line for finding in read.unreadable for line in finding.lines]
    for row in read.rows:
        key = (row.context, row.pair.question.casefold(), row.pair.answer.casefold())
        if not row.pair.question or not row.pair.answer or key in kept:
            left_out.append(row.pair.line)
        else:
            kept[key] = row
    spaced = _all_spaced(read.rows)
    return Fixed(as_lines(_mended(row, spaced=spaced) for row in kept.values()), tuple(sorted(left_out)))


def _all_spaced(rows: Sequence[Row]) -> bool:
    """Whether every answer begins with a space, as in a file that was made of the older form."""
    return len(rows) > 1 and all(_content(row.value["messages"][-1]).startswith(" ") for row in rows)


def _mended(row: Row, *, spaced: bool) -> dict[str, Any]:
    """The row with its question and answer as its pair has them, where they are plain texts.

    Blank space around a text goes only with the older form or, with `spaced`, everywhere: it may indent code.
    """
    *before, question, answer = row.value["messages"]
    last = []
    for message, text in ((question, row.pair.question), (answer, row.pair.answer)):
        content = message.get("content")
        is_same = not isinstance(content, str) or (content.strip() == text and not (row.older or spaced))
        last.append(message if is_same else {**message, "content": text})
    return {**row.value, "messages": [*before, *last]}
