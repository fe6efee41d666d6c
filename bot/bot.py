"""The Discord client: which events it asks for, how it loads cogs, when it syncs commands, how it stops."""

import hashlib
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pkgutil import iter_modules
from typing import Any
from urllib.parse import urlsplit

import discord
from discord import app_commands
from discord.ext import commands

from bot.core.errors import ConfigError
from bot.core.i18n import catalogue_bytes
from bot.core.proxies import proxy_for
from bot.core.settings import Settings
from bot.services import Services
from bot.storage.key_value import delete_value, get_value, names_with_prefix, set_value
from bot.ui.actions import ActionButton, ActionRegistry, ActionSelect
from bot.ui.errors import report_error
from bot.ui.locale import CatalogueTranslator, set_locale

_log = logging.getLogger(__name__)
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
# Seconds without news of another server after which all are taken to be told; discord.py's own number.
QUIET = 2.0
# The kinds of channels that can be age-restricted.
FOR_ADULTS = (discord.TextChannel, discord.VoiceChannel, discord.StageChannel, discord.ForumChannel)
# In place of a server's id, for commands that stand in all of them.
EVERYWHERE = "everywhere"

# The bot never speaks, so it need not be told at every start that it could not.
discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False


def proxy_to_discord() -> str | None:
    """The address of the proxy on the way to Discord; None where there is none."""
    way = urlsplit(discord.http.Route.BASE)
    return proxy_for(way.scheme, way.hostname or "")


class CommandTree(app_commands.CommandTree["FewshotBot"]):
    """The commands; their errors reach the person."""

    async def interaction_check(self, interaction: discord.Interaction["FewshotBot"], /) -> bool:
        """Speak the language of the one who acts; who may do what is checked where it is done."""
        set_locale(interaction)
        return True

    async def on_error(
        self, interaction: discord.Interaction["FewshotBot"], error: app_commands.AppCommandError, /
    ) -> None:
        """Tell the one who used the command."""
        await report_error(interaction, error)


class FewshotBot(commands.Bot):
    """The bot. It is handed its services and opens nothing itself."""

    def __init__(self, services: Services) -> None:
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            tree_cls=CommandTree,
            intents=_intents(services.settings),
            # Text that a model wrote pings nobody.
            allowed_mentions=discord.AllowedMentions.none(),
            # Nothing is looked up in these caches, and without them memory stays flat.
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            guild_ready_timeout=QUIET,
            proxy=proxy_to_discord(),
        )
        self.services = services
        self.actions: ActionRegistry = services.actions
        self.on_started: Callable[[FewshotBot], Awaitable[None]] | None = None
        services.health.gateway = self._is_connected
        if services.gateway.moderation is not None:
            services.gateway.moderation.age_restricted = self._is_age_restricted

    async def setup_hook(self) -> None:
        """Load the cogs and sync the commands; runs once, before the gateway connects."""
        self.add_dynamic_items(ActionButton, ActionSelect)
        await self.tree.set_translator(CatalogueTranslator())
        for name in cog_names():
            await self.load_extension(name)
        for place in (None, *self.services.settings.operator_guild_ids):
            for command in self.tree.get_commands(guild=_object(place)):
                set_command_contexts(command, anywhere=self.services.settings.user_install)
                # What a server teaches may not be called like what the bot does already.
                self.services.tricks.reserved.add(command.name)
        if self.http.token is not None:
            await self.sync()

    async def on_ready(self) -> None:
        """Say once that the bot is ready; Discord says it again after reconnects."""
        if self.on_started is not None:
            started, self.on_started = self.on_started, None
            await started(self)

    async def on_guild_join(self, guild: discord.Guild, /) -> None:
        """Register commands where the settings want them and the bot comes only now, or anew: those of before went
        with it.
        """
        if guild.id in self._wanted():
            await delete_value(self.services.database, self._key_of(guild.id))
            await self._sync_in(guild.id)

    async def on_message(self, message: discord.Message, /) -> None:
        """No commands are read from messages."""

    async def on_interaction(self, interaction: discord.Interaction["FewshotBot"], /) -> None:
        """Handle submitted modals, and components that discord.py does not know."""
        await self.actions.dispatch_other(interaction)

    def language_in(self, guild_id: int | None) -> str | None:
        """The language that a server's admins chose, or None."""
        return self.services.guilds.of(guild_id).language

    def _is_connected(self) -> bool:
        """Whether the gateway is connected and has told what there is."""
        return self.is_ready() and not self.is_closed() and self.ws.open

    def _is_age_restricted(self, channel_id: int) -> bool:
        """Whether a channel of a server that the bot is in is for adults alone; a thread is what its channel is."""
        channel = self.get_channel(channel_id)
        if isinstance(channel, discord.Thread):
            channel = channel.parent
        return isinstance(channel, FOR_ADULTS) and channel.is_nsfw()

    @property
    def command_names(self) -> list[str]:
        """The names of all commands, wherever they are registered."""
        everywhere = [command for place in self._wanted() for command in self.tree.get_commands(guild=_object(place))]
        return sorted({command.name for command in everywhere})

    async def sync(self) -> None:
        """Register the commands, where they changed since the last time.

        Some servers may have commands of their own, `/finetune` with OPERATOR_GUILD_IDS. Where commands stood that
        the settings do not want there any more, they are taken back.
        """
        for guild in self.services.settings.guild_ids:
            self.tree.copy_global_to(guild=discord.Object(guild))
        wanted = self._wanted()
        for place in wanted:
            await self._sync_in(place)
        for name in await names_with_prefix(self.services.database, f"commands:{self.application_id}:"):
            where = name.rpartition(":")[2]
            place = None if where == EVERYWHERE else int(where)
            if place not in wanted:
                await self._clear(place)
                await delete_value(self.services.database, name)

    def _wanted(self) -> list[int | None]:
        """Where commands are registered: in these servers, and in all (None) where the settings name none."""
        settings = self.services.settings
        places: list[int | None] = [*sorted(settings.guild_ids | settings.operator_guild_ids)]
        return places if settings.guild_ids else [*places, None]

    def _key_of(self, place: int | None) -> str:
        """The name under which the last registration in `place` is noted."""
        return f"commands:{self.application_id}:{place or EVERYWHERE}"

    async def _sync_in(self, place: int | None) -> None:
        """Register what the tree has for the server `place`, or for all servers."""
        guild = _object(place)
        tree = json.dumps(
            [command.to_dict(self.tree) for command in self.tree.get_commands(guild=guild)], sort_keys=True
        )
        # Registering sends every string in every language as well; what they come from stands for them.
        digest = hashlib.sha256(tree.encode() + catalogue_bytes()).hexdigest()
        name = self._key_of(place)
        if await get_value(self.services.database, name) == digest:
            return
        try:
            await self.tree.sync(guild=guild)
        except (discord.Forbidden, discord.NotFound):
            _log.error(
                "Discord lets me register no commands in the server %s: invite me there, or correct the ids", place
            )
            return
        except app_commands.CommandSyncFailure:
            if not self.services.settings.user_install:
                raise
            raise ConfigError(
                "USER_INSTALL is on, but the portal does not let people install this bot for themselves: switch it "
                "on there, or here off."
            ) from None
        await set_value(self.services.database, name, digest)

    async def _clear(self, place: int | None) -> None:
        """Take the commands back that were registered in the server `place`, or for all servers."""
        assert self.application_id is not None, "it was needed to register them"
        if place is None:
            await self.http.bulk_upsert_global_commands(self.application_id, [])
            return
        with suppress(discord.Forbidden, discord.NotFound):  # The bot has left that server, and they left with it.
            await self.http.bulk_upsert_guild_commands(self.application_id, place, [])


def set_command_contexts(
    command: app_commands.Command[Any, ..., Any] | app_commands.Group | app_commands.ContextMenu, *, anywhere: bool
) -> None:
    """Say of a command where it may be used: in servers, in the bot's direct messages unless it is for servers only,
    and with `anywhere` also where the bot is not, for those commands that let people install them.
    """
    people = anywhere and command.allowed_installs is not None and command.allowed_installs.user
    command.allowed_installs = app_commands.AppInstallationType(guild=True, user=people)
    command.allowed_contexts = app_commands.AppCommandContext(
        guild=True, dm_channel=not command.guild_only, private_channel=people
    )


def _object(place: int | None) -> discord.Object | None:
    """A server as the tree names it."""
    return None if place is None else discord.Object(place)


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
