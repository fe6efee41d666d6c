"""Files of JSON that survive a kill at any instant.

A record is written beside its place and moved into it, so that it is there whole or not at all. A log is
appended to; a last line without its end, from a process that was killed over it, is left out and cut off
before the next line is written. Nothing here waits for the disk unless `durable`: a power cut may take
back the last seconds, a kill takes back nothing.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def write_bytes(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Writes a file whole or not at all. Raises `OSError`, and then leaves nothing behind."""
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def write_json(path: Path, data: object, *, durable: bool = False) -> None:
    """Writes one JSON value whole or not at all."""
    write_bytes(path, json.dumps(data, ensure_ascii=False).encode(), durable=durable)


def read_json(path: Path) -> Any:
    """The JSON value in a file, or None where there is no such file or it holds none."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def append_lines(path: Path, values: Iterable[object]) -> None:
    """Adds values to a log, one a line."""
    with path.open("ab") as file:
        file.write("".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values).encode())


def read_lines(path: Path) -> list[Any]:
    """The values of a log, without a last line that has no end; an absent log is empty."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in data[: data.rfind(b"\n") + 1].splitlines()]


def mend(path: Path) -> None:
    """Cuts a last line without its end off a log, so that more can be appended."""
    if path.exists():
        with path.open("rb+") as file:
            file.truncate(file.read().rfind(b"\n") + 1)
