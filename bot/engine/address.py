"""Where the engine of a data folder listens: `engine.json`, for this user's eyes alone."""

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from bot.core.errors import FewshotError

FILE = "engine.json"
LOCK = "engine.lock"
# The exit code of an engine that found another one serving its folder.
ALREADY_RUNNING = 3


class EngineError(FewshotError):
    """The local engine could not be started or reached; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Address:
    """An engine's base URL (with its /v1) and its token; None where it runs without one, by choice."""

    url: str
    token: str | None
    pid: int

    def __repr__(self) -> str:
        return f"Address(url={self.url!r}, pid={self.pid})"


def write(folder: Path, address: Address) -> None:
    """Writes the file whole or not at all, readable by its owner only (mode 0600)."""
    handle, name = tempfile.mkstemp(dir=folder, prefix=".engine-")  # mkstemp makes it 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(address), file)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(folder / FILE)
    finally:
        Path(name).unlink(missing_ok=True)


def read(folder: Path) -> Address | None:
    """The address on file, or None where there is none or it cannot be understood.

    It may be out of date: only asking the engine itself tells.
    """
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
        token = found["token"]
        return Address(str(found["url"]), token if token is None else str(token), int(found["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
