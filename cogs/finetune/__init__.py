"""`/finetune`: from a folder of texts to a model that answers, for those who operate the bot.

`group`       the subcommands
`choosing`    what is offered while typing
`datasets`    preparing, the checker's report, the card of an estimate
`review`      the flagged pairs, one at a time
`starting`    the confirmation, and the job that follows it
`job_card`    how a job is shown
`following`   keeps the cards in channels up to date, over restarts
`models`      models, scorecards, promotion

Every command and every button asks by id whether an operator acts; hiding the commands is no more than a courtesy.
"""

import discord
from discord.ext import commands

from bot.services import services_of
from cogs.finetune.group import Finetune


async def setup(bot: commands.Bot) -> None:
    """Add the commands: in the operator's servers, else where all commands are."""
    services = services_of(bot)
    settings = services.settings
    places = sorted(settings.operator_guild_ids or settings.guild_ids)
    cog = Finetune(bot, services)
    if places:
        await bot.add_cog(cog, guilds=[discord.Object(place) for place in places])
    else:
        await bot.add_cog(cog)
