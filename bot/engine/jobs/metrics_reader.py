"""Reading a training process's figures while it writes them."""

import json
from pathlib import Path
from typing import Any


class Tail:
    """New whole lines of a metrics log. Steps that were seen are passed over.

    A process that goes on from a checkpoint reports the steps after it once more, with the same figures.
    """

    def __init__(self, path: Path, step: int) -> None:
        """`step` is the last one that was seen."""
        self._path = path
        self._offset = 0
        self.step = step

    def read(self) -> list[dict[str, Any]]:
        """The lines since the last call."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        new = []
        for line in map(json.loads, whole.splitlines()):
            if line["step"] > self.step:
                self.step = line["step"]
                new.append(line)
        return new
