"""The commands of templates: `/translate`, `/facts`, and one for every further template with a `command` section."""

import logging

from discord.ext import commands

from bot.services import services_of

_log = logging.getLogger(__name__)


async def setup(bot: commands.Bot) -> None:
    """Add the commands. Runs after all other cogs, which may extend a template's command or have one of its name."""
    for problem in services_of(bot).techniques.register(bot.tree):
        _log.error("%s", problem)
