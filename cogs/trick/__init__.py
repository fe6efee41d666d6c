"""`/trick`: use, teach, show, test, export and import the tricks that a server teaches by example.

`cog`          the subcommands but those of `/trick test`, and their windows
`cards`        a trick, and the list of all
`history`      the versions of a trick
`corrections`  **Not like that…** under an answer, and the review of suggestions
`menus`        **Use a trick…** and **Teach from this…** on a message
`using`        answers a text and its attachments with a trick
`tests`        `/trick test`: adds, imports and lists tests
`runs`         test runs: the tasks that ask, and the handlers of buttons and menus; `run_cards` has the cards
`effects`      **Which examples matter?**: what each example does
`watch`        the model watch: what the tests say when another model answers
"""

from discord.ext import commands

from bot.services import services_of
from cogs.trick.cog import TrickCog
from cogs.trick.menus import TrickMenus


async def setup(bot: commands.Bot) -> None:
    """Add the commands and the menus."""
    await bot.add_cog(TrickCog(bot, services_of(bot)))
    menus = TrickMenus(services_of(bot))
    await bot.add_cog(menus)
    for menu in menus.menus:
        bot.tree.add_command(menu)
