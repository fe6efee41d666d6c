"""Models and training checkpoints on disk. Every file is written whole or not at all; none is a pickle.

A model is a folder with `weights.npz`, `words.json` (the vocabulary), `rows.jsonl` (its training rows, for replay)
and `manifest.json`. The manifest is written last and holds the sizes, the settings, the hash of the training data and
the hashes of the other files. A folder without a manifest is not a model.

A checkpoint is `state-N.npz` and `state.json`, which names the newest `state-N.npz`.
"""

import hashlib
import io
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bot.core.errors import StorageError
from bot.engine import disk
from bot.engine.pocket.config import Row
from bot.engine.pocket.model import GPTConfig, Weights, init_weights

FORMAT = 2
MANIFEST, STATE = "manifest.json", "state.json"

# Format 1 had other names for the sizes and the weights. Its models are converted when they are loaded.
_SIZES_1 = {
    "words": "vocab_size",
    "width": "n_embd",
    "heads": "n_head",
    "layers": "n_layer",
    "question": "max_question",
    "answer": "max_answer",
}
_WEIGHTS_1 = {"qkv": "attn.c_attn", "mix": "attn.c_proj", "up": "mlp.c_fc", "down": "mlp.c_proj"}


class SavedModel(NamedTuple):
    """A model as it is on disk."""

    config: GPTConfig
    weights: Weights
    vocab: list[str]
    rows: list[Row]
    manifest: dict[str, Any]


def sha256(data: bytes) -> str:
    """The SHA-256 of `data`, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def to_jsonl(rows: Sequence[Row]) -> bytes:
    """Rows as JSON Lines; equal rows give equal bytes."""
    return "".join(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in rows).encode()


def save_model(
    folder: Path,
    config: GPTConfig,
    weights: Weights,
    vocab: Sequence[str],
    rows: Sequence[Row],
    training: dict[str, Any],
) -> Path:
    """Writes a model into `folder` and returns `folder`. `training` is added to the manifest."""
    _make_folder(folder)
    (folder / MANIFEST).unlink(missing_ok=True)
    files = {
        "weights.npz": _npz(weights),
        "words.json": json.dumps(list(vocab), ensure_ascii=False).encode(),
        "rows.jsonl": to_jsonl(rows),
    }
    for name, data in files.items():
        _write(folder / name, data)
    hashes = {name: sha256(data) for name, data in files.items()}
    manifest = {"format": FORMAT, "gpt_config": asdict(config), "files": hashes, **training}
    _write(folder / MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1).encode())
    return folder


def load_model(folder: Path) -> SavedModel:
    """The model in `folder`. Raises `StorageError` if a file is missing, changed or of a newer format."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["format"] not in (1, FORMAT):
            raise StorageError(f"The model in {folder.name} was written by another version of Fewshot.")
        for name, known in manifest["files"].items():
            if sha256((folder / name).read_bytes()) != known:
                raise StorageError(f"The model in {folder.name} is damaged: {name} has changed.")
        weights = _read_npz(folder / "weights.npz")
        if manifest["format"] == 1:
            manifest["gpt_config"] = {_SIZES_1[name]: size for name, size in manifest["shape"].items()}
            weights = {_renamed(name): array for name, array in weights.items()}
        config = GPTConfig(**manifest["gpt_config"])
        vocab = json.loads((folder / "words.json").read_text(encoding="utf-8"))
        rows = [json.loads(line) for line in (folder / "rows.jsonl").read_bytes().splitlines()]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(f"There is no whole model in {folder.name}.") from error
    expected = {name: array.shape for name, array in init_weights(config, np.random.default_rng(0)).items()}
    if {name: array.shape for name, array in weights.items()} != expected or len(vocab) != config.vocab_size:
        raise StorageError(f"The model in {folder.name} is damaged: its weights do not fit its shape.")
    return SavedModel(config, weights, vocab, rows, manifest)


def _renamed(name: str) -> str:
    """The present name of a weight of format 1."""
    layer, _, part = name.rpartition(".")
    return f"h.{layer}.{_WEIGHTS_1[part]}" if layer else {"words": "wte", "places": "wpe"}[name]


def prune_models(folder: Path, keep: int) -> None:
    """Deletes all but the `keep` newest models in `folder`, whose names sort by age."""
    for old in sorted(folder.iterdir())[:-keep]:
        (old / MANIFEST).unlink(missing_ok=True)  # first, so that a half deleted folder is not a model
        shutil.rmtree(old)


def save_checkpoint(folder: Path, arrays: Weights, state: dict[str, Any]) -> None:
    """Writes a checkpoint, then deletes the one before. `state` has the `step`."""
    _make_folder(folder)
    name = f"state-{state['step']}.npz"
    _write(folder / name, _npz(arrays))
    _write(folder / STATE, json.dumps({"format": FORMAT, "arrays": name, **state}).encode())
    for old in folder.glob("state-*.npz"):
        if old.name != name:
            old.unlink(missing_ok=True)


def load_checkpoint(folder: Path) -> tuple[Weights, dict[str, Any]] | None:
    """The newest checkpoint in `folder`, if there is one. Raises `StorageError` if it cannot be read.

    A checkpoint of format 1 counts as none: training begins again and ends with the same weights.
    """
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        return (_read_npz(folder / state["arrays"]), state) if state.get("format") == FORMAT else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError("The checkpoint of this training cannot be read.") from error


def delete_checkpoint(folder: Path) -> None:
    """Deletes the checkpoint of a run that has ended."""
    (folder / STATE).unlink(missing_ok=True)
    for old in folder.glob("state-*.npz"):
        old.unlink(missing_ok=True)


def _npz(arrays: Weights) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _read_npz(path: Path) -> Weights:
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{folder.name} could not be made: {error.strerror or error}.") from error


def _write(path: Path, data: bytes) -> None:
    try:
        disk.write_bytes(path, data, durable=True)
    except OSError as error:
        raise StorageError(f"{path.name} could not be written: {error.strerror or error}.") from error
