"""What LoRA can be trained on: an installed model, a folder with a model in Hugging Face's form, a name on the hub.

llama.cpp answers from a GGUF file. A folder and a download are converted to one before they are trained on, unless a
vLLM server answers (SERVING_URL).
"""

import importlib.util
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bot.core.errors import ConfigError, InputError, NotFoundError
from bot.core.i18n import N_
from bot.engine import disk
from bot.engine.llama.catalog import GIB, Machine
from bot.engine.llama.download import hub_errors
from bot.engine.llama.gguf import read_header
from bot.engine.llama.store import ModelStore, name_of
from bot.engine.lora.config import CONVERTIBLE, MAX_CONTEXT

NEEDED = ("torch", "transformers", "trl", "peft", "gguf")
NEEDS_EXTRA = N_(
    "Tuning {base} needs torch, transformers, TRL and PEFT. In the bot's folder: pip install -e '.[train]', and "
    "start it again. pocket-gpt needs none of them."
)
# `owner/name`, as the hub writes it.
HUB = re.compile(r"[\w.-]+/[\w.-]+")
# The files of a base on the hub: those that describe it, and its weights.
ABOUT, WEIGHTS = ["README.md", "*.json", "*.jinja"], ["*.safetensors"]
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
    that folder. `served_as` is the file that llama.cpp answers from with an adapter, which may have to be made first;
    None where another server answers. `architecture` is empty and `parameters` 0 where they are not known before the
    download.
    """

    name: str
    source: str
    gguf_file: str | None = None
    served_as: Path | None = None
    architecture: str = ""
    license: str = ""
    parameters: int = 0
    context: int = MAX_CONTEXT

    @property
    def is_converted(self) -> bool:
        """Whether llama.cpp answers from a conversion of it."""
        return self.served_as is not None and self.gguf_file is None

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


def converted_name(base: str) -> str:
    """The name of the installed model that the conversion of a folder or a name on the hub becomes."""
    return name_of(f"{base_name(base)[:56]}-q8_0")


def served_name(store: ModelStore, base: str) -> str:
    """The name of the installed model that answers for `base`: of its conversion, or `base` where there is none."""
    made = store.find(converted_name(base))
    sources = (base, str(Path(base).expanduser().resolve()))
    return made.name if made is not None and made.source in sources else base


def find_base(store: ModelStore, wanted: str, *, served_elsewhere: bool) -> Base:
    """The base that a person named. Reads only headers, in milliseconds.

    `served_elsewhere`: SERVING_URL is set, so that a base needs no GGUF file. Raises `InputError` for one that cannot
    be tuned or not be served afterwards, and `ConfigError` where a package is missing.
    """
    installed, folder = store.find(wanted), Path(wanted).expanduser()

    def converted() -> Path | None:
        return None if served_elsewhere else store.weights(converted_name(wanted)).resolve()

    if installed is not None:
        weights = store.weights(wanted).resolve()
        base = Base(
            name=installed.name,
            source=str(weights.parent),
            gguf_file=weights.name,
            served_as=weights,
            license=installed.license,
            parameters=read_header(weights).parameters,
            context=min(installed.context or MAX_CONTEXT, MAX_CONTEXT),
        )
    elif folder.is_dir():
        base = replace(read_folder(folder.resolve()), served_as=converted())
        check_weights(base)
    elif HUB.fullmatch(wanted):
        base = Base(name=base_name(wanted), source=wanted, served_as=converted())
    else:
        names = ", ".join(model.name for model in store.all()) or "none"
        raise NotFoundError(
            "{base} cannot be tuned: it is no installed model ({names}), no folder with a model and no name on the hub "
            "(owner/name).",
            base=wanted[:100],
            names=names,
        )
    check_base(base)
    if any(importlib.util.find_spec(name) is None for name in NEEDED):
        raise ConfigError(NEEDS_EXTRA, base=base.name)
    return base


def check_base(base: Base) -> None:
    """Raise `InputError` for a base whose licence forbids tuning, or from which llama.cpp could not answer."""
    if NO_DERIVATIVES.search(base.license.lower()):
        raise InputError(
            "The licence of {base} ({license}) does not allow adapted versions, so it is not tuned here.",
            base=base.name,
            license=base.license[:100],
        )
    if base.is_converted and base.architecture and base.architecture not in CONVERTIBLE:
        raise InputError(
            "Nothing here could answer with an adapter for {base}: its architecture ({architecture}) cannot be "
            "converted for llama.cpp. Tune a GGUF file of it (fewshot model get …), or set SERVING_URL to a vLLM "
            "server of it.",
            base=base.name,
            architecture=base.architecture,
        )


def check_weights(base: Base) -> None:
    """Raise `InputError` for a folder without weights that can be read."""
    if not base.parameters:
        raise InputError(
            "{folder} holds no weights as safetensors; other forms can run code and are not read.", folder=base.source
        )


def read_folder(folder: Path) -> Base:
    """A folder as `save_pretrained` writes it. Raises `InputError` with what is missing; weights may be."""
    config = disk.read_json(folder / "config.json")
    architectures = config.get("architectures") if isinstance(config, dict) else None
    architecture = next((str(name) for name in architectures or () if "CausalLM" in str(name)), "")
    if not architecture:
        raise InputError("{folder} holds no language model: its config.json names none.", folder=folder)
    if not (folder / "tokenizer_config.json").exists():
        raise InputError("{folder} holds no tokenizer (tokenizer_config.json).", folder=folder)
    nested = config.get("text_config")
    context = (nested if isinstance(nested, dict) else config).get("max_position_embeddings")
    return Base(
        name=base_name(str(folder)),
        source=str(folder),
        architecture=architecture,
        license=_license(folder / "README.md"),
        parameters=sum(map(_parameters, folder.glob("*.safetensors"))),
        context=min(context, MAX_CONTEXT) if isinstance(context, int) and context > 0 else MAX_CONTEXT,
    )


def download(base: Base) -> Base:
    """A base of the hub, downloaded into the cache of the hub's client, which resumes what broke off.

    Licence and architecture are checked before the weights come. Raises what `check_base` raises, and `ConfigError`
    where the hub cannot be reached.
    """
    from huggingface_hub import snapshot_download

    with hub_errors(base.source):
        for files in (ABOUT, WEIGHTS):
            found = read_folder(Path(snapshot_download(base.source, allow_patterns=files)))
            known = replace(found, name=base.name, served_as=base.served_as)
            check_base(known)
    check_weights(known)
    return known


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
