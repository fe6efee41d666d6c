"""Turns as messages in channels. They are normal messages of the bot, so that it can read replies to them."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import AbstractContextManager
from typing import Any

import discord

from bot.core.errors import FewshotError
from bot.core.i18n import N_, guild_locale, use_locale
from bot.play import Story, Turn
from bot.play.turn_queue import LockedError, TurnView
from bot.ui.errors import ARCHIVED, DELIVERY_ERRORS, user_message
from bot.ui.files import to_files
from bot.ui.locale import locale_of_guild
from bot.ui.stream_editor import UNKNOWN_MESSAGE, StreamEditor, is_fresh
from bot.ui.views import View
from cogs.adventure import rendering

_log = logging.getLogger(__name__)
# Seconds between attempts at the last edit of a turn, after discord.py's own retries have failed.
RETRY_DELAYS = (5.0, 15.0)
LOCKED = N_("This thread is locked, so I cannot write in it. Once a moderator has opened it, the story goes on.")
# The newest messages of a channel in which a turn is searched whose message was not stored before a crash.
RECENT_MESSAGES = 10


class MessageViewError(FewshotError):
    """The channel cannot be written to; the sentence says why."""


def _error(error: Exception) -> FewshotError:
    """A failed request as an error with a sentence."""
    if getattr(error, "code", 0) == ARCHIVED:
        return LockedError(LOCKED)
    return MessageViewError(user_message(error))


class DiscordMessageView:
    """Implements `bot.play.turn_queue.MessageView`; one for the process."""

    def __init__(self, bot: discord.Client) -> None:
        self._bot = bot
        # By story: the message that has the buttons. The story's record may be older.
        self._newest: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def channel(self, story: Story) -> discord.PartialMessageable:
        """The story's channel, without a request to Discord."""
        return self._bot.get_partial_messageable(story.channel_id, guild_id=story.guild_id)

    def locale_of(self, story: Story) -> AbstractContextManager[None]:
        """Use the language of the story's server or person, where there is no interaction that says which one."""
        guild = self._bot.get_guild(story.guild_id) if story.guild_id is not None else None
        return use_locale(locale_of_guild(self._bot, guild, story.starter_id))

    async def open_turn(self, story: Story, turn: Turn, message_id: int | None) -> "DiscordTurnMessage":
        """Show a turn without a reply. Raises `LockedError`, or `MessageViewError` where the channel is closed."""
        text = f"{rendering.heading(turn)}\n▌"
        message: discord.PartialMessage | discord.Message | None = None
        if message_id is not None and is_fresh(message_id):
            message = await self._edit(story, message_id, text)
        if message is None:
            message = await self._send(story, text)
        self._set_newest(story, message.id)
        return DiscordTurnMessage(self, turn, message)

    async def post(self, view: TurnView) -> int:
        """Show a turn with its buttons in a new message."""
        text, buttons, files = _render(view)
        message = await self._send(view.story, text, view=buttons, files=files)
        self._set_newest(view.story, message.id)
        return message.id

    async def say(self, story: Story, text: str) -> None:
        """Send a text to the story's channel. Raises a `FewshotError`."""
        await self._send(story, text)

    async def render_buttons(self, view: TurnView) -> None:
        """Show a turn with its buttons in the story's newest message."""
        text, buttons, files = _render(view)
        message_id = view.story.message_id
        assert message_id is not None, "a turn is shown in place of another"
        message = self.channel(view.story).get_partial_message(message_id)
        try:
            await message.edit(content=text, view=buttons, attachments=files)
        except DELIVERY_ERRORS as error:
            raise _error(error) from error

    async def is_shown(self, view: TurnView) -> bool | None:
        """Whether the story's newest message has the buttons of this turn; None where the message was deleted.

        A crash leaves a message without buttons, or with those of the turn before. Raises a `FewshotError` where it
        cannot be read.
        """
        if view.story.message_id is None:
            return None
        try:
            message = await self.channel(view.story).fetch_message(view.story.message_id)
        except DELIVERY_ERRORS as error:
            if getattr(error, "code", 0) == UNKNOWN_MESSAGE:
                return None
            raise _error(error) from error
        return rendering.first_button_id(view) in _custom_ids(message)

    async def find_unrecorded(self, view: TurnView) -> int | None:
        """A message that shows a turn, but was sent so shortly before a crash that its id was not stored.

        It is newer than the story's stored message, and has the turn's buttons, or its heading and no buttons yet.
        """
        story, turn = view.story, view.turn
        start = rendering.heading(turn) if turn is not None and turn.message_id is None else None
        after = discord.Object(story.message_id) if story.message_id else None
        try:
            newest = self.channel(story).history(limit=RECENT_MESSAGES, after=after, oldest_first=False)
            async for message in newest:
                is_unfinished = start is not None and message.content.startswith(start) and not message.components
                is_own = self._bot.user is not None and message.author.id == self._bot.user.id
                if is_own and (is_unfinished or rendering.first_button_id(view) in _custom_ids(message)):
                    self._set_newest(story, message.id)
                    return message.id
        except DELIVERY_ERRORS as error:
            _log.debug("the channel's history cannot be read: %s", error)
        return None

    def remove_buttons(self, story: Story, message_id: int | None = None) -> None:
        """Remove the buttons of a message, by default the story's newest, in the background."""
        target = message_id or self._newest.pop(story.id, story.message_id)
        if target is not None:
            self._in_background(self._remove_buttons(self.channel(story).get_partial_message(target)))

    async def close(self) -> None:
        """Wait for the background edits."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def show_end(self, shown: "DiscordTurnMessage", view: TurnView) -> int:
        """Show a turn's final state in its message, or in a new one where that was deleted. Retries server errors."""
        for delay in (*RETRY_DELAYS, None):
            text, buttons, files = _render(view)
            try:
                await shown.message.edit(content=text, view=buttons, attachments=files)
                self._newest[view.story.id] = shown.message_id
                return shown.message_id
            except discord.HTTPException as error:
                if error.code == UNKNOWN_MESSAGE:
                    return await self.post(view)
                if error.status < 500 or delay is None:
                    raise _error(error) from error
                await asyncio.sleep(delay)
        raise AssertionError("the last attempt returns or raises")

    def _set_newest(self, story: Story, message_id: int) -> None:
        """Remember the story's newest message, and remove the buttons of the one before."""
        before = self._newest.get(story.id, story.message_id)
        self._newest[story.id] = message_id
        if before is not None and before != message_id:
            self.remove_buttons(story, before)

    async def _send(self, story: Story, text: str, **options: Any) -> discord.Message:
        try:
            return await self.channel(story).send(text, **options)
        except DELIVERY_ERRORS as error:
            raise _error(error) from error

    async def _edit(self, story: Story, message_id: int, text: str) -> discord.PartialMessage | None:
        """Replace a message by this text without buttons; None where it can no longer be edited."""
        message = self.channel(story).get_partial_message(message_id)
        try:
            await message.edit(content=text, view=None, attachments=[])
        except DELIVERY_ERRORS as error:
            _log.debug("a turn gets a message of its own: %s", error)
            return None
        return message

    async def _remove_buttons(self, message: discord.PartialMessage) -> None:
        try:
            await message.edit(view=None)
        except DELIVERY_ERRORS as error:
            # Harmless: the buttons of an older turn answer that the story has gone on.
            _log.debug("the buttons of an older turn stay: %s", error)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="remove-buttons")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class DiscordTurnMessage:
    """Implements `bot.play.turn_queue.TurnMessage`."""

    def __init__(self, view: DiscordMessageView, turn: Turn, message: discord.Message | discord.PartialMessage) -> None:
        self._view, self.message = view, message
        self._heading = rendering.heading(turn)
        self._editor = StreamEditor(self._send)

    @property
    def message_id(self) -> int:
        """The id of the message."""
        return self.message.id

    def update(self, reply: str) -> None:
        """Show the reply so far with the next edit."""
        self._editor.show(f"{self._heading}\n{reply}")

    async def finish(self, view: TurnView) -> int:
        """Show the turn's final state with its buttons."""
        await self._editor.stop()
        return await self._view.show_end(self, view)

    async def _send(self, text: str) -> bool:
        try:
            await self.message.edit(content=text)
        except discord.NotFound:
            return False
        except DELIVERY_ERRORS as error:
            _log.debug("a streaming edit failed: %s", error)  # The next edit has the whole text.
        return True


def _custom_ids(message: discord.Message) -> set[str | None]:
    rows = [row for row in message.components if isinstance(row, discord.ActionRow)]
    return {getattr(item, "custom_id", None) for row in rows for item in row.children}


def _render(view: TurnView) -> tuple[str, View, list[discord.File]]:
    """The content, the buttons and the files of a turn's message, in the server's language."""
    with guild_locale():
        text, whole = rendering.text(view)
        files = to_files([("turn.md", whole)] if whole is not None else [])
        return text, View(*rendering.buttons(view)), files
