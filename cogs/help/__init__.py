"""`/help`: a page on each technique, what it is and when to use which; and how to connect a model."""

from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.core.errors import NotFoundError
from bot.core.i18n import _
from bot.services import Services, services_of
from bot.ui.actions import ActionSelect
from bot.ui.cards import Card
from bot.ui.views import LayoutView
from cogs.help.pages import CONNECT, PAGES, START

MENU = "help"
CHOICES = [app_commands.Choice(name=page.title, value=name) for name, page in PAGES.items()]


def card(name: str) -> LayoutView:
    """The page `name` with the menu of the others; raises `NotFoundError`."""
    page = PAGES.get(name)
    if page is None:
        raise NotFoundError("There is no such page any more; type /help again.")
    options = [
        discord.SelectOption(label=_(other.title), value=key, default=key == name) for key, other in PAGES.items()
    ]
    return Card(_(page.title)).text(_(page.text)).row(ActionSelect(MENU, "", options, _("More"))).layout()


class Help(commands.Cog):
    """Pages for the one who asks."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def cog_load(self) -> None:
        """Register the menu of pages and the button that shows how to connect a model."""
        self._services.actions.register(MENU, self.turn)
        self._services.actions.register("connect", self.connect)

    async def cog_unload(self) -> None:
        """Unregister the actions."""
        self._services.actions.unregister(MENU)
        self._services.actions.unregister("connect")

    @app_commands.command(name="help", description="What I can do, and which technique to use when")
    @app_commands.describe(page="The page to open")
    @app_commands.choices(page=CHOICES)
    async def help(self, interaction: discord.Interaction[Any], page: str = START) -> None:
        """Show a page."""
        await interaction.response.send_message(view=card(page), ephemeral=True)

    async def turn(self, interaction: discord.Interaction[Any], _argument: str, chosen: list[str]) -> None:
        """Turn to another page in place."""
        await interaction.response.edit_message(view=card(chosen[0] if chosen else START))

    async def connect(self, interaction: discord.Interaction[Any], _argument: str, _chosen: list[str]) -> None:
        """The page on connecting a model."""
        await interaction.response.send_message(view=card(CONNECT), ephemeral=True)


async def setup(bot: commands.Bot) -> None:
    """Add the command."""
    await bot.add_cog(Help(services_of(bot)))
