"""The models that are installed in a data folder, and which of them is in use.

A model is a folder `NAME` with `model.gguf` and `manifest.json`; the manifest is written last, so a folder
without one is an unfinished download. `in-use` contains the name of the model that answers when no server is set.
"""

import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from bot.core.errors import InputError, NotFoundError
from bot.engine import disk

WEIGHTS, MANIFEST, IN_USE = "model.gguf", "manifest.json", "in-use"
# Letters, digits, dots, hyphens and underscores: names are used in URLs, footers and paths.
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Installed:
    """An installed model. `size` is bytes, `context` tokens, `source` where the file came from."""

    name: str
    label: str
    size: int
    sha256: str
    source: str
    license: str
    context: int
    kv_bytes: int
    warning: str = ""


class ModelStore:
    """The models in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def all(self) -> list[Installed]:
        """The installed models, sorted by name. A folder whose manifest cannot be read is skipped."""
        found = (self._read(path) for path in sorted(self.folder.glob(f"*/{MANIFEST}")))
        return [model for model in found if model is not None]

    def find(self, name: str) -> Installed | None:
        """The model called `name`, or None."""
        return self._read(self.folder / name / MANIFEST) if NAME.fullmatch(name) else None

    def get(self, name: str) -> Installed:
        """The model called `name`. Raises `NotFoundError` with the names of the installed models."""
        model = self.find(name)
        if model is None:
            names = ", ".join(model.name for model in self.all()) or "none"
            raise NotFoundError("There is no model {name} here. Installed: {names}.", name=name[:80], names=names)
        return model

    def weights(self, name: str) -> Path:
        """The path of the model's file."""
        return self.folder / name / WEIGHTS

    def add(self, model: Installed) -> None:
        """Write the manifest of a model whose file is in place already."""
        disk.write_json(self.folder / model.name / MANIFEST, asdict(model), durable=True)

    def remove(self, name: str) -> None:
        """Delete a model. Raises `InputError` for the one in use, `NotFoundError` for one that is not installed."""
        self.get(name)
        if self.in_use() == name:
            raise InputError(
                "{name} is in use. Choose another one first (fewshot model use …), or none (fewshot model use none).",
                name=name,
            )
        # The manifest is deleted first: without it, what an interruption leaves is no installed model.
        (self.folder / name / MANIFEST).unlink()
        shutil.rmtree(self.folder / name)

    def in_use(self) -> str | None:
        """The name of the model in use, or None."""
        name = disk.read_json(self.folder / IN_USE)
        return name if isinstance(name, str) and self.find(name) else None

    def use(self, name: str | None) -> None:
        """Use the model called `name` from the next start on; with None, use no local model."""
        if name is not None:
            self.get(name)
            disk.write_json(self.folder / IN_USE, name, durable=True)
        else:
            (self.folder / IN_USE).unlink(missing_ok=True)

    def _read(self, path: Path) -> Installed | None:
        try:
            model = Installed(**disk.read_json(path))
        except TypeError:  # no manifest, or one of another version
            return None
        return model if path.with_name(WEIGHTS).exists() and model.name == path.parent.name else None


def name_of(stem: str) -> str:
    """A model's name from a file's stem: lower case, other characters as hyphens. Raises `InputError`."""
    name = re.sub(r"[^a-z0-9._-]+", "-", stem.lower()).strip("-._")[:64]
    if not NAME.fullmatch(name):
        raise InputError("The file needs a name with letters or digits in it.")
    return name
