"""`/adventure`: its subcommands, and the events of stories: messages, deleted channels, the bot's start."""

import logging
import re
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.answers.prompt_view import author
from bot.core.errors import NoModelError, StorageError
from bot.core.i18n import N_, _, ngettext
from bot.core.text import escape_markdown, shorten
from bot.play import PAUSED, RUNNING, Story, Turn
from bot.play.action_parser import MAX_ACTION, display_words
from bot.services import Services
from bot.ui.actions import actions_in
from bot.ui.caller import caller_of
from bot.ui.errors import report_to_author
from bot.ui.files import to_files
from bot.ui.locale import set_locale_of_message
from bot.ui.pictures import tree_picture
from bot.ui.reply import Page, Reply
from bot.ui.views import View
from cogs.adventure.controller import Controller, finish_interaction
from cogs.adventure.menu import Menu, switch_menu
from cogs.adventure.message_view import DiscordMessageView
from cogs.adventure.rendering import transcript
from cogs.adventure.tree_layout import layout

_log = logging.getLogger(__name__)
# Turns that a recap lists where no model is connected.
RECAP_WITHOUT_MODEL = 6
# Messages that begin with one of these are not part of the story.
ASIDE = ("(", "//")
# The scenario of the demo's button, which works without a model, and the channel that it is played in.
DEMO_SCENARIO, DEMO_CHANNEL = "room", "adventures"


class Adventure(commands.GroupCog, name="adventure", description="Play a story together, turn by turn"):
    """The subcommands of `/adventure`; everything else is done with the buttons under the newest turn."""

    def __init__(self, bot: commands.Bot, services: Services) -> None:
        self._bot, self._services, self._adventures = bot, services, services.adventures
        self._controller = Controller(services, DiscordMessageView(bot))
        Menu(services, self._controller)  # registers its buttons
        self._is_restored = False
        services.actions.register("play", self.demo)
        super().__init__()

    async def cog_unload(self) -> None:
        """Let current turns finish while they can still be shown."""
        await self._adventures.close()
        await self._controller.view.close()

    # Commands.

    @app_commands.command(description="Begin a story, in a thread of its own or in a channel set aside for them")
    @app_commands.describe(scenario="Which story")
    async def start(self, interaction: discord.Interaction[Any], scenario: app_commands.Range[str, 1, 80]) -> None:
        """Start the story `scenario`."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        with self._services.inflight.track(interaction):
            story = await self._controller.start(interaction, scenario)
        here = story.channel_id == interaction.channel_id
        channel = f"<#{story.channel_id}>"
        await finish_interaction(interaction, "" if here else _("The story begins in {channel}.", channel=channel))

    @start.autocomplete("scenario")
    async def scenarios(self, _interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        """Scenarios by title."""
        found = self._adventures.scenarios.suggested(typed)
        return [app_commands.Choice(name=shorten(f"{one.title}: {_(one.about)}", 100), value=one.name) for one in found]

    @app_commands.command(description="Say what you do, or put what you say in quotation marks")
    @app_commands.describe(text="What you do; I roll the dice for “roll 2d6+1”. “exit” ends the story")
    async def act(self, interaction: discord.Interaction[Any], text: app_commands.Range[str, 1, MAX_ACTION]) -> None:
        """Add a turn."""
        with self._services.inflight.track(interaction):
            story = await self._adventures.require_active(interaction.channel_id or 0)
            await self._controller.act(interaction, story, text)

    @app_commands.command(description="The tree of the story as a picture: every turn, taken back or not")
    async def branches(self, interaction: discord.Interaction[Any]) -> None:
        """Draw the tree, with a menu to switch to another turn."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        story = await self._latest(interaction)
        tree, named = await self._adventures.tree(story)
        picture = await tree_picture("branches.png", layout(tree, named, story.head), story.title)
        destinations = await self._services.history.destinations(story) if story.state == RUNNING else []
        menu: dict[str, Any] = {"view": View(switch_menu(story, destinations))} if destinations else {}
        await interaction.edit_original_response(
            content=_tree_text(len(tree), [branch.name for branch in named]),
            attachments=to_files([picture]),
            **menu,
        )

    @app_commands.command(description="What happened so far")
    async def recap(self, interaction: discord.Interaction[Any]) -> None:
        """Summarize the story for the caller."""
        async with Reply(interaction, private=True) as reply:
            with self._services.inflight.track(interaction):
                story = await self._latest(interaction)
                try:
                    recap = await self._adventures.recap(story, caller_of(interaction))
                except NoModelError:
                    path = await self._adventures.path(story)
                    note = _("-# No model is connected that could summarize it, so here are the last turns.")
                    await reply.finish(Page("\n".join(map(_short, path[-RECAP_WITHOUT_MODEL:])), note))
                    return
                note = _("-# {model} · recap of {title}", model=author(recap.shown_model), title=story.title)
                await reply.finish(Page(recap.text, note))

    @app_commands.command(description="The story as a Markdown file")
    async def transcript(self, interaction: discord.Interaction[Any]) -> None:
        """Send the path from the opening to the newest turn."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        story = await self._latest(interaction)
        path = await self._adventures.path(story)
        title = escape_markdown(story.title)
        await interaction.edit_original_response(
            content=ngettext("{n} turn of “{title}”.", "{n} turns of “{title}”.", len(path), title=title),
            attachments=to_files([(f"{story.scenario}.md", transcript(story, path).encode())]),
        )

    @app_commands.command(description="Pause the story")
    async def pause(self, interaction: discord.Interaction[Any]) -> None:
        """Accept no turns until it is resumed."""
        story = await self._adventures.require_active(interaction.channel_id or 0)
        await self._adventures.set_state(story, caller_of(interaction), PAUSED)
        paused = N_("The story is paused. `/adventure resume` goes on with it.")
        await self._controller.announce(story, paused, interaction)

    @app_commands.command(description="Go on with a story that was paused or ended; or show its newest turn again")
    async def resume(self, interaction: discord.Interaction[Any]) -> None:
        """Resume the channel's last story."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        story, caller = await self._latest(interaction), caller_of(interaction)
        if story.state == RUNNING:
            await self._adventures.check_player(story, caller, must_have_played=True)
            await self._adventures.queue.check_idle(story.id)
        else:
            await self._adventures.set_state(story, caller, RUNNING)
        await self._adventures.post(await self._adventures.view_of_head(story), self._controller.view)
        await finish_interaction(interaction)

    @app_commands.command(description="End the story")
    async def end(self, interaction: discord.Interaction[Any]) -> None:
        """End it for everyone."""
        story = await self._adventures.require_active(interaction.channel_id or 0)
        await self._controller.end(story, caller_of(interaction), interaction)

    async def _latest(self, interaction: discord.Interaction[Any]) -> Story:
        return await self._adventures.require_latest(interaction.channel_id or 0)

    # Events.

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """After the start, show the newest turns whose messages were deleted while the bot did not run."""
        if not self._is_restored:
            self._is_restored = True
            restored = await self._controller.restore()
            if restored:
                _log.info("the newest turn of %d stories was shown again", restored)

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        """A reply to a turn, a mention in a story's channel, or any message there if the bot may read them."""
        if message.author.bot or message.type not in (discord.MessageType.default, discord.MessageType.reply):
            return
        text = self._without_mention(message.content)
        try:
            story = await self._story_for(message) if text else None
        except StorageError as error:
            if self._is_turn_alone(message):
                set_locale_of_message(self._bot, message)
                await report_to_author(message, error)
            return
        if story is not None and story.state == RUNNING:
            await self._controller.act_by_message(message, story, text)

    @commands.Cog.listener()
    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """End its story and those of its threads, for which Discord sends no events."""
        threads = channel.threads if isinstance(channel, discord.TextChannel) else []
        await self._adventures.end_in_channels(channel.id, *(thread.id for thread in threads))

    @commands.Cog.listener()
    async def on_raw_thread_delete(self, event: discord.RawThreadDeleteEvent) -> None:
        """End the thread's story."""
        await self._adventures.end_in_channels(event.thread_id)

    @commands.Cog.listener()
    async def on_raw_thread_update(self, event: discord.RawThreadUpdateEvent) -> None:
        """Go on with the story of a thread that was locked or archived and is open."""
        if not event.data["thread_metadata"]["archived"]:
            await self._controller.on_thread_open(event.thread_id)

    async def demo(self, interaction: discord.Interaction[Any], _argument: str) -> None:
        """The demo's Play button: continue the story of the channel for adventures, or start the locked room there."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        story = await self._controller.continue_or_start(interaction, self._demo_channel(interaction), DEMO_SCENARIO)
        channel = f"<#{story.channel_id}>"
        await finish_interaction(interaction, _("The story is in {channel}: press **Act…** there.", channel=channel))

    def _demo_channel(self, interaction: discord.Interaction[Any]) -> int:
        """The channel that is set for adventures, else the one with that name, else this one."""
        adventure_channels = self._services.guilds.of(interaction.guild_id).adventure_channels
        channels = interaction.guild.text_channels if interaction.guild else []
        found = [one.id for one in channels if one.id in adventure_channels or one.name == DEMO_CHANNEL]
        return next(iter(sorted(found, key=lambda one: one not in adventure_channels)), interaction.channel_id or 0)

    async def _story_for(self, message: discord.Message) -> Story | None:
        """The story that a message is a turn of, if any."""
        channel_id = message.channel.id
        if message.type is discord.MessageType.reply and message.reference is not None:
            story = await self._adventures.story_of_message(message.reference.message_id or 0)
            return story if story is not None and story.channel_id == channel_id else None
        reads_all = message.guild is None or self._services.settings.message_content
        me = self._bot.user
        is_mentioned = me is not None and me.id in message.raw_mentions
        if is_mentioned or (reads_all and not message.content.startswith(ASIDE)):
            return await self._adventures.active_in(channel_id)
        return None

    def _is_turn_alone(self, message: discord.Message) -> bool:
        """Whether `message` replies to the bot, and `cogs.conversation` would not take it."""
        replied = message.reference.resolved if message.reference is not None else None
        if message.guild is None or not isinstance(replied, discord.Message) or replied.author != self._bot.user:
            return False
        is_answer = any(item.action == "prompt" for item in actions_in(replied))
        return not is_answer and self._without_mention(message.content) == message.content.strip()

    def _without_mention(self, text: str) -> str:
        me = self._bot.user
        return re.sub(rf"<@!?{me.id}>", "", text).strip() if me is not None else text.strip()


def _tree_text(turns: int, branches: list[str]) -> str:
    """How many turns a story has, and the names of its branches."""
    if not branches:
        return ngettext(
            "{n} turn. Branches: none yet; ⋯ under the newest turn creates one.",
            "{n} turns. Branches: none yet; ⋯ under the newest turn creates one.",
            turns,
        )
    names = ", ".join(f"`{name}`" for name in branches)
    return ngettext("{n} turn. Branches: {names}.", "{n} turns. Branches: {names}.", turns, names=names)


def _short(turn: Turn) -> str:
    words = escape_markdown(shorten(f"{turn.player} › {display_words(turn)}", 120))
    return f"> {words}\n{shorten(turn.reply or '…', 180)}"
