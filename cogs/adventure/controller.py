"""What people do to a story by command, button, modal or message, and the sentence that they get."""

from typing import Any

import discord

from bot.core.caller import Caller
from bot.core.errors import FewshotError, InputError, NotAllowedError, NotFoundError
from bot.core.i18n import N_, _, guild_locale, ngettext
from bot.core.text import escape_markdown
from bot.play import ENDED, RUNNING, Story
from bot.play.action_parser import is_exit
from bot.play.history import BACK, FORWARD, MOVED_ON, SKIP, SWITCH, UNDO, MoveResult
from bot.play.turn_queue import EnqueueResult, TurnView
from bot.services import Services
from bot.ui.caller import caller_of
from cogs.adventure import rendering
from cogs.adventure.message_view import DiscordMessageView

# Stories that are looked at when the bot starts; each is one request to Discord.
MAX_RESTORED = 20
VOTES = {
    UNDO: N_("-# {name} votes to take the turn back: {have} of {needed}. Press it too if you agree."),
    SKIP: N_("-# {name} votes to leave it out: {have} of {needed}. Press it too if you agree."),
    SWITCH: N_("-# {name} votes to go there: {have} of {needed}. Press it too if you agree."),
    BACK: N_("-# {name} votes to go back a telling: {have} of {needed}. Press it too if you agree."),
    FORWARD: N_("-# {name} votes to tell it another way: {have} of {needed}. Press it too if you agree."),
}
ELSEWHERE = N_("This button belongs to a story in another channel.")


def check_can_write(interaction: discord.Interaction[Any]) -> None:
    """Raises `NotAllowedError` where the bot may not write: turns are messages of its own."""
    if interaction.guild_id is None:
        return
    permissions, in_thread = interaction.app_permissions, isinstance(interaction.channel, discord.Thread)
    may_send = permissions.send_messages_in_threads if in_thread else permissions.send_messages
    if not (permissions.view_channel and may_send):
        raise NotAllowedError("I may not write in this channel, so no story can be told here; an admin can allow it.")


async def finish_interaction(interaction: discord.Interaction[Any], sentence: str = "") -> None:
    """Answer an acknowledged interaction with a private sentence, or remove its placeholder."""
    deferred = interaction.response.type is discord.InteractionResponseType.deferred_channel_message
    if sentence and deferred:
        await interaction.edit_original_response(content=sentence)
    elif sentence:
        await interaction.followup.send(sentence, ephemeral=True)
    elif deferred:
        await interaction.delete_original_response()


class Controller:
    """One for the process; the cog and its menu share it."""

    def __init__(self, services: Services, view: DiscordMessageView) -> None:
        self._services, self.view = services, view
        self._adventures = services.adventures

    async def act(self, interaction: discord.Interaction[Any], story: Story, text: str | None) -> None:
        """Add a turn of the caller's, None for one without words; the interaction is acknowledged already."""
        check_can_write(interaction)
        caller = caller_of(interaction)
        if text is not None and is_exit(text):
            await self.end(story, caller)
            await finish_interaction(interaction)
            return
        result = await self._adventures.act(story, caller, text, interaction.id, self.view)
        await finish_interaction(interaction, await self.wait_until_shown(story, result))

    async def wait_until_shown(self, story: Story, result: EnqueueResult) -> str:
        """Wait until a turn that is next is shown. Returns the sentence for its player, empty where none is needed."""
        if result.known:
            return ""
        if result.stopped:
            await self._adventures.post(await self._adventures.view_of_head(story), self.view)
            return _("The story has come to a stop before your turn. Yours is kept and waits; press Retry or Go on.")
        if result.ahead:
            return ngettext(
                "Another turn is before yours, which then comes by itself.",
                "{n} turns are before yours, which then comes by itself.",
                result.ahead,
            )
        if result.opened is not None:
            await result.opened
        return ""

    async def press(self, interaction: discord.Interaction[Any], argument: str) -> None:
        """Continue, or a move of the head."""
        story, seen, verb = await self.parse_button(interaction, argument)
        check_can_write(interaction)
        await interaction.response.defer()
        if verb == "continue":
            self.check_is_head(story, seen)
            await self.act(interaction, story, None)
        else:
            await self.move(interaction, story, seen, verb)

    async def move(
        self, interaction: discord.Interaction[Any], story: Story, seen: int | None, verb: str, to: int | None = None
    ) -> None:
        """Move the head, or cast a vote for it, and show the result."""
        caller = caller_of(interaction)
        result = await self._services.history.move(story.id, seen, caller, verb, self.view, to=to)
        if result.votes is not None:
            await interaction.followup.send(_vote_text(caller, verb, result))
        elif result.reply is not None:
            await finish_interaction(interaction, await self.wait_until_shown(story, result.reply))
        elif result.view is not None:
            await self._show_move(interaction, result, result.view, verb)

    async def _show_move(
        self, interaction: discord.Interaction[Any], result: MoveResult, turn_view: TurnView, verb: str
    ) -> None:
        """Show a sibling in place of the turn that was left, and any other turn in a new message."""
        in_place = interaction.message is not None and interaction.message.id == turn_view.story.message_id
        if verb in (BACK, FORWARD) and in_place and interaction.message is not None:
            await self.view.render_buttons(turn_view)
            await self._adventures.set_message(turn_view, interaction.message.id)
            return
        if verb in (UNDO, SKIP) and in_place and result.left is not None:
            name = escape_markdown(caller_of(interaction).name)
            with guild_locale():
                note = _("-# ↩ taken back by {name}", name=name)
            await interaction.edit_original_response(
                content=f"{rendering.heading(result.left)}\n{note}", view=None, attachments=[]
            )
        await self._adventures.post(turn_view, self.view)

    async def parse_button(self, interaction: discord.Interaction[Any], argument: str) -> tuple[Story, int | None, str]:
        """The story, the turn (None for the opening) and the verb of a button.

        Raises `NotFoundError` for a story of another channel, or one that has ended.
        """
        story_id, turn, verb = argument.split(":")
        story = await self._adventures.require_running(story_id)
        if story.channel_id != interaction.channel_id:
            raise NotFoundError(ELSEWHERE)
        return story, int(turn) or None, verb

    def check_is_head(self, story: Story, seen: int | None) -> None:
        """Raises `NotFoundError` for a button under an older turn."""
        if story.head != seen:
            raise NotFoundError(MOVED_ON)

    async def end(self, story: Story, caller: Caller) -> None:
        """End a story, and say so in its channel."""
        await self._adventures.set_state(story, caller, ENDED)
        self.view.remove_buttons(story)
        title = escape_markdown(story.title)
        await self.view.say(
            story,
            N_(
                "**The end** of “{title}”. `/adventure transcript` gives it to read, `/adventure resume` takes it up "
                "again."
            ),
            title=title,
        )

    async def act_by_message(self, message: discord.Message, story: Story, text: str) -> None:
        """Add a turn written as a message. Errors are answered with a sentence in the server's language."""
        author = message.author
        moderator = isinstance(author, discord.Member) and message.channel.permissions_for(author).manage_messages
        caller = Caller(
            author.id,
            story.guild_id,
            story.channel_id,
            name=author.display_name,
            is_moderator=moderator or message.guild is None,
        )
        with self.view.locale_of(story):
            try:
                if is_exit(text):
                    await self.end(story, caller)
                    return
                result = await self._adventures.act(story, caller, text, message.id, self.view)
                await self.wait_until_shown(story, result)
                if result.ahead and not result.stopped:
                    await message.add_reaction("⏳")
            except FewshotError as error:
                await message.reply(str(error), mention_author=False)

    async def restore(self) -> int:
        """Show the newest turns whose messages were deleted or have no buttons; returns how many there were."""
        restored = 0
        for story in await self._adventures.recently_played(MAX_RESTORED):
            if story.guild_id is None or self._adventures.queue.is_busy(story.id):
                continue  # A person who closed the direct messages should not get a new one.
            try:
                with self.view.locale_of(story):
                    restored += await self._restore_story(story)
            except FewshotError:
                continue  # The channel cannot be written to: its players get a sentence when they act.
        return restored

    async def _restore_story(self, story: Story) -> bool:
        """Show a story's newest turn where its message or the buttons are missing; returns whether they were."""
        has_buttons = await self.view.has_buttons(story)
        if has_buttons:
            return False
        turn_view = await self._adventures.view_of_head(story)
        if has_buttons is None:
            await self._adventures.post(turn_view, self.view)
        else:
            await self.view.render_buttons(turn_view)
        return True

    async def start(self, interaction: discord.Interaction[Any], scenario_name: str) -> Story:
        """Start a story: in this channel where it is for adventures, a thread or direct messages, else in a thread."""
        parent = self._parent_for_thread(interaction)
        if parent is None:
            return await self._start_in(interaction, interaction.channel_id or 0, scenario_name)
        title = self._adventures.scenarios.get(scenario_name).title
        thread = await parent.create_thread(name=title, type=discord.ChannelType.public_thread)
        return await self._start_in(interaction, thread.id, scenario_name)

    async def continue_or_start(
        self, interaction: discord.Interaction[Any], channel_id: int, scenario_name: str
    ) -> Story:
        """The active story of a channel with its newest turn shown, or a new one."""
        story = await self._adventures.active_in(channel_id)
        if story is None:
            return await self._start_in(interaction, channel_id, scenario_name)
        if story.state == RUNNING:
            await self._restore_story(story)
        return story

    async def _start_in(self, interaction: discord.Interaction[Any], channel_id: int, scenario_name: str) -> Story:
        caller = caller_of(interaction)
        story = await self._adventures.start(interaction.guild_id, channel_id, caller, scenario_name)
        try:
            await self._adventures.post(TurnView(story, None), self.view)
        except FewshotError:
            # A story that nobody can see must not occupy the channel.
            await self._adventures.set_state(story, caller, ENDED)
            raise
        return story

    def _parent_for_thread(self, interaction: discord.Interaction[Any]) -> discord.TextChannel | None:
        """The channel to open a thread in; None where the story is played in this channel.

        Raises `NotAllowedError` where the bot may not open threads, `InputError` where the channel has none.
        """
        check_can_write(interaction)
        channel = interaction.channel
        adventure_channels = self._services.guilds.of(interaction.guild_id).adventure_channels
        in_place = interaction.channel_id in adventure_channels or isinstance(channel, discord.Thread)
        if interaction.guild_id is None or in_place:
            return None
        if not isinstance(channel, discord.TextChannel):
            raise InputError("A story needs a text channel; start it in one.")
        permissions = interaction.app_permissions
        if not (permissions.create_public_threads and permissions.send_messages_in_threads):
            raise NotAllowedError("I may not open threads here, and stories are played in one; an admin can allow it.")
        return channel


def _vote_text(caller: Caller, verb: str, result: MoveResult) -> str:
    """The public sentence about a vote."""
    assert result.votes is not None, "a vote was cast"
    have, needed = result.votes
    with guild_locale():
        text = _(VOTES[verb], name=escape_markdown(caller.name), have=have, needed=needed)
        reset = _("I was restarted since this turn, so votes from before do not count any more.")
    return f"{text} {reset}" if result.votes_reset else text
