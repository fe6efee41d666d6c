"""The stage: stories in channels. Turns are normal messages of the bot's, so that a reply to them can be read."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import AbstractContextManager
from typing import Any

import discord

from bot.core.errors import FewshotError
from bot.core.i18n import ENGLISH, _, current_locale, guild_locale, use_locale
from bot.play.interfaces import TurnView
from bot.play.records import Story, Turn
from bot.ui.errors import user_message
from bot.ui.locale import locale_of_guild
from bot.ui.reply import to_files
from bot.ui.stream_editor import UNKNOWN_MESSAGE, StreamEditor, is_fresh
from bot.ui.views import View
from cogs.adventure import rendering

_log = logging.getLogger(__name__)
# Seconds between tries of a turn's end after discord.py's own retries came to nothing.
AGAIN = (5.0, 15.0)


class MessageViewError(FewshotError):
    """The channel cannot be written to; the sentence says why."""


class Stage:
    """A `bot.play.interfaces.Screen`; one for the process."""

    def __init__(self, bot: discord.Client) -> None:
        self._bot = bot
        # By story: the message that has the buttons, which the story's own record may not know yet.
        self._newest: dict[str, int] = {}
        # By channel of direct messages: what was spoken there last, which plain messages do not say.
        self._spoken: dict[int, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def channel(self, story: Story) -> discord.PartialMessageable:
        """Where the story is played; nothing is fetched for it."""
        return self._bot.get_partial_messageable(story.channel_id, guild_id=story.guild_id)

    def story_locale(self, story: Story) -> AbstractContextManager[None]:
        """Speak the language of the story's place within, where nobody's interaction says which it is."""
        if story.guild_id is None:
            return use_locale(self._spoken.get(story.channel_id, ENGLISH))
        return use_locale(locale_of_guild(self._bot, self._bot.get_guild(story.guild_id)))

    async def open(self, story: Story, turn: Turn, place: int | None) -> "Telling":
        """Begin to show a turn. Raises `StageError` where the channel cannot be written to."""
        text = f"{rendering.head(turn)}\n▌"
        message: discord.PartialMessage | discord.Message | None = None
        if place is not None and is_fresh(place):
            message = await self._edited(story, place, text)
        if message is None:
            message = await self._sent(story, text)
        self._settle(story, message.id)
        return Telling(self, story, turn, message)

    async def show(self, scene: TurnView) -> int:
        """Show a turn anew below everything else, with its buttons."""
        text, view, files = _drawn(scene)
        message = await self._sent(scene.story, text, view=view, files=files)
        self._settle(scene.story, message.id)
        return message.id

    async def say(self, story: Story, sentence: str, /, **values: object) -> None:
        """A line of the bot's own in the story's channel, its `{names}` filled. Raises `StageError`."""
        with guild_locale():
            text = _(sentence, **values)
        await self._sent(story, text)

    async def render_buttons(self, scene: TurnView) -> None:
        """Show another telling in the story's newest message."""
        text, view, files = _drawn(scene)
        place = scene.story.message_id
        assert place is not None, "a telling is in place of another"
        message = self.channel(scene.story).get_partial_message(place)
        try:
            await message.edit(content=text, view=view, attachments=files)
        except (discord.HTTPException, OSError) as error:
            raise MessageViewError(user_message(error)) from error

    async def stands(self, story: Story) -> bool | None:
        """Whether the newest turn stands there with its buttons; None where its message is gone.

        A crash in the middle of a turn leaves a message without buttons. Raises `StageError` where nothing can be told.
        """
        if story.message_id is None:
            return None
        try:
            message = await self.channel(story).fetch_message(story.message_id)
        except discord.NotFound as error:
            if error.code == UNKNOWN_MESSAGE:
                return None
            raise MessageViewError(user_message(error)) from error
        except discord.HTTPException as error:
            raise MessageViewError(user_message(error)) from error
        return bool(message.components)

    def remove_buttons(self, story: Story, message_id: int | None = None) -> None:
        """Take the buttons from a message of the story, by default from its newest, beside what goes on."""
        target = message_id or self._newest.pop(story.id, story.message_id)
        if target is not None:
            self._beside(self._undressed(self.channel(story).get_partial_message(target)))

    async def close(self) -> None:
        """Wait for what is done beside."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def ended(self, telling: "Telling", scene: TurnView) -> int:
        """The end of a turn in its message; in a fresh one where that was deleted. It is tried again for a while."""
        for pause in (*AGAIN, None):
            text, view, files = _drawn(scene)
            try:
                await telling.message.edit(content=text, view=view, attachments=files)
                self._newest[scene.story.id] = telling.message_id
                return telling.message_id
            except discord.HTTPException as error:
                if error.code == UNKNOWN_MESSAGE:
                    return await self.show(scene)
                if error.status < 500 or pause is None:
                    raise MessageViewError(user_message(error)) from error
                await asyncio.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def _settle(self, story: Story, message_id: int) -> None:
        """The story's newest message is this one; the one before loses its buttons."""
        before = self._newest.get(story.id, story.message_id)
        self._newest[story.id] = message_id
        if before is not None and before != message_id:
            self.remove_buttons(story, before)
        if story.guild_id is None:
            with guild_locale():
                self._spoken[story.channel_id] = current_locale()

    async def _sent(self, story: Story, text: str, **more: Any) -> discord.Message:
        try:
            return await self.channel(story).send(text, **more)
        except (discord.HTTPException, OSError) as error:
            raise MessageViewError(user_message(error)) from error

    async def _edited(self, story: Story, place: int, text: str) -> discord.PartialMessage | None:
        """The message `place` with this text and no buttons; None where it cannot be edited any more."""
        message = self.channel(story).get_partial_message(place)
        try:
            await message.edit(content=text, view=None, attachments=[])
        except (discord.HTTPException, OSError) as error:
            _log.debug("a turn gets a message of its own: %s", error)
            return None
        return message

    async def _undressed(self, message: discord.PartialMessage) -> None:
        try:
            await message.edit(view=None)
        except (discord.HTTPException, OSError) as error:
            # Old buttons say that the story has gone on; they are only in the way.
            _log.debug("buttons stay under an old turn: %s", error)

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="tidy-an-adventure")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class Telling:
    """One turn that is being told, a `bot.play.interfaces.Shown`."""

    def __init__(
        self, stage: Stage, story: Story, turn: Turn, message: discord.Message | discord.PartialMessage
    ) -> None:
        self._stage, self._story, self.message = stage, story, message
        self._head = rendering.head(turn)
        self._frames = StreamEditor(self._send)

    @property
    def message_id(self) -> int:
        """The message it stands in."""
        return self.message.id

    def show(self, text: str) -> None:
        """Show all of the answer there is so far, with the next frame."""
        self._frames.show(f"{self._head}\n{text}")

    async def finish(self, scene: TurnView) -> int:
        """Show the turn as it stands in the end, with its buttons."""
        await self._frames.stop()
        return await self._stage.ended(self, scene)

    async def _send(self, text: str) -> bool:
        try:
            await self.message.edit(content=text)
        except discord.NotFound:
            return False
        except (discord.HTTPException, OSError) as error:
            _log.debug("a frame was lost: %s", error)  # The next one, or the end, carries all of it.
        return True


def _drawn(scene: TurnView) -> tuple[str, View, list[discord.File]]:
    """The text, the buttons and the files of a scene's message, in the language of the place."""
    with guild_locale():
        text, whole = rendering.text(scene)
        return text, View(*rendering.items(scene)), to_files([("turn.md", whole)] if whole is not None else [])
