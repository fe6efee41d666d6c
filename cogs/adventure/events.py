"""The ears: turns said in messages, forms that are sent in, channels that go, and the bot's own start."""

import logging
import re
from typing import Any

import discord
from discord.ext import commands

from bot.core.i18n import _
from bot.play.records import RUNNING, Story
from bot.services import Services
from cogs.adventure.controller import Play, told
from cogs.adventure.menu import FORM_ARGUMENT, SENT_IN, Menu

_log = logging.getLogger(__name__)
# Who says this in front of a message speaks to the others and not in the story.
ASIDE = ("(", "//")
# The scenario of the demo's button, which plays with no model connected too.
DEMO_SCENARIO, DEMO_CHANNEL = "room", "adventures"


class Listening(commands.Cog, name="Adventures"):
    """Everything that reaches a story and is no command."""

    def __init__(self, bot: commands.Bot, services: Services, play: Play) -> None:
        self._bot, self._services, self._play = bot, services, play
        self._adventures, self._menu = services.adventures, Menu(services, play)
        self._restored = False

    async def cog_load(self) -> None:
        """Serve the buttons and menus under turns, and the demo's Play."""
        for action, handler in self._menu.actions.items():
            self._services.actions.register(action, handler)
        self._services.actions.register_modal(SENT_IN, self._menu.sent_in, argument=FORM_ARGUMENT)
        self._services.actions.register("play", self.demo)

    async def cog_unload(self) -> None:
        """Let the turns under way end while they can still be shown."""
        for action in (*self._menu.actions, SENT_IN, "play"):
            self._services.actions.unregister(action)
        await self._adventures.close()
        await self._play.stage.close()

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """Once: show the newest turns whose messages have gone meanwhile."""
        if not self._restored:
            self._restored = True
            posted = await self._play.restore()
            if posted:
                _log.info("%d stories had lost the message of their newest turn and got a new one", posted)

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        """A reply to a turn, a mention in a story's channel, or any message there where the bot may read them."""
        if message.author.bot or message.type not in (discord.MessageType.default, discord.MessageType.reply):
            return
        text = self._without_mention(message.content)
        story = await self._addressed(message) if text else None
        if story is not None and story.state == RUNNING:
            await self._play.hear(message, story, text)

    @commands.Cog.listener()
    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """Its story ends, and those in its threads, of whose end Discord says nothing of its own."""
        threads = channel.threads if isinstance(channel, discord.TextChannel) else []
        await self._adventures.channel_gone(channel.id, *(thread.id for thread in threads))

    @commands.Cog.listener()
    async def on_raw_thread_delete(self, event: discord.RawThreadDeleteEvent) -> None:
        """The same for a thread."""
        await self._adventures.channel_gone(event.thread_id)

    async def demo(self, interaction: discord.Interaction[Any], _argument: str, _chosen: list[str]) -> None:
        """Play: go on with the story of the channel for adventures, or begin the room there."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        story = await self._play.in_channel(interaction, self._channel(interaction), DEMO_SCENARIO)
        await told(interaction, _("The story is in {channel}: press **Act…** there.", channel=f"<#{story.channel_id}>"))

    def _channel(self, interaction: discord.Interaction[Any]) -> int:
        """The channel set aside for adventures, else the one called so, else this one."""
        aside = self._services.guilds.of(interaction.guild_id).adventure_channels
        named = [channel.id for channel in (interaction.guild.text_channels if interaction.guild else [])
                 if channel.id in aside or channel.name == DEMO_CHANNEL]  # fmt: skip
        return next(iter(sorted(named, key=lambda one: one not in aside)), interaction.channel_id or 0)

    async def _addressed(self, message: discord.Message) -> Story | None:
        """The story that a message plays in, if it is meant for one."""
        channel = message.channel.id
        if message.type is discord.MessageType.reply and message.reference is not None:
            story = await self._adventures.told_by(message.reference.message_id or 0)
            return story if story is not None and story.channel_id == channel else None
        plain = message.guild is None or self._services.settings.message_content
        if self._mentions_me(message) or (plain and not message.content.startswith(ASIDE)):
            return await self._adventures.here(channel)
        return None

    def _mentions_me(self, message: discord.Message) -> bool:
        me = self._bot.user
        return me is not None and me.id in message.raw_mentions

    def _without_mention(self, text: str) -> str:
        me = self._bot.user
        return re.sub(rf"<@!?{me.id}>", "", text).strip() if me is not None else text.strip()
