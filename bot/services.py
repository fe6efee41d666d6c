"""What a cog is given: the parts of the bot that it may use, and no more."""

from dataclasses import dataclass
from typing import Protocol, cast

from bot.answers.service import Answers
from bot.core.settings import Settings
from bot.llm.template_registry import TemplateRegistry
from bot.play.adventures import Adventures
from bot.play.history import History
from bot.server.guilds import GuildSettingsStore
from bot.server.health import Health
from bot.server.ledger import Ledger
from bot.server.model_gateway import ModelGateway
from bot.server.privacy import Privacy
from bot.server.prompts import Prompts
from bot.server.tricks import Tricks
from bot.storage.database import Database
from bot.tuning.providers import Workshop
from bot.tuning.service import Tuning
from bot.ui.actions import ActionRegistry
from bot.ui.inflight import InflightTasks


@dataclass(frozen=True, slots=True)
class Services:
    """Opened by `bot.app`, handed to every cog; closed in reverse order when the bot stops."""

    settings: Settings
    templates: TemplateRegistry
    gateway: ModelGateway
    prompts: Prompts
    answers: Answers
    inflight: InflightTasks
    actions: ActionRegistry
    ledger: Ledger
    guilds: GuildSettingsStore
    tricks: Tricks
    adventures: Adventures
    history: History
    tuning: Tuning
    workshop: Workshop
    privacy: Privacy
    health: Health
    database: Database


class HasServices(Protocol):
    """The bot, as far as a cog's `setup` knows it."""

    services: Services


def services_of(bot: object) -> Services:
    """The services of the bot that is loading a cog."""
    return cast(HasServices, bot).services
