"""`/finetune`: from a folder of texts to a model that answers, for those who operate the bot.

`cog`          the subcommands
`autocomplete` what they offer while an operator types
`datasets`     preparing a dataset, and the review of its flagged pairs
`corrections`  what people say is wrong with the answers of tuned models
`starting`     the estimate, its confirmation, and the start of a job
`job_cards`    the cards of jobs, and the task that keeps them up to date, over restarts
`models`       models, wrong answers, promotion

Every command and every button checks by id whether an operator acts; hiding the commands is only a convenience.
"""

import discord
from discord.ext import commands

from bot.services import services_of
from cogs.finetune.cog import Finetune


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
