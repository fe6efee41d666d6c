"""Lines that are no rows: not UTF-8, not JSON, or of the wrong shape. What is right comes out as pairs.

Two forms are read: `{"messages": [...]}`, which is also written, and the older `{"prompt", "completion"}`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bot.storage.datasets import PairRow
from bot.tuning import rows
from bot.tuning.checks.finding import Finding

BOM = b"\xef\xbb\xbf"
# Bytes of a file that is read whole: OpenAI takes no larger one (512 MB, fine-tuning guide, 2026-11-22).
MAX_FILE = 512 * 1024 * 1024
NOT_UTF8, NOT_JSON, SHAPE = "not UTF-8", "not JSON", "wrong shape"
ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})


@dataclass(slots=True)
class Read:
    """The pairs that could be read, the findings, and the lines of the older form."""

    pairs: list[PairRow] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    older: list[int] = field(default_factory=list)


def read_rows(data: bytes) -> Read:
    """Every line of a file, with a byte order mark and empty lines passed over."""
    read = Read()
    for line, raw in enumerate(data.removeprefix(BOM).split(b"\n"), 1):
        if not raw.strip():
            continue
        try:
            value = json.loads(raw.decode("utf-8"))
        except UnicodeDecodeError as error:
            text = f"Line {line} is not UTF-8: its byte {error.start + 1} cannot be read."
            read.findings.append(Finding(NOT_UTF8, (line,), text))
        except (ValueError, RecursionError):
            read.findings.append(Finding(NOT_JSON, (line,), f"Line {line} is not JSON."))
        else:
            _take(read, line, value)
    read.pairs = rows.with_kinds(read.pairs)
    return read


def _take(read: Read, line: int, value: Any) -> None:
    """Add a line's row to what was read, or what is wrong with it."""
    problem = _problem(value)
    if problem:
        read.findings.append(Finding(SHAPE, (line,), f"Line {line} {problem}."))
        return
    if "messages" not in value:
        read.older.append(line)
        value = _as_messages(value)
    read.pairs.append(rows.pair(value, line))


def _problem(value: Any) -> str:
    """What is wrong with a row's shape; empty where nothing is."""
    if not isinstance(value, dict):
        return "is no JSON object"
    if "messages" in value:
        return next(_problems_of(value["messages"]), "")
    if {"prompt", "completion"} <= value.keys():
        texts = isinstance(value["prompt"], str) and isinstance(value["completion"], str)
        return "" if texts else "has a prompt or a completion that is no text"
    return 'has neither "messages" nor "prompt" and "completion"'


def _problems_of(messages: Any) -> Iterator[str]:
    if not isinstance(messages, list) or len(messages) < 2:
        yield "needs at least two messages, the question and the answer"
        return
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("content"), str):
            yield "has a message without a text"
            return
        if message.get("role") not in ROLES:
            yield f"has a message of the unknown role {str(message.get('role'))[:30]!r}"
            return
    if messages[-1]["role"] != "assistant":
        yield "does not end with the assistant's answer"
    elif messages[-2]["role"] != "user":
        yield "has no user's question before the answer"


def _as_messages(value: dict[str, Any]) -> dict[str, Any]:
    """An older pair as messages, its texts as they are: what its form added is `legacy`'s."""
    messages = [
        {"role": "user", "content": value["prompt"]},
        {"role": "assistant", "content": value["completion"]},
    ]
    return {**{key: text for key, text in value.items() if key not in ("prompt", "completion")}, "messages": messages}
