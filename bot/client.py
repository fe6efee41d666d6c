"""The Discord client: which events it asks for, how it loads cogs, when it syncs commands, how it stops."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from pkgutil import iter_modules

import discord
from discord import app_commands
from discord.ext import commands

from bot.core.settings import Settings
from bot.services import Services
from bot.storage.marks import mark, set_mark
from bot.ui.actions import ActionButton, ActionMenu, Actions
from bot.ui.errors import tell

# What the bot does in a server, and so what its invite link asks for: nothing that manages anything.
PERMISSIONS = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    create_public_threads=True,
    embed_links=True,
    attach_files=True,
    read_message_history=True,
    add_reactions=True,
    use_external_emojis=True,
)


# The bot never speaks, so it need not be told at every start that it could not.
discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False


class Tree(app_commands.CommandTree["Fewshot"]):
    """The commands; their errors reach the person."""

    async def on_error(
        self, interaction: discord.Interaction["Fewshot"], error: app_commands.AppCommandError, /
    ) -> None:
        """Tell the one who used the command."""
        await tell(interaction, error)


class Fewshot(commands.Bot):
    """The bot. It is handed its services and opens nothing itself."""

    def __init__(self, services: Services) -> None:
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            tree_cls=Tree,
            intents=_intents(services.settings),
            # Text that a model wrote pings nobody.
            allowed_mentions=discord.AllowedMentions.none(),
            allowed_installs=_installs(services.settings),
            allowed_contexts=app_commands.AppCommandContext(
                guild=True, dm_channel=True, private_channel=services.settings.user_install
            ),
            # Nothing is looked up in these caches, and without them memory stays flat.
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
        )
        self.services = services
        self.actions: Actions = services.actions
        self.on_started: Callable[[Fewshot], Awaitable[None]] | None = None

    async def setup_hook(self) -> None:
        """Load the cogs and sync the commands; runs once, before the gateway connects."""
        self.add_dynamic_items(ActionButton, ActionMenu)
        for name in cog_names():
            await self.load_extension(name)
        if self.http.token is not None:
            await self.sync()

    async def on_ready(self) -> None:
        """Say once that the bot is ready; Discord says it again after reconnects."""
        if self.on_started is not None:
            started, self.on_started = self.on_started, None
            await started(self)

    async def on_message(self, message: discord.Message, /) -> None:
        """No commands are read from messages."""

    async def sync(self) -> int:
        """Register the commands, if they changed since the last time; how many there are."""
        guilds = [discord.Object(guild) for guild in sorted(self.services.settings.guild_ids)]
        places: list[discord.Object | None] = [*guilds] if guilds else [None]
        tree = json.dumps([command.to_dict(self.tree) for command in self.tree.get_commands()], sort_keys=True)
        for guild in places:
            name = f"commands:{self.application_id}:{guild.id if guild else 'everywhere'}"
            digest = hashlib.sha256(tree.encode()).hexdigest()
            if await mark(self.services.database, name) == digest:
                continue
            if guild is not None:
                self.tree.copy_global_to(guild=guild)
            await self.tree.sync(guild=guild)
            await set_mark(self.services.database, name, digest)
        return len(self.tree.get_commands())


def cog_names() -> list[str]:
    """Every module and package in `cogs`, by the name under which it is loaded."""
    from importlib import import_module

    package = import_module("cogs")
    return sorted(f"cogs.{module.name}" for module in iter_modules(package.__path__) if module.name[0] != "_")


def _intents(settings: Settings) -> discord.Intents:
    """Servers and messages; without the privileged intent messages come with no content, but for a few kinds."""
    intents = discord.Intents.none()
    intents.guilds = intents.guild_messages = intents.dm_messages = True
    intents.message_content = settings.message_content
    return intents


def _installs(settings: Settings) -> app_commands.AppInstallationType:
    """Servers, and people where the operator has switched that on: Discord refuses it unless the portal agrees."""
    return app_commands.AppInstallationType(guild=True, user=settings.user_install)
