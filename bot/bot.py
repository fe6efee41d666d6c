"""The Discord client: intents, cogs, command registration, events."""

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import discord
from discord import app_commands
from discord.ext import commands

from bot.answers.interrupted import end_interrupted
from bot.core.errors import ConfigError
from bot.core.i18n import catalogue_bytes
from bot.core.proxies import proxy_for
from bot.core.settings import Settings
from bot.server.chat_models import ChatModels
from bot.services import Services
from bot.storage.key_value import delete_value, get_value, names_with_prefix, set_value
from bot.ui.actions import ActionButton, ActionRegistry, ActionSelect
from bot.ui.errors import BriefErrors, report_error
from bot.ui.handling import begin, request_trace
from bot.ui.locale import CatalogueTranslator, RecentLocales, set_locale

_log = logging.getLogger(__name__)
# The permissions in the invite link. None of them allows managing anything.
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
# Seconds without a GUILD_CREATE event after which the bot is ready; discord.py's default.
GUILD_READY_TIMEOUT = 2.0
# The types of channels that can be age-restricted.
AGE_RESTRICTABLE = (discord.TextChannel, discord.VoiceChannel, discord.StageChannel, discord.ForumChannel)
# Stored in place of a server's id, for commands that are registered globally.
EVERYWHERE = "everywhere"

# The bot does not use voice, so discord.py need not warn about missing voice libraries.
discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
# They log the errors of listeners and of autocompletions.
for _name in ("discord.client", "discord.app_commands.tree"):
    logging.getLogger(_name).addFilter(BriefErrors())


def proxy_to_discord() -> str | None:
    """The address of the proxy for requests to Discord; None without a proxy."""
    api = urlsplit(discord.http.Route.BASE)
    return proxy_for(api.scheme, api.hostname or "")


class CommandTree(app_commands.CommandTree["FewshotBot"]):
    """Sets the locale and begins to measure before each command, and reports errors to the user."""

    async def interaction_check(self, interaction: discord.Interaction["FewshotBot"], /) -> bool:
        """Set the locale. Permissions are checked by each command."""
        set_locale(interaction)
        begin(interaction, self.client.services.metrics)
        return True

    async def on_error(
        self, interaction: discord.Interaction["FewshotBot"], error: app_commands.AppCommandError, /
    ) -> None:
        """Report the error to the user."""
        await report_error(interaction, error)


class FewshotBot(commands.Bot):
    """The bot. It receives its services and opens no resources itself."""

    def __init__(self, services: Services, **options: Any) -> None:
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            tree_cls=CommandTree,
            intents=_intents(services.settings),
            # Text that a model wrote must not ping anyone.
            allowed_mentions=discord.AllowedMentions.none(),
            # The bot does not use these caches. Without them, memory use does not grow.
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            guild_ready_timeout=GUILD_READY_TIMEOUT,
            proxy=proxy_to_discord(),
            http_trace=request_trace(services.metrics),  # type: ignore[arg-type]  # None is the default
            **options,
        )
        self.services = services
        self.actions: ActionRegistry = services.actions
        self.chat_models: ChatModels = services.chat_models
        self.recent_locales = RecentLocales()
        self.on_started: Callable[[FewshotBot], Awaitable[None]] | None = None
        self._ending: asyncio.Task[None] | None = None
        services.health.gateway = self._is_connected
        services.metrics.on_scrape("fewshot_guilds", lambda: len(self.guilds))
        services.metrics.on_scrape("fewshot_gateway_connected", self._connections)
        services.metrics.on_scrape("fewshot_gateway_latency_seconds", self._latencies)
        if services.gateway.moderation is not None:
            services.gateway.moderation.age_restricted = self._is_age_restricted

    async def setup_hook(self) -> None:
        """Load the cogs and register the commands. discord.py calls this once, before the gateway connects."""
        self.add_dynamic_items(ActionButton, ActionSelect)
        await self.tree.set_translator(CatalogueTranslator())
        for module in cog_modules():
            await module.setup(self)
        for place in (None, *self.services.settings.operator_guild_ids):
            for command in self.tree.get_commands(guild=_object(place)):
                set_command_contexts(command, anywhere=self.services.settings.user_install)
                # A server's trick may not have the name of a command.
                self.services.tricks.reserved.add(command.name)
        if self.http.token is not None and self.services.slot.is_first:
            await self.sync()
        if self.services.unfinished.left:
            self._ending = asyncio.create_task(
                end_interrupted(self, self.services.unfinished, self.services.prompts), name="end interrupted answers"
            )

    async def close(self) -> None:
        """Disconnect."""
        if self._ending is not None:
            self._ending.cancel()
        await super().close()

    async def on_ready(self) -> None:
        """Call `on_started` once. Discord sends the event again after reconnects."""
        if self.on_started is not None:
            started, self.on_started = self.on_started, None
            await started(self)

    async def on_guild_join(self, guild: discord.Guild, /) -> None:
        """Register the commands of a server that the settings name. Discord removed earlier ones when the bot left."""
        if guild.id in self._wanted():
            await delete_value(self.services.database, self._key_of(guild.id))
            await self._sync_in(guild.id)

    async def on_message(self, message: discord.Message, /) -> None:
        """Do nothing: discord.py would look for prefix commands, and the bot has none."""

    async def on_interaction(self, interaction: discord.Interaction["FewshotBot"], /) -> None:
        """Handle submitted modals, and components that discord.py does not know."""
        await self.actions.dispatch_other(interaction)

    def language_in(self, guild_id: int | None) -> str | None:
        """The language that a server's admins chose, or None."""
        return self.services.guilds.of(guild_id).language

    def _is_connected(self) -> bool:
        """Whether the gateway is connected and all servers are known."""
        return self.is_ready() and not self.is_closed() and all(self._connections().values())

    def _connections(self) -> dict[str, float]:
        """1 for each shard that is connected, 0 for one that is not."""
        return {"0": float(not self.is_closed() and self.ws is not None and self.ws.open)}

    def _latencies(self) -> dict[str, float]:
        """Seconds of the newest heartbeat of each shard."""
        return {"0": self.latency}

    def _is_age_restricted(self, channel_id: int) -> bool:
        """Whether a channel is age-restricted; a thread is if its channel is."""
        channel = self.get_channel(channel_id)
        if isinstance(channel, discord.Thread):
            channel = channel.parent
        return isinstance(channel, AGE_RESTRICTABLE) and channel.is_nsfw()

    @property
    def command_names(self) -> list[str]:
        """The names of all commands, wherever they are registered."""
        everywhere = [command for place in self._wanted() for command in self.tree.get_commands(guild=_object(place))]
        return sorted({command.name for command in everywhere})

    async def sync(self) -> None:
        """Register the commands that have changed since the last registration.

        Commands are removed from places where the settings no longer want them. Servers of OPERATOR_GUILD_IDS have
        additional commands (`/finetune`).
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
        """The ids of servers in which commands are registered; None means all servers: GUILD_IDS is not set."""
        settings = self.services.settings
        places: list[int | None] = [*sorted(settings.guild_ids | settings.operator_guild_ids)]
        return places if settings.guild_ids else [*places, None]

    def _key_of(self, place: int | None) -> str:
        """The name under which the last registration in `place` is noted."""
        return f"commands:{self.application_id}:{place or EVERYWHERE}"

    async def _sync_in(self, place: int | None) -> None:
        """Register the commands of the server `place`, or of all servers (None), unless they are unchanged."""
        guild = _object(place)
        tree = json.dumps(
            [command.to_dict(self.tree) for command in self.tree.get_commands(guild=guild)], sort_keys=True
        )
        # Discord also receives the translations of all strings, so the catalogues are part of the hash.
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
        """Remove the commands that were registered in the server `place`, or for all servers (None)."""
        assert self.application_id is not None, "it was known when they were registered"
        if place is None:
            await self.http.bulk_upsert_global_commands(self.application_id, [])
            return
        # If the bot has left that server, Discord has removed its commands.
        with suppress(discord.Forbidden, discord.NotFound):
            await self.http.bulk_upsert_guild_commands(self.application_id, place, [])


class ShardedBot(FewshotBot, discord.AutoShardedClient):
    """The bot with the shards of this process's slot."""

    def __init__(self, services: Services) -> None:
        slot = services.slot
        # Shards of other processes may identify first, which can take minutes.
        super().__init__(services, shard_count=slot.shards, shard_ids=slot.shard_ids, shard_connect_timeout=None)
        self._buckets = 1

    async def setup_hook(self) -> None:
        """Ask how many shards may identify at a time."""
        await super().setup_hook()
        self._buckets = (await self.fetch_session_start_limits()).max_concurrency

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Wait for the shard's turn among those of all processes."""
        await self.services.slot.before_identify((shard_id or 0) % self._buckets)

    def _connections(self) -> dict[str, float]:
        connected = {shard.id: not shard.is_closed() for shard in self.shards.values()}
        return {str(number): float(connected.get(number, False)) for number in self.services.slot.shard_ids}

    def _latencies(self) -> dict[str, float]:
        return {str(number): latency for number, latency in self.latencies}


def make_bot(services: Services) -> FewshotBot:
    """The bot, with shards where the slot has any."""
    return ShardedBot(services) if services.slot.shards else FewshotBot(services)


def set_command_contexts(
    command: app_commands.Command[Any, ..., Any] | app_commands.Group | app_commands.ContextMenu, *, anywhere: bool
) -> None:
    """Set the installation types and contexts of a command.

    Every command works in servers, and in the bot's direct messages unless it is `guild_only`. With `anywhere`,
    commands that allow user installs also work where the bot is not a member.
    """
    people = anywhere and command.allowed_installs is not None and command.allowed_installs.user
    command.allowed_installs = app_commands.AppInstallationType(guild=True, user=people)
    command.allowed_contexts = app_commands.AppCommandContext(
        guild=True, dm_channel=not command.guild_only, private_channel=people
    )


def _object(place: int | None) -> discord.Object | None:
    """The server as discord.py's command tree expects it."""
    return None if place is None else discord.Object(place)


def cog_modules() -> list[ModuleType]:
    """Every module and package in `cogs`, imported; names with an underscore are helpers.

    `cogs.techniques` comes last, because it registers what other cogs extend.
    """
    package = import_module("cogs")
    names = [f"cogs.{module.name}" for module in iter_modules(package.__path__) if module.name[0] != "_"]
    return [import_module(name) for name in sorted(names, key=lambda name: (name == "cogs.techniques", name))]


def _intents(settings: Settings) -> discord.Intents:
    """Server and message events. The content of most messages needs the privileged intent."""
    intents = discord.Intents.none()
    intents.guilds = intents.guild_messages = intents.dm_messages = True
    intents.message_content = settings.message_content
    return intents
