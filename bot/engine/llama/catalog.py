"""The recommended models as data, and whether this machine has the memory and the disk space for them."""

import json
import os
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bot.core.i18n import N_

# Tokens of context that a model is started with: the longest prompt that a command sends, and its answer.
CONTEXT = 8_192
# Memory that llama.cpp needs in addition to weights and keys (measured with SmolLM2-135M, 2026-11-27: 396 MB in all, of
# which 98 MB are weights and 189 MB keys and values for 8,192 tokens).
OVERHEAD = 128 * 1024 * 1024
# Answers that one model gives at a time at most. Each takes context of its own, and on a CPU they share its speed.
MAX_SLOTS = 4
GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Recommended:
    """A model of the table. Sizes are bytes; `sha256` is None where the hub's own checksum is compared instead."""

    name: str
    label: str
    repo: str
    file: str
    revision: str
    size: int
    memory: int
    languages: str
    license: str
    sha256: str | None
    purpose: str


@dataclass(frozen=True, slots=True)
class Machine:
    """What this machine has: bytes of memory in all and free, cores, and bytes free on the disk of the data folder."""

    memory: int
    free_memory: int
    cores: int
    free_disk: int

    @property
    def threads(self) -> int:
        """Threads for llama.cpp: with as many as there are busy cores it collapses (0.5 tokens a second on two cores,
        measured 2026-11-27), so one core is left for everything else.
        """
        return max(1, self.cores - 1)

    @property
    def slots(self) -> int:
        """Answers at a time: one for every four cores."""
        return max(1, min(MAX_SLOTS, self.cores // 4))

    def fits(self, model: Recommended) -> str:
        """Why `model` does not fit, as a phrase for a table; empty where it fits."""
        if model.memory > self.memory:
            return N_("needs more memory")
        if model.size > self.free_disk:
            return N_("needs more disk")
        return "" if model.memory <= self.free_memory else N_("too much memory is in use")


@cache
def recommended() -> dict[str, Recommended]:
    """The table by name, smallest first."""
    data = json.loads(Path(__file__).with_name("catalog.json").read_text(encoding="utf-8"))
    rows = [Recommended(purpose=row.pop("for"), **row) for row in data["models"]]
    return {row.name: row for row in sorted(rows, key=lambda row: row.size)}


def machine(folder: Path) -> Machine:
    """This machine, and the disk of `folder`, which may not exist yet."""
    while not folder.exists():
        folder = folder.parent
    total, free = _memory()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(total, free, cores, shutil.disk_usage(folder).free)


def _memory() -> tuple[int, int]:
    """Bytes of memory in all, and those that a new process can have without swapping.

    psutil knows both on every system, and comes with `fewshot[local]`. Without it, all memory counts as free.
    """
    try:
        import psutil
    except ImportError:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
        return total, total
    memory = psutil.virtual_memory()
    return int(memory.total), int(memory.available)
