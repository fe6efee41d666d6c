"""How an answer names the tuned model that gave it."""

from bot.core.i18n import N_, _
from bot.core.text import escape_markdown
from bot.services import Services
from bot.tuning.job_messages import training_seconds
from bot.tuning.records import ModelRow

# The local engine's small model, which is no language model and says so wherever it answers.
POCKET_NAME, ENGINE = N_("Pocket GPT"), "engine"
KNOWS = {"racing": N_("knows only this season")}


class Names:
    """Footers; how long a model was trained is looked up once."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._seconds: dict[str, float] = {}

    async def of(self, model: ModelRow) -> str:
        """The model's name as the line under its answers has it."""
        if model.provider != ENGINE:
            name = escape_markdown(model.name)
            return _("{model} · tuned on {corpus}", model=name, corpus=model.corpus)
        seconds = await self._trained(model)
        trained = _("trained here in {n:,.0f} s", n=seconds) if seconds else _("trained here")
        knows = _(KNOWS[model.corpus]) if model.corpus in KNOWS else _("knows only {corpus}", corpus=model.corpus)
        return f"{_(POCKET_NAME)} · {trained} · {knows}"

    async def _trained(self, model: ModelRow) -> float:
        """For how many seconds; 0 where nobody knows."""
        if model.name not in self._seconds:
            self._seconds[model.name] = await training_seconds(self._services.tuning.database, model.job_id)
        return self._seconds[model.name]
