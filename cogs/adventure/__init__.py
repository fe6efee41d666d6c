"""`/adventure`: a story that several people play, turn by turn.

`cog`           the subcommands, and the events: messages, deleted channels, the bot's start
`controller`    what people do to a story by any of these ways, and the sentence that they get
`menu`          the buttons under a turn, the card behind ⋯, and the modals
`message_view`  turns as messages in channels; `rendering` their text and buttons
`tree_layout`   the tree of a story as rows and columns of a picture
"""

from discord.ext import commands

from bot.services import services_of
from cogs.adventure.cog import Adventure


async def setup(bot: commands.Bot) -> None:
    """Add the cog."""
    await bot.add_cog(Adventure(bot, services_of(bot)))
