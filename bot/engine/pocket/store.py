"""Models and checkpoints on disk: written whole or not at all, and never as pickles.

A model is a folder: `weights.npz`, `words.json`, `rows.jsonl` (what it was trained on, for replay when it
is trained further) and, written last, `manifest.json` with the shape, the settings and hashes of the rest.
A folder without a manifest is not a model yet.

A checkpoint is `state-N.npz` and `state.json`, which names it and is replaced in one move.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bot.core.errors import StorageError
from bot.engine.pocket.config import Row
from bot.engine.pocket.model import Shape, Weights, new_weights

FORMAT = 1
MANIFEST = "manifest.json"


def digest(data: bytes) -> str:
    """The SHA-256 of `data`, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def as_lines(rows: Sequence[Row]) -> bytes:
    """Rows as JSON Lines, the same bytes for the same rows."""
    return "".join(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in rows).encode()


def save_model(
    folder: Path, shape: Shape, weights: Weights, words: Sequence[str], rows: Sequence[Row], about: dict[str, Any]
) -> Path:
    """Writes a model into `folder` and returns it; `about` goes into the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    files = {"words.json": json.dumps(list(words), ensure_ascii=False).encode(), "rows.jsonl": as_lines(rows)}
    _write_arrays(folder / "weights.npz", weights)
    for name, data in files.items():
        _write(folder / name, data)
    hashes = {name: digest((folder / name).read_bytes()) for name in ("weights.npz", *files)}
    manifest = {"format": FORMAT, "shape": asdict(shape), "files": hashes, **about}
    _write(folder / MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1).encode())
    return folder


def load_model(folder: Path) -> tuple[Shape, Weights, list[str], list[Row], dict[str, Any]]:
    """Shape, weights, words, rows and manifest of a model; a `StorageError` when it is not whole."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT:
            raise StorageError(f"The model in {folder.name} was written by another version of Fewshot.")
        for name, known in manifest["files"].items():
            if digest((folder / name).read_bytes()) != known:
                raise StorageError(f"The model in {folder.name} is damaged: {name} has changed.")
        shape = Shape(**manifest["shape"])
        weights = _read_arrays(folder / "weights.npz")
        words = json.loads((folder / "words.json").read_text(encoding="utf-8"))
        rows = [json.loads(line) for line in (folder / "rows.jsonl").read_bytes().splitlines()]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(f"There is no whole model in {folder.name}.") from error
    expected = {name: array.shape for name, array in new_weights(shape, np.random.default_rng(0)).items()}
    if {name: array.shape for name, array in weights.items()} != expected or len(words) != shape.words:
        raise StorageError(f"The model in {folder.name} is damaged: its weights do not fit its shape.")
    return shape, weights, words, rows, manifest


def save_state(folder: Path, arrays: Weights, facts: dict[str, Any]) -> None:
    """Writes a checkpoint, then removes the one before."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"state-{facts['step']}.npz"
    _write_arrays(folder / name, arrays)
    _write(folder / "state.json", json.dumps({"arrays": name, **facts}).encode())
    for old in folder.glob("state-*.npz"):
        if old.name != name:
            old.unlink(missing_ok=True)


def load_state(folder: Path) -> tuple[Weights, dict[str, Any]] | None:
    """The newest checkpoint in `folder`, if there is one; a `StorageError` when it cannot be read."""
    try:
        facts = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        return _read_arrays(folder / facts["arrays"]), facts
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError("The checkpoint of this training cannot be read.") from error


def clear_state(folder: Path) -> None:
    """Removes the checkpoint of a run that has ended."""
    (folder / "state.json").unlink(missing_ok=True)
    for old in folder.glob("state-*.npz"):
        old.unlink(missing_ok=True)


def _read_arrays(path: Path) -> Weights:
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def _write_arrays(path: Path, arrays: Weights) -> None:
    with _whole(path) as part, part.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
        file.flush()
        os.fsync(file.fileno())


def _write(path: Path, data: bytes) -> None:
    with _whole(path) as part, part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A name to write under; moved to `path` when all went well, removed when not."""
    part = path.with_name(path.name + ".part")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StorageError(f"{path.name} could not be written: {error.strerror or error}.") from error


def drop_models(folder: Path, kept: int) -> None:
    """Removes all but the `kept` newest models in `folder`, whose names sort by age."""
    for old in sorted(folder.iterdir())[:-kept]:
        (old / MANIFEST).unlink(missing_ok=True)  # first: from here on it is not a model
        shutil.rmtree(old)
