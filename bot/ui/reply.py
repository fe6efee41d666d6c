"""One answer to one interaction, from the spinner to the final text.

Frames of a text that is being written go out about once a second. Only the newest text is ever sent: there is
one edit under way at most, and nothing queues behind it. The final text always arrives: when Discord answers
429 or 5xx to a frame in between, when the final edit itself fails at first, and when the interaction's token
has run out after 15 minutes, as a normal message then.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Self

import discord

from bot.core.errors import FewshotError
from bot.core.i18n import _, guild_locale
from bot.core.text import MESSAGE_LIMIT, split_message
from bot.ui.errors import ACKNOWLEDGED, CONNECTION_ERRORS, DELIVERY_ERRORS, EXPIRED_CODES
from bot.ui.stream_editor import UNKNOWN_MESSAGE, StreamEditor
from bot.ui.views import View

_log = logging.getLogger(__name__)
# Seconds between tries of the final text: discord.py tries a 5xx for 25 seconds itself, a lost connection not at all.
AGAIN = (0.5, 5.0, 15.0)


class AnswerDeletedError(FewshotError):
    """The answer's message was deleted while it was being written; nobody waits for the rest."""


@dataclass(frozen=True, slots=True)
class Page:
    """What an answer shows: its text, a small line under it, buttons and menus, and files."""

    text: str
    footer: str = ""
    items: Sequence[discord.ui.Item[Any]] = ()
    files: Sequence[tuple[str, bytes]] = ()


class Reply:
    """`async with Reply(interaction, private=True) as reply:` defers; `show` frames, then `finish` once."""

    def __init__(self, interaction: discord.Interaction[Any], *, private: bool) -> None:
        self._interaction, self.private = interaction, private
        self._frames = StreamEditor(self._send_frame)
        self._gone = False
        # What all see is said in the language of the place.
        self._speech = contextlib.ExitStack()

    async def __aenter__(self) -> Self:
        if not self._interaction.response.is_done():
            try:
                await self._defer()
            except discord.HTTPException as error:
                if error.code != ACKNOWLEDGED:
                    raise  # Else an earlier try had arrived, and only its receipt was lost.
        if not self.private:
            self._speech.enter_context(guild_locale())
        return self

    async def _defer(self) -> None:
        """Acknowledge the interaction; once more where the connection breaks off."""
        try:
            await self._interaction.response.defer(ephemeral=self.private, thinking=True)
        except CONNECTION_ERRORS:
            await self._interaction.response.defer(ephemeral=self.private, thinking=True)

    async def __aexit__(self, *exc: object) -> None:
        self._speech.close()
        await self._frames.stop()

    def show(self, text: str, *, writing: bool = True) -> None:
        """Show `text`, all there is so far, with the next frame; a cursor at its end while it is being written.

        Raises `AnswerDeletedError` once the message is gone, which ends the call of the model.
        """
        if self._gone:
            raise AnswerDeletedError("The answer was deleted while it was being written.")
        self._frames.show(text, writing=writing)

    async def finish(self, page: Page) -> discord.Message | None:
        """Show the final `page`; the message that holds its buttons, None where nobody could be reached."""
        await self._frames.stop()
        pieces, files = _pieces(page), list(page.files)
        if pieces is None:
            files.insert(0, ("answer.md", page.text.encode()))
            note = _("The answer is longer than three messages, so here it is as a file.")
            pieces = [_with_footer(note, page.footer)]
        return await self._deliver(pieces, files, View(*page.items) if page.items else None)

    async def finish_card(
        self, card: discord.ui.LayoutView, files: Sequence[tuple[str, bytes]] = ()
    ) -> discord.Message | None:
        """Show a card in place of a text; its message, None where nobody could be reached."""
        await self._frames.stop()
        return await self._edit(content=None, view=card, attachments=to_files(files))

    async def _send_frame(self, text: str) -> bool:
        try:
            await self._interaction.edit_original_response(content=text)
        except discord.NotFound as error:
            self._gone = error.code == UNKNOWN_MESSAGE
        except DELIVERY_ERRORS as error:
            _log.debug("a frame was lost: %s", error)  # The next one, or the final text, carries all of it.
        return not self._gone

    async def _deliver(
        self, pieces: list[str], files: Sequence[tuple[str, bytes]], view: View | None
    ) -> discord.Message | None:
        """The first piece in place of the spinner, the others below it; files and buttons on the last."""
        message: discord.Message | None = None
        for number, piece in enumerate(pieces):
            last = number == len(pieces) - 1
            uploads = to_files(files) if last else []
            extra: dict[str, Any] = {"view": view} if last and view else {}
            if number == 0:
                message = await self._edit(content=piece, attachments=uploads, **extra)
            else:
                message = await self._send(content=piece, files=uploads, **extra)
            if message is None:
                return None
        return message

    async def _edit(self, **fields: Any) -> discord.Message | None:
        return await self._send_surely(self._interaction.edit_original_response, "attachments", fields)

    async def _send(self, **fields: Any) -> discord.Message | None:
        fields |= {"ephemeral": self.private, "wait": True}
        return await self._send_surely(self._interaction.followup.send, "files", fields)

    async def _send_surely(
        self, send: Callable[..., Awaitable[discord.Message]], files: str, fields: dict[str, Any]
    ) -> discord.Message | None:
        """Send `fields`, again and elsewhere if need be; None where the message was deleted or nobody is reached.

        A follow-up whose receipt was lost may come twice: better than not at all.
        """
        for pause in (*AGAIN, None):
            try:
                return await send(**fields)
            except discord.HTTPException as error:
                if error.code == UNKNOWN_MESSAGE:
                    return None
                if error.code in EXPIRED_CODES or error.status in (401, 404):
                    break
                if pause is None or (error.status < 500 and error.status != 429):
                    raise
            except CONNECTION_ERRORS:
                if pause is None:
                    raise
            _reset(fields.get(files))
            await asyncio.sleep(pause)
        _reset(fields.get(files))
        kept = {name: value for name, value in fields.items() if name not in (files, "ephemeral", "wait")}
        return await self._elsewhere(files=fields.get(files, []), **kept)

    async def _elsewhere(self, **fields: Any) -> discord.Message | None:
        """The token has run out: a normal message in the channel, or to the person where the answer is private."""
        channel = self._interaction.channel
        target = self._interaction.user if self.private else channel
        if not isinstance(target, discord.abc.Messageable):
            return None
        try:
            return await target.send(**fields)
        except DELIVERY_ERRORS as error:
            _log.warning("an answer found nobody after its interaction had ended: %s", error)
            return None


def _pieces(page: Page) -> list[str] | None:
    """The page's text as messages, the footer under the last; None where they would be too many."""
    pieces = split_message(page.text, MESSAGE_LIMIT - len(page.footer) - 2)
    if pieces is None:
        return None
    if not pieces:
        return [page.footer]
    return [*pieces[:-1], _with_footer(pieces[-1], page.footer)]


def _with_footer(text: str, footer: str) -> str:
    """`text` with the small line under it; under a list with a gap, or it would be read as part of the last item."""
    in_list = text.rpartition("\n")[2].startswith("- ")
    gap = "\n\n" if in_list else "\n"
    return f"{text}{gap}{footer}" if footer else text


def to_files(files: Sequence[tuple[str, bytes]]) -> list[discord.File]:
    """Names and bytes as what discord.py sends."""
    return [discord.File(BytesIO(data), name) for name, data in files]


def _reset(files: Sequence[discord.File] | None) -> None:
    """Let files be read once more, from their beginning."""
    for file in files or ():
        with contextlib.suppress(ValueError):
            file.reset()
