"""What a cog is given: the parts of the bot that it may use, and no more."""

from dataclasses import dataclass

from bot.answers import Answers
from bot.core.settings import Settings
from bot.llm.library import Library
from bot.server.desk import Desk
from bot.server.prompts import Prompts
from bot.storage.database import Database
from bot.ui.actions import Actions


@dataclass(frozen=True, slots=True)
class Services:
    """Opened by `bot.app`, handed to every cog; closed in reverse order when the bot stops."""

    settings: Settings
    library: Library
    desk: Desk
    prompts: Prompts
    answers: Answers
    actions: Actions
    database: Database
