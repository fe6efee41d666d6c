"""The services that every cog receives."""

from dataclasses import dataclass
from typing import Any

from bot.answers.service import Answers
from bot.answers.techniques import Techniques
from bot.core.metrics import Metrics
from bot.core.settings import Settings
from bot.engine.llama.service import LocalModels
from bot.llm.template_registry import TemplateRegistry
from bot.play.adventures import Adventures
from bot.play.history import History
from bot.server.arena import Arenas
from bot.server.chat_models import ChatModels
from bot.server.guilds import GuildSettingsStore
from bot.server.health import Health
from bot.server.ledger import Ledger
from bot.server.model_gateway import ModelGateway
from bot.server.model_watch import ModelWatch
from bot.server.privacy import Privacy
from bot.server.prompts import Prompts
from bot.server.trick_runs import TrickRuns
from bot.server.trick_tests import TrickTests
from bot.server.tricks import Tricks
from bot.server.unfinished import UnfinishedAnswers
from bot.storage.database import Database
from bot.storage.slots import Slot
from bot.tuning.service import Tuning
from bot.ui.actions import ActionRegistry
from bot.ui.inflight import InflightTasks
from bot.ui.uploads import AttachmentReader


@dataclass(frozen=True, slots=True)
class Services:
    """Opened by `bot.app.open_services`, and closed in reverse order when the bot stops."""

    settings: Settings
    templates: TemplateRegistry
    gateway: ModelGateway
    chat_models: ChatModels
    prompts: Prompts
    answers: Answers
    unfinished: UnfinishedAnswers
    attachments: AttachmentReader
    techniques: Techniques
    inflight: InflightTasks
    actions: ActionRegistry
    ledger: Ledger
    guilds: GuildSettingsStore
    tricks: Tricks
    arenas: Arenas
    trick_tests: TrickTests
    trick_runs: TrickRuns
    model_watch: ModelWatch
    adventures: Adventures
    history: History
    tuning: Tuning
    privacy: Privacy
    health: Health
    metrics: Metrics
    local_models: LocalModels
    database: Database
    slot: Slot


def services_of(bot: Any) -> Services:
    """The services of the bot that loads a cog."""
    services: Services = bot.services
    return services
