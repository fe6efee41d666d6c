"""How an answer names the tuned model that gave it."""

import discord

from bot.services import Services
from bot.tuning.cards import training_seconds
from bot.tuning.records import ModelRow

# The local engine's small model, which is no language model and says so wherever it answers.
POCKET, ENGINE = "pocket-gpt", "engine"
KNOWS = {"racing": "knows only this season"}


class Names:
    """Footers, each worked out once a model."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._known: dict[str, str] = {}

    async def of(self, model: ModelRow) -> str:
        """The model's name as the line under its answers has it."""
        if model.name not in self._known:
            self._known[model.name] = await self._worded(model)
        return self._known[model.name]

    async def _worded(self, model: ModelRow) -> str:
        knows = KNOWS.get(model.corpus, f"knows only {model.corpus}")
        if model.provider != ENGINE:
            return f"{discord.utils.escape_markdown(model.name)} · tuned on {model.corpus}"
        seconds = await training_seconds(self._services.tuning.database, model.job_id)
        trained = f"trained here in {seconds:.0f} s" if seconds else "trained here"
        return f"Pocket GPT · {trained} · {knows}"
