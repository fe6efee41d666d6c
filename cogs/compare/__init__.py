"""`/compare`: a trick with none, one and all of its examples, and with several models, side by side.

`cog`    the command and its card
`curve`  the test on labelled inputs: scores by number of examples
`arena`  blind comparisons: the channel votes before it sees which answer is whose
"""

from discord.ext import commands

from bot.services import services_of
from cogs.compare.cog import Compare


async def setup(bot: commands.Bot) -> None:
    """Add the command."""
    await bot.add_cog(Compare(bot, services_of(bot)))
