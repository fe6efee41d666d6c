"""Local models for the bot: lists them, downloads one in a thread, and sets the model in use."""

import asyncio
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bot.core.errors import ConfigError, InputError
from bot.engine.llama.catalog import machine, recommended
from bot.engine.llama.download import fetch, source_of
from bot.engine.llama.store import Installed, ModelStore

NEEDED = ("xllamacpp", "huggingface_hub")


@dataclass(frozen=True, slots=True)
class Offer:
    """A model that can be chosen. Sizes are bytes; `problem` says in a few words why it does not fit here."""

    name: str
    label: str
    size: int
    memory: int
    license: str
    purpose: str
    installed: bool
    problem: str


class LocalModels:
    """The local models in one folder. One for the process."""

    def __init__(self, folder: Path, *, wanted: bool) -> None:
        """`wanted` is False if the operator has set a model server, which is used instead of a local model."""
        self._store, self._wanted = ModelStore(folder), wanted
        self._fetching: str | None = None

    def check(self) -> None:
        """Raises `ConfigError` where a local model cannot be used, with what to do about it."""
        if not self._wanted:
            raise ConfigError("A model server is set (OPENAI_API_KEY or OPENAI_BASE_URL). A local model is not needed.")
        if any(importlib.util.find_spec(name) is None for name in NEEDED):
            raise ConfigError(
                "Local models need two more packages. In the bot's folder: pip install -e '.[local]', and start it "
                "again."
            )

    async def offers(self) -> list[Offer]:
        """The recommended models and the installed ones, smallest first."""
        return await asyncio.to_thread(self._offers)

    def _offers(self) -> list[Offer]:
        here, installed = machine(self._store.folder), {model.name: model for model in self._store.all()}
        rows = recommended()
        offers = [
            Offer(
                row.name, row.label, row.size, row.memory, row.license, row.purpose, name in installed, here.fits(row)
            )
            for name, row in rows.items()
        ]
        own = (model for name, model in installed.items() if name not in rows)
        offers += [Offer(m.name, m.label, m.size, m.size, m.license, "", True, "") for m in own]
        return sorted(offers, key=lambda offer: offer.size)

    async def fetch(self, name: str, progress: Callable[[int, int], None]) -> Installed:
        """Install the model called `name`; `progress` is called with the bytes so far and in all, and may raise to stop
        the download.

        Raises `InputError` while another model is being fetched, and what `bot.engine.llama.download.fetch` raises.
        """
        self.check()
        if self._fetching is not None:
            raise InputError("{name} is being fetched already. Wait for it to end.", name=self._fetching)
        self._fetching = name
        try:
            return await asyncio.to_thread(fetch, self._store, source_of(name), progress)
        finally:
            self._fetching = None

    def use(self, name: str) -> None:
        """Use the model called `name`, also after a restart. Raises `NotFoundError`."""
        self._store.use(name)
