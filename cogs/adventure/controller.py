"""What people do to a story by command, button, modal or message, and the sentence that they get."""

import logging
from contextlib import suppress
from dataclasses import replace
from typing import Any

import discord

from bot.core.caller import Caller
from bot.core.errors import FewshotError, InputError, NotAllowedError, NotFoundError
from bot.core.i18n import N_, _, guild_locale, ngettext
from bot.core.text import escape_markdown
from bot.play import ENDED, OPEN, RUNNING, Story
from bot.play.action_parser import is_exit
from bot.play.history import BACK, FORWARD, MOVED_ON, SKIP, SWITCH, UNDO, MoveResult
from bot.play.turn_queue import EnqueueResult, LockedError, TurnView
from bot.services import Services
from bot.ui.caller import caller_of, caller_of_message
from bot.ui.errors import DELIVERY_ERRORS, report_to_author
from cogs._store_first import acknowledge, store_first
from cogs.adventure import rendering
from cogs.adventure.message_view import LOCKED, DiscordMessageView

_log = logging.getLogger(__name__)

# Stories that are checked when the bot starts; each takes one request to Discord.
MAX_RESTORED = 20
VOTES = {
    UNDO: N_("-# {name} votes to undo the turn: {have} of {needed}. Press it too if you agree."),
    SKIP: N_("-# {name} votes to leave it out: {have} of {needed}. Press it too if you agree."),
    SWITCH: N_("-# {name} votes to go there: {have} of {needed}. Press it too if you agree."),
    BACK: N_("-# {name} votes for the previous version of the turn: {have} of {needed}. Press it too if you agree."),
    FORWARD: N_("-# {name} votes for another version of the turn: {have} of {needed}. Press it too if you agree."),
}
ELSEWHERE = N_("This button belongs to a story in another channel.")
THE_END = N_("**The end** of “{title}”. `/adventure transcript` sends it as a file, `/adventure resume` continues it.")
# First responses that can be replaced or removed.
PLACEHOLDERS = (
    discord.InteractionResponseType.deferred_channel_message,
    discord.InteractionResponseType.channel_message,
)


def check_can_write(interaction: discord.Interaction[Any]) -> None:
    """Raises `NotAllowedError` where the bot may not write: turns are messages of its own."""
    if interaction.guild_id is None:
        return
    channel = interaction.channel
    if isinstance(channel, discord.Thread) and channel.locked and channel.archived:
        raise LockedError(LOCKED)
    permissions, in_thread = interaction.app_permissions, isinstance(interaction.channel, discord.Thread)
    may_send = permissions.send_messages_in_threads if in_thread else permissions.send_messages
    if not (permissions.view_channel and may_send):
        raise NotAllowedError("I may not write in this channel, so no story can be told here; an admin can allow it.")


def check_is_head(story: Story, seen: int | None) -> None:
    """Raises `NotFoundError` for a button under an older turn."""
    if story.head != seen:
        raise NotFoundError(MOVED_ON)


async def finish_interaction(interaction: discord.Interaction[Any], sentence: str = "") -> None:
    """Answer with a private sentence; without one, only acknowledge the interaction and remove a placeholder."""
    response = interaction.response
    if not response.is_done():
        await acknowledge(interaction, sentence, thinking=_is_command(interaction))
    elif response.type in PLACEHOLDERS:
        if sentence:
            await interaction.edit_original_response(content=sentence)
        else:
            await interaction.delete_original_response()
    elif sentence:
        await interaction.followup.send(sentence, ephemeral=True)


def _is_command(interaction: discord.Interaction[Any]) -> bool:
    return interaction.type is discord.InteractionType.application_command


class Controller:
    """What people do to stories. The process has one instance, which the cog and its menu share."""

    def __init__(self, services: Services, view: DiscordMessageView) -> None:
        self._services, self.view = services, view
        self._adventures = services.adventures

    async def act(self, interaction: discord.Interaction[Any], story: Story, text: str | None) -> None:
        """Add a turn of the caller's, None for one without words, and acknowledge it once it is stored."""
        check_can_write(interaction)
        caller = caller_of(interaction)
        if text is not None and is_exit(text):
            await self.end(story, caller, interaction)
            return
        self._services.gateway.refuse_blocked(caller)
        is_command = _is_command(interaction)
        acting = self._adventures.act(story, caller, text, interaction.id, self.view)
        result = await store_first(interaction, acting, thinking=is_command, typed=text or "")
        sentence = _waiting_sentence(result)
        # A command needs an answer. This one is true also where the bot is killed before it removes it.
        stored = _("Your turn is stored and comes next.") if is_command else ""
        await finish_interaction(interaction, sentence or stored)
        try:
            await self.wait_until_shown(story, result)
        except FewshotError as error:
            await finish_interaction(interaction, str(error))
            return
        if is_command and not sentence:
            await finish_interaction(interaction)

    async def wait_until_shown(self, story: Story, result: EnqueueResult) -> None:
        """Wait until a turn that is next is shown; show where a stopped story can be resumed."""
        if result.stopped:
            await self._adventures.post(await self._adventures.view_of_head(story), self.view)
        elif result.opened is not None:
            await result.opened

    async def move(
        self, interaction: discord.Interaction[Any], story: Story, seen: int | None, verb: str, to: int | None = None
    ) -> None:
        """Move the head, or cast a vote for it, then acknowledge it and show the result."""
        check_can_write(interaction)
        caller = caller_of(interaction)
        self._services.gateway.refuse_blocked(caller)
        moving = self._services.history.move(story.id, seen, caller, verb, self.view, to=to)
        result = await store_first(interaction, moving, thinking=False)
        await finish_interaction(interaction)
        if result.votes is not None:
            await interaction.followup.send(_vote_text(caller, verb, result))
        elif result.reply is not None:
            await self.wait_until_shown(story, result.reply)
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
            with suppress(*DELIVERY_ERRORS):  # The turn that is shown next matters more.
                await interaction.edit_original_response(
                    content=f"{rendering.heading(result.left)}\n{note}", view=None, attachments=[]
                )
        await self._adventures.post(turn_view, self.view)

    async def parse_button(self, interaction: discord.Interaction[Any], argument: str) -> tuple[Story, int | None, str]:
        """The story, the turn (None for the opening) and the verb of a button.

        `argument` has been matched against `TURN_ARGUMENT`. Raises `NotFoundError` for a story of another channel, or
        one that has ended.
        """
        story_id, turn, verb = argument.split(":")
        return await self.require_story_here(interaction, story_id), int(turn) or None, verb

    async def require_story_here(self, interaction: discord.Interaction[Any], story_id: str) -> Story:
        """A running story of this channel; raises `NotFoundError` for one of another channel or server."""
        story = await self._adventures.require_running(story_id)
        if (story.guild_id, story.channel_id) != (interaction.guild_id, interaction.channel_id):
            raise NotFoundError(ELSEWHERE)
        return story

    async def end(self, story: Story, caller: Caller, interaction: discord.Interaction[Any] | None = None) -> None:
        """End a story, and say so to everyone: as the response to `interaction`, or in a message."""
        await self._adventures.set_state(story, caller, ENDED)
        await self.announce(story, THE_END, interaction, title=escape_markdown(story.title))

    async def announce(
        self, story: Story, sentence: str, interaction: discord.Interaction[Any] | None, **values: object
    ) -> None:
        """Remove the buttons of a story's newest turn, and send a public sentence in the server's language."""
        self.view.remove_buttons(story)
        with guild_locale():
            text = _(sentence, **values)
        if interaction is None:
            await self.view.say(story, text)
        else:
            await interaction.response.send_message(text)

    async def act_by_message(self, message: discord.Message, story: Story, text: str) -> None:
        """Add a turn written as a message. Errors are answered with a sentence in the server's language."""
        caller = replace(caller_of_message(message), source=None)
        with self.view.locale_of(story):
            try:
                if is_exit(text):
                    await self.end(story, caller)
                    return
                self._services.gateway.refuse_blocked(caller)
                result = await self._adventures.act(story, caller, text, message.id, self.view)
                await self.wait_until_shown(story, result)
                if result.ahead and not result.stopped:
                    await message.add_reaction("⏳")
            except FewshotError as error:
                await report_to_author(message, error)

    async def restore(self) -> int:
        """Show the newest turns whose messages were deleted or have no buttons; returns how many there were."""
        restored = 0
        for story in await self._adventures.recently_played(MAX_RESTORED):
            if not self._services.slot.owns(story.guild_id) or self._adventures.queue.is_busy(story.id):
                continue
            if story.guild_id is None and not await self._adventures.queue.is_stopped(story):
                continue  # A person who closed the direct messages should not get a new one without a reason.
            try:
                with self.view.locale_of(story):
                    restored += await self._restore_story(story)
            except FewshotError:
                continue  # The channel cannot be written to: its players get a sentence when they act.
        return restored

    async def _restore_story(self, story: Story) -> bool:
        """Show a story's newest turn where its message or the buttons are missing; returns whether they were.

        The bot may have been killed between two steps: the turn has no message, its message has another turn's text,
        or not its own buttons. Turns that wait behind one with a reply get theirs now.
        """
        turn_view = await self._adventures.view_of_head(story)
        if turn_view.turn is None or turn_view.turn.state != OPEN:
            turn_view = replace(turn_view, waiting=())
        in_newest = await self._adventures.is_in_newest_message(turn_view)
        if not in_newest and (message_id := await self.view.find_unrecorded(turn_view)) is not None:
            await self._adventures.set_message(turn_view, message_id)
            turn_view = replace(turn_view, story=replace(turn_view.story, message_id=message_id))
            in_newest = True
        is_shown = await self.view.is_shown(turn_view) if in_newest else None
        if not await self._adventures.is_current(turn_view):
            return False  # A player has acted in the meantime.
        if is_shown is None:
            await self._adventures.post(turn_view, self.view)
        elif not is_shown:
            await self.view.render_buttons(turn_view)
        await self._adventures.resume_waiting(story, self.view)
        return not is_shown

    async def on_thread_open(self, thread_id: int) -> None:
        """Show what happened while a thread was locked, and reply to the turns that wait."""
        story = await self._adventures.active_in(thread_id)
        if story is None or story.state != RUNNING:
            return
        await self._adventures.queue.wait_until_idle(story.id)
        try:
            with self.view.locale_of(story):
                await self._restore_story(story)
        except FewshotError as error:
            _log.info("a story could not go on in its opened thread: %s", error)

    async def start(self, interaction: discord.Interaction[Any], scenario_name: str) -> Story:
        """Start a story: in this channel where it is for adventures, a thread or direct messages, else in a thread."""
        self._services.gateway.refuse_blocked(caller_of(interaction))
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


def _waiting_sentence(result: EnqueueResult) -> str:
    """The sentence for the player of a turn that is not next; empty where it is, or was stored before."""
    if result.known or not result.ahead:
        return ""
    if result.stopped:
        return _("The story has stopped before your turn. Your turn is stored and waits; press Retry or Go on.")
    return ngettext(
        "Another turn is before yours. Yours follows automatically.",
        "{n} turns are before yours. Yours follows automatically.",
        result.ahead,
    )


def _vote_text(caller: Caller, verb: str, result: MoveResult) -> str:
    """The public sentence about a vote."""
    assert result.votes is not None, "a vote was cast"
    have, needed = result.votes
    with guild_locale():
        text = _(VOTES[verb], name=escape_markdown(caller.name), have=have, needed=needed)
        reset = _("I was restarted after this turn, so earlier votes no longer count.")
    return f"{text} {reset}" if result.votes_reset else text
