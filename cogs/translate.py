"""`/translate` and the message menu Translate: a text in another language, asked for in words alone."""

import asyncio
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.core.caller import SourceMessage
from bot.core.errors import InputError
from bot.core.languages import language, suggestions
from bot.services import Services, services_of
from bot.ui.caller import source_message_of

# What Discord lets a slash option hold.
LONGEST = 6_000


class Translate(commands.Cog):
    """Zero-shot: the model is told what to do and shown no example."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.menu = app_commands.ContextMenu(
            name="Translate",
            callback=self.message,
            allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
        )

    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.command(name="translate", description="Translate a text into another language")
    @app_commands.describe(
        text="What to translate",
        to="Into which language; without it, into the one you read Discord in",
        private="Show the translation to you alone, or to all; without it as the server has it",
    )
    async def translate(
        self,
        interaction: discord.Interaction[Any],
        text: app_commands.Range[str, 1, LONGEST],
        to: app_commands.Range[str, 1, 60] | None = None,
        private: bool | None = None,
    ) -> None:
        """Translate `text` into `to`."""
        hidden = self._services.guilds.private(interaction.guild_id, "translate", private)
        await self._give(interaction, text, to, private=hidden)

    @translate.autocomplete("to")
    async def languages(self, interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        """Languages by any of their names."""
        names = await asyncio.to_thread(suggestions, typed, str(interaction.locale))
        return [app_commands.Choice(name=name, value=name) for name in names]

    async def message(self, interaction: discord.Interaction[Any], message: discord.Message) -> None:
        """The message menu: into the reader's language, for the reader alone."""
        if not message.content.strip():
            raise InputError("This message holds no text to translate.")
        self._services.guilds.allow_menu(interaction.guild_id, interaction.user.id, message.author.id)
        await self._give(interaction, message.content[:LONGEST], None, private=True, quoted=source_message_of(message))

    async def _give(
        self,
        interaction: discord.Interaction[Any],
        text: str,
        to: str | None,
        *,
        private: bool,
        quoted: SourceMessage | None = None,
    ) -> None:
        if not text.strip():
            raise InputError("There is nothing to translate: the text is empty.")
        values = {"text": text, "to": (to or "").strip() or language(str(interaction.locale))}
        template = self._services.templates.get("translate")
        await self._services.answers.give(interaction, template.fill(values), private=private, source=quoted)


async def setup(bot: commands.Bot) -> None:
    """Add the command and the menu."""
    cog = Translate(services_of(bot))
    await bot.add_cog(cog)
    bot.tree.add_command(cog.menu)
