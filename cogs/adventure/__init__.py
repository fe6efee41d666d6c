"""`/adventure`: a story that several people play, turn by turn, and that survives everything.

`subcommands` the subcommands
`listening`   replies, mentions and plain messages, forms, deleted channels, the start
`playing`     what people do to a story by any of these ways, and what they are told of it
`menu`        the buttons under a turn, ⋯ with its card, and the forms
`stage`       stories in channels; `rendering` how a turn looks
"""

from discord.ext import commands

from bot.services import services_of
from cogs.adventure.controller import Play
from cogs.adventure.events import Listening
from cogs.adventure.message_view import Stage
from cogs.adventure.subcommands import Adventure


async def setup(bot: commands.Bot) -> None:
    """Add the commands and the ears; both play on one stage."""
    services = services_of(bot)
    play = Play(services, Stage(bot))
    await bot.add_cog(Adventure(services, play))
    await bot.add_cog(Listening(bot, services, play))
