"""Lines that are no rows: not UTF-8, not JSON, or of the wrong shape. What is right comes out as pairs.

Two forms are read: `{"messages": [...]}`, which is also written, and the older `{"prompt", "completion"}`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bot.core.i18n import N_
from bot.storage.datasets import PairRow
from bot.tuning import rows
from bot.tuning.checks.finding import Finding
from bot.tuning.localized_text import kept

BOM = b"\xef\xbb\xbf"
# Bytes of a file that is read whole: OpenAI takes no larger one (512 MB, fine-tuning guide, 2026-11-22).
MAX_FILE = 512 * 1024 * 1024
NOT_UTF8, NOT_JSON, SHAPE = N_("not UTF-8"), N_("not JSON"), N_("wrong shape")
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
            message = N_("Line {line} is not UTF-8: its byte {byte} cannot be read.")
            text = kept(message, line=line, byte=error.start + 1)
            read.findings.append(Finding(NOT_UTF8, (line,), text))
        except (ValueError, RecursionError):
            read.findings.append(Finding(NOT_JSON, (line,), kept(N_("Line {line} is not JSON."), line=line)))
        else:
            _take(read, line, value)
    read.pairs = rows.with_kinds(read.pairs)
    return read


def _take(read: Read, line: int, value: Any) -> None:
    """Add a line's row to what was read, or what is wrong with it."""
    problem = _problem(value, line)
    if problem:
        read.findings.append(Finding(SHAPE, (line,), problem))
        return
    if "messages" not in value:
        read.older.append(line)
        value = _as_messages(value)
    read.pairs.append(rows.pair(value, line))


def _problem(value: Any, line: int) -> str:
    """What is wrong with a row's shape, as it is kept; empty where nothing is."""
    if not isinstance(value, dict):
        return kept(N_("Line {line} is not a JSON object."), line=line)
    if "messages" in value:
        return next(_problems_of(value["messages"], line), "")
    if not {"prompt", "completion"} <= value.keys():
        return kept(N_('Line {line} has neither "messages" nor "prompt" and "completion".'), line=line)
    if isinstance(value["prompt"], str) and isinstance(value["completion"], str):
        return ""
    return kept(N_("Line {line} has a prompt or a completion that is no text."), line=line)


def _problems_of(messages: Any, line: int) -> Iterator[str]:
    if not isinstance(messages, list) or len(messages) < 2:
        yield kept(N_("Line {line} needs at least two messages, the question and the answer."), line=line)
        return
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("content"), str):
            yield kept(N_("Line {line} has a message without a text."), line=line)
            return
        if message.get("role") not in ROLES:
            role = repr(str(message.get("role"))[:30])
            yield kept(N_("Line {line} has a message of the unknown role {role}."), line=line, role=role)
            return
    if messages[-1]["role"] != "assistant":
        yield kept(N_("Line {line} does not end with the assistant's answer."), line=line)
    elif messages[-2]["role"] != "user":
        yield kept(N_("Line {line} has no user's question before the answer."), line=line)


def _as_messages(value: dict[str, Any]) -> dict[str, Any]:
    """An older pair as messages, its texts as they are: what its form added is `legacy`'s."""
    messages = [
        {"role": "user", "content": value["prompt"]},
        {"role": "assistant", "content": value["completion"]},
    ]
    return {**{key: text for key, text in value.items() if key not in ("prompt", "completion")}, "messages": messages}
