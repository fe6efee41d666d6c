"""The files that were uploaded, and the results of jobs: each its bytes and a card, in one folder."""

import hashlib
import secrets
import time
from pathlib import Path
from typing import Any, Literal

from bot.engine import disk
from bot.engine.body import Strict
from bot.engine.dataset import MAX_BYTES
from bot.engine.errors import WireError

MAX_FILES = 1000
MAX_TOTAL = 1024**3

Purpose = Literal["fine-tune", "fine-tune-results"]


class StoredFile(Strict):
    """One file. `converted` tells that its lines are prompt/completion pairs."""

    id: str
    size: int
    created_at: int
    filename: str
    purpose: Purpose
    sha256: str
    rows: int
    converted: bool = False

    def card(self) -> dict[str, Any]:
        """The file as the wire shows it."""
        converted = f"{self.rows} prompt/completion pairs will be trained as chat examples."
        return {
            "id": self.id,
            "object": "file",
            "bytes": self.size,
            "created_at": self.created_at,
            "filename": self.filename,
            "purpose": self.purpose,
            "status": "processed",
            "status_details": converted if self.converted else None,
            "expires_at": None,
        }


class FileStore:
    """Every file of one engine. Names from people are kept as data and never touch a path."""

    def __init__(self, folder: Path) -> None:
        """Reads the cards that are there; a file whose card was never written does not count."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        cards = (disk.read_json(path) for path in folder.glob("*.json"))
        stored = [StoredFile.model_validate(card) for card in cards if card is not None]
        self._files = {file.id: file for file in sorted(stored, key=lambda file: file.created_at)}

    def all(self) -> list[StoredFile]:
        """Every file, the newest first."""
        return list(reversed(self._files.values()))

    def get(self, file_id: str, param: str | None = "file_id") -> StoredFile:
        """One file, or a `WireError` 404 that names `param`."""
        try:
            return self._files[file_id]
        except KeyError:
            raise WireError(
                f"There is no file {file_id[:100]!r}.", status=404, code="file_not_found", param=param
            ) from None

    def add(self, data: bytes, filename: str, purpose: Purpose, *, rows: int, converted: bool = False) -> StoredFile:
        """Keeps a file, durably. Raises `WireError` 400 when the store is full, `OSError` when the disk is."""
        total = sum(file.size for file in self._files.values()) + len(data)
        if len(self._files) >= MAX_FILES or total > MAX_TOTAL:
            raise WireError(
                f"The engine keeps {MAX_FILES:,} files and {MAX_TOTAL:,} bytes at most; delete a file first.",
                code="storage_limit_exceeded",
            )
        file = StoredFile(
            id=f"file-{secrets.token_hex(12)}",
            size=len(data),
            created_at=int(time.time()),
            filename=filename[:200],
            purpose=purpose,
            sha256=hashlib.sha256(data).hexdigest(),
            rows=rows,
            converted=converted,
        )
        disk.write_bytes(self._data(file.id), data, durable=True)
        # The card is written last, so that its presence means that the file is whole.
        disk.write_json(self._folder / f"{file.id}.json", file.model_dump(), durable=True)
        self._files[file.id] = file
        return file

    def read(self, file_id: str) -> bytes:
        """The bytes as they were uploaded, at most `MAX_BYTES` of them for an upload."""
        return self._data(self.get(file_id).id).read_bytes()

    def delete(self, file_id: str) -> None:
        """Removes a file; a job that was made from it has its own copy of the rows."""
        file = self.get(file_id)
        (self._folder / f"{file.id}.json").unlink(missing_ok=True)
        self._data(file.id).unlink(missing_ok=True)
        del self._files[file.id]

    def _data(self, file_id: str) -> Path:
        return self._folder / f"{file_id}.data"


def too_many_bytes() -> WireError:
    """413: an upload of more than `MAX_BYTES`."""
    return WireError(
        f"The file is larger than {MAX_BYTES:,} bytes, the most that this engine trains on.",
        status=413,
        code="file_too_large",
        param="file",
    )
