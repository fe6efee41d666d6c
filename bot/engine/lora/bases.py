"""What LoRA can be trained on: an installed model, a folder with a model in Hugging Face's form, a name on the hub."""

import importlib.util
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.core.errors import ConfigError, InputError, NotFoundError
from bot.core.i18n import N_
from bot.engine import disk
from bot.engine.llama.catalog import GIB, Machine
from bot.engine.llama.gguf import read_header
from bot.engine.llama.store import ModelStore, name_of
from bot.engine.lora.config import MAX_CONTEXT

NEEDED = ("torch", "transformers", "trl", "peft", "gguf")
NEEDS_EXTRA = N_(
    "Tuning {base} needs torch, transformers, TRL and PEFT. On the bot's machine: pip install 'fewshot[train]', and "
    "start it again. pocket-gpt needs none of them."
)
# `owner/name`, as the hub writes it.
HUB = re.compile(r"[\w.-]+/[\w.-]+")
# Creative Commons' NoDerivatives licences (-nd) do not let an adapted model be passed on or used in public.
NO_DERIVATIVES = re.compile(r"\bnd\b")
# Parameters times tokens that one core trains in a second, and bytes of memory for a parameter and beside them.
# Measured with SmolLM2-135M (docs/benchmarks.md, 2026-11-28): batches of 8 racing rows in float32, 73 tokens a second
# of one core, 3.3 GiB at most. Longer rows take more memory.
SPEED_PER_CORE = 9.9e9
BYTES_PER_PARAMETER, OVERHEAD = 4, 2.8 * GIB


@dataclass(frozen=True, slots=True)
class Base:
    """Open weights that can be tuned.

    `name` goes into the names of tuned models. `source` is a folder, or a name on the hub; `gguf_file` is the file in
    that folder, which then also serves the adapter. `parameters` is 0 where it is not known before the download.
    """

    name: str
    source: str
    gguf_file: str | None = None
    license: str = ""
    parameters: int = 0
    context: int = MAX_CONTEXT

    @property
    def served_as(self) -> Path | None:
        """The file that llama.cpp answers from, with an adapter; None where only a server of weights can."""
        return Path(self.source, self.gguf_file) if self.gguf_file else None

    def settings(self) -> dict[str, Any]:
        """Its part of `bot.engine.lora.config.Config`."""
        return {
            "source": self.source,
            "gguf_file": self.gguf_file,
            "served_as": str(self.served_as) if self.served_as else None,
            "context": self.context,
        }

    def training_seconds(self, tokens: int, here: Machine) -> float | None:
        """How long training takes on this machine's processor, by the stated figure; None where that is not known."""
        return tokens * self.parameters / (SPEED_PER_CORE * here.threads) if self.parameters else None

    @property
    def training_memory(self) -> int | None:
        """Bytes of memory for training on the processor, with a batch of the default size; None where not known."""
        return int(BYTES_PER_PARAMETER * self.parameters + OVERHEAD) if self.parameters else None


def base_name(model: str) -> str:
    """The base's name inside the names of models that are tuned from `model`, which may be a tuned one."""
    if model.startswith("ft:"):
        return model.split(":")[1]
    return name_of(Path(model).name)


def find_base(store: ModelStore, wanted: str, *, served_elsewhere: bool) -> Base:
    """The base that a person named. Reads only headers, in milliseconds.

    `served_elsewhere`: SERVING_URL is set, so that a base needs no GGUF file. Raises `InputError` for one that cannot
    be tuned or not be served afterwards, and `ConfigError` where a package is missing.
    """
    installed = store.find(wanted)
    if installed is not None:
        header = read_header(store.weights(wanted))
        base = Base(
            name=installed.name,
            source=str(store.weights(wanted).parent.resolve()),
            gguf_file=store.weights(wanted).name,
            license=installed.license,
            parameters=header.parameters,
            context=min(installed.context or MAX_CONTEXT, MAX_CONTEXT),
        )
    elif Path(wanted).expanduser().is_dir():
        base = _read_folder(Path(wanted).expanduser().resolve())
    elif HUB.fullmatch(wanted):
        base = Base(name=base_name(wanted), source=wanted)
    else:
        names = ", ".join(model.name for model in store.all()) or "none"
        raise NotFoundError(
            "{base} cannot be tuned: it is no installed model ({names}), no folder with a model and no name on the hub "
            "(owner/name).",
            base=wanted[:100],
            names=names,
        )
    _check(base, served_elsewhere)
    return base


def _check(base: Base, served_elsewhere: bool) -> None:
    if NO_DERIVATIVES.search(base.license.lower()):
        raise InputError(
            "The licence of {base} ({license}) does not allow adapted versions, so it is not tuned here.",
            base=base.name,
            license=base.license[:100],
        )
    if base.served_as is None and not served_elsewhere:
        raise InputError(
            "Nothing here could answer with an adapter for {base}: set SERVING_URL to a vLLM server of that model, or "
            "tune an installed model (fewshot model list).",
            base=base.name,
        )
    if any(importlib.util.find_spec(name) is None for name in NEEDED):
        raise ConfigError(NEEDS_EXTRA, base=base.name)


def _read_folder(folder: Path) -> Base:
    """A folder as `save_pretrained` writes it. Raises `InputError` with what is missing."""
    config = disk.read_json(folder / "config.json")
    if not isinstance(config, dict) or not any("CausalLM" in str(name) for name in config.get("architectures") or ()):
        raise InputError("{folder} holds no language model: its config.json names none.", folder=folder)
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise InputError(
            "{folder} holds no weights as safetensors; other forms can run code and are not read.", folder=folder
        )
    if not (folder / "tokenizer_config.json").exists():
        raise InputError("{folder} holds no tokenizer (tokenizer_config.json).", folder=folder)
    nested = config.get("text_config")
    context = (nested if isinstance(nested, dict) else config).get("max_position_embeddings")
    return Base(
        name=base_name(str(folder)),
        source=str(folder),
        license=_license(folder / "README.md"),
        parameters=sum(_parameters(path) for path in weights),
        context=min(context, MAX_CONTEXT) if isinstance(context, int) and context > 0 else MAX_CONTEXT,
    )


def _license(card: Path) -> str:
    """The licence in the first lines of a model card; empty where it states none."""
    head = card.read_text(encoding="utf-8", errors="replace")[:4_000] if card.exists() else ""
    found = re.search(r"^license(?:_name)?:\s*(\S+)\s*$", head, re.MULTILINE)
    return found[1] if found else ""


def _parameters(path: Path) -> int:
    """The numbers in a safetensors file, from its header: its length in 8 bytes, then JSON with all shapes."""
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header: Mapping[str, Any] = json.loads(file.read(min(length, size)))
        return sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError("{file} is damaged: its header cannot be read.", file=path.name) from None
