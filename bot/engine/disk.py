"""Files that survive a kill at any instant: JSON records and logs of JSON lines, readable by their owner only.

A record is written beside its place and moved into it, so it is whole or absent. A log is appended to; a last line
without a line end was cut by a kill, is not read, and is removed by `repair_log` before the next line is written.
Only `durable` writes wait for the disk: a power failure may lose the last seconds of the others, a kill loses nothing.
"""

import errno
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def is_full(error: OSError) -> bool:
    """Whether an error says that the disk or the quota is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def make_folder(path: Path) -> None:
    """Makes a folder of mode 0700 with its parents, or gives an existing one that mode."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)


def open_private(path: str | Path, flags: int) -> int:
    """An opener for `open` that makes new files with mode 0600."""
    return os.open(path, flags, 0o600)


def write_bytes(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Writes a file whole or not at all. Raises `OSError`, and then leaves nothing behind."""
    part = path.with_name(f"{path.name}.part")
    try:
        with open(part, "wb", opener=open_private) as file:
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
    """The JSON value in a file, or None if the file is absent or not JSON."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def append_lines(path: Path, values: Iterable[object]) -> None:
    """Appends values to a log, one per line: all of them, or none where it raises `OSError`."""
    data = "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values).encode()
    with open(path, "ab", buffering=0, opener=open_private) as file:
        end = file.seek(0, os.SEEK_END)
        try:
            while data:
                data = data[file.write(data) :]
        except OSError:
            file.truncate(end)
            raise


def read_lines(path: Path) -> list[Any]:
    """The values of a log, without a last line that has no end; an absent log is empty."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in data[: data.rfind(b"\n") + 1].splitlines()]


def repair_log(path: Path) -> None:
    """Removes a last line without a line end from a log, so that more can be appended."""
    if path.exists():
        with path.open("rb+") as file:
            file.truncate(file.read().rfind(b"\n") + 1)
