"""Training files: JSON Lines, checked line by line.

A line is `{"messages": [...]}` with at most one system message, first, then user and assistant in turn, the assistant
last. Lines of the older form `{"prompt": …, "completion": …}` are converted. The first line that is wrong is named by
its number.
"""

import json
from dataclasses import dataclass
from typing import Any

from bot.engine.errors import APIError
from bot.engine.pocket.config import MAX_ROWS, Row

# Enough for the most rows that can be trained, at about 800 bytes each.
MAX_BYTES = 16 * 1024 * 1024
MAX_LINE = 64 * 1024
# OpenAI's least number of examples in a training file (fine-tuning guide, 2026-11-22).
MIN_EXAMPLES = 10

_BOM = b"\xef\xbb\xbf"
_ROLES = ("system", "developer", "user", "assistant")
_PAIR = {"prompt", "completion"}


@dataclass(frozen=True, slots=True)
class TrainingFile:
    """The rows of a file as chat examples. `converted` tells that they were prompt/completion pairs."""

    rows: list[Row]
    converted: bool


def parse_training_file(raw: bytes) -> TrainingFile:
    """The rows of a file, or an `APIError` 400 that names the first line that is wrong.

    A byte order mark and empty lines are skipped.
    """
    rows: list[Row] = []
    pairs = 0
    for number, line in enumerate(raw.removeprefix(_BOM).splitlines(), start=1):
        if not line.strip():
            continue
        if len(rows) == MAX_ROWS:
            raise _invalid_line(number, f"is one too many: a file may have {MAX_ROWS:,} examples")
        value = _parse_line(number, line)
        if value.keys() == _PAIR:
            pairs += 1
            value = _convert_pair(number, value)
        _check_row(number, value)
        rows.append(value)
    if not rows:
        raise APIError("The file has no examples.", code="invalid_jsonl", param="file")
    if 0 < pairs < len(rows):
        raise APIError("The file mixes chat examples and prompt/completion pairs.", code="invalid_jsonl", param="file")
    return TrainingFile(rows, converted=pairs > 0)


def _invalid_line(number: int, why: str) -> APIError:
    return APIError(f"Line {number} {why}.", code="invalid_jsonl", param="file")


def _parse_line(number: int, line: bytes) -> dict[str, Any]:
    if len(line) > MAX_LINE:
        raise _invalid_line(number, f"is longer than {MAX_LINE:,} bytes")
    try:
        value = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _invalid_line(number, f"is not UTF-8: its byte {error.start + 1} cannot be read") from None
    except (ValueError, RecursionError):
        raise _invalid_line(number, "is not JSON") from None
    if not isinstance(value, dict):
        raise _invalid_line(number, "is not a JSON object")
    return value


def _convert_pair(number: int, pair: dict[str, Any]) -> dict[str, Any]:
    """A prompt/completion pair as a chat example, without the white space around either."""
    prompt, completion = pair["prompt"], pair["completion"]
    if not isinstance(prompt, str) or not isinstance(completion, str):
        raise _invalid_line(number, "has a prompt or a completion that is not a text")
    return {
        "messages": [
            {"role": "user", "content": prompt.strip()},
            {"role": "assistant", "content": completion.strip()},
        ]
    }


def _check_row(number: int, value: dict[str, Any]) -> None:
    if value.keys() != {"messages"} or not isinstance(value["messages"], list):
        raise _invalid_line(number, 'must be {"messages": [...]} and nothing else')
    messages = value["messages"]
    for message in messages:
        _check_message(number, message)
    roles = [message["role"] for message in messages]
    turns = roles[1:] if roles[:1] in (["system"], ["developer"]) else roles
    expected = ["user", "assistant"] * (len(turns) // 2)
    if not turns or turns != expected:
        shown = ", ".join(roles[:6]) or "none"
        raise _invalid_line(number, f"has its roles out of order ({shown}): user and assistant in turn, assistant last")


def _check_message(number: int, message: object) -> None:
    if not isinstance(message, dict) or not {"role", "content"} <= message.keys():
        raise _invalid_line(number, "has a message without a role or without content")
    unknown = sorted(message.keys() - {"role", "content", "name"})
    if unknown:
        raise _invalid_line(number, f"has a message with {unknown[0][:40]!r}, which is not trained here")
    if message["role"] not in _ROLES:
        raise _invalid_line(number, f"has a message with the unknown role {str(message['role'])[:40]!r}")
    content = message["content"]
    if not isinstance(content, str) or not content.strip():
        raise _invalid_line(number, "has a message that is empty or not a text")
    if any("\ud800" <= letter <= "\udfff" for letter in content):
        raise _invalid_line(number, "has half a character: a surrogate without its pair")
