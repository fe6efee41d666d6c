"""The answer to one interaction or message: defer, stream, final message.

While the text grows, the message is edited about once a second with the newest text. Failed edits are not repeated,
because the next one has everything. The final message is sent again after a failure, and as a normal message when the
interaction's token has expired (15 minutes).
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import discord

from bot.core.errors import FewshotError
from bot.core.i18n import _, guild_locale
from bot.core.text import MAX_PIECES, MESSAGE_LIMIT, excerpt, has_spoiler, split_message
from bot.ui.errors import ACKNOWLEDGED, ANSWERED, CONNECTION_ERRORS, DELIVERY_ERRORS, EXPIRED_CODES, user_message
from bot.ui.files import OutgoingFile, to_files
from bot.ui.stream_editor import UNKNOWN_MESSAGE, StreamEditor
from bot.ui.views import View

_log = logging.getLogger(__name__)
# Seconds between attempts to send the final message. discord.py itself repeats requests after a 5xx for 25 seconds, but
# not after a lost connection.
RETRY_DELAYS = (0.5, 5.0, 15.0)
# Discord's error code for a channel that does not exist.
UNKNOWN_CHANNEL = 10003


class AnswerDeletedError(FewshotError):
    """The answer's message was deleted while the answer was streamed, so the model call can stop."""


@dataclass(frozen=True, slots=True)
class Page:
    """The content of an answer: text, a small line under it, buttons and selects, and files."""

    text: str
    footer: str = ""
    items: Sequence[discord.ui.Item[Any]] = ()
    files: Sequence[OutgoingFile] = ()


class BaseReply:
    """The base of the two kinds of answers. `async with` it, then `show` a growing text, and `finish` once."""

    def __init__(self, *, private: bool) -> None:
        self.private = private
        # Makes the view under a growing text; it is sent with the first edit that Discord accepts.
        self.make_view: Callable[[], View] | None = None
        self._editor = StreamEditor(self._send_edit)
        self._deleted = self._has_view = False
        # Whether the answer replaces that of the message whose button was pressed, so that it must fit into one.
        self.in_place = False
        # Public answers use the server's locale.
        self._locale = contextlib.ExitStack()

    async def __aenter__(self) -> Self:
        if not self.private:
            self._locale.enter_context(guild_locale())
        return self

    async def __aexit__(self, *exc: object) -> bool | None:
        self._locale.close()
        await self._editor.stop()
        # Both refer back to this reply. Such a cycle, with its interaction, would wait for a garbage collection.
        del self._editor
        self.make_view = None
        return None

    async def _edit_now(self, **fields: Any) -> discord.Message:
        """Edit the message that has the answer."""
        raise NotImplementedError

    async def _add_now(self, **fields: Any) -> discord.Message:
        """Send a further message."""
        raise NotImplementedError

    async def _send_elsewhere(self, **fields: Any) -> discord.Message | None:
        """Send what could not be sent as it should be; None if there is no way."""
        raise NotImplementedError

    def show(self, text: str, *, writing: bool = True) -> None:
        """Show `text` (everything so far) with the next edit; with a cursor at its end while `writing`.

        Raises `AnswerDeletedError` once the message is deleted, which ends the model call.
        """
        if self._deleted:
            raise AnswerDeletedError("The answer was deleted while it was being written.")
        self._editor.show(text, writing=writing)

    def drop(self) -> None:
        """Do not show the text of an earlier `show` that is not shown yet."""
        self._editor.drop()

    async def finish(self, page: Page) -> discord.Message | None:
        """Send the final `page`. Returns the message with the buttons, or None if it could not be delivered."""
        await self._editor.stop()
        pieces, files = _messages(page, 1 if self.in_place else None)
        return self._completed(await self._deliver(pieces, files, View(*page.items) if page.items else None))

    async def finish_card(
        self, card: discord.ui.LayoutView, files: Sequence[OutgoingFile] = ()
    ) -> discord.Message | None:
        """Send a card as the answer. Returns its message, or None if it could not be delivered."""
        await self._editor.stop()
        return self._completed(await self._edit(content=None, view=card, attachments=to_files(files)))

    def _completed(self, message: discord.Message | None) -> discord.Message | None:
        """Note that the answer is shown, in `message`; None if it could not be delivered."""
        return message

    async def _send_edit(self, text: str) -> bool:
        extra: dict[str, Any] = {}
        if self.make_view is not None:
            extra["view"], self._has_view = self.make_view(), True
        try:
            await self._edit_now(content=text, **extra)
            self.make_view = None
        except DELIVERY_ERRORS as error:
            _log.debug("an edit failed: %s", error)  # The next edit or the final message has everything.
            self._deleted = self._has_no_place(error)
        return not self._deleted

    def _has_no_place(self, error: Exception) -> bool:
        """Whether `error` says that the answer cannot be shown any more, so that the model call can stop."""
        return getattr(error, "code", 0) == UNKNOWN_MESSAGE

    async def _deliver(
        self, pieces: list[str], files: Sequence[OutgoingFile], view: View | None
    ) -> discord.Message | None:
        """Edit the deferred message to the first piece, and send the others; the last one has the files and buttons."""
        message: discord.Message | None = None
        for number, piece in enumerate(pieces):
            last = number == len(pieces) - 1
            uploads = to_files(files) if last else []
            extra: dict[str, Any] = {"view": view} if last and view else {}
            if number == 0:
                if self._has_view:
                    extra.setdefault("view", None)
                message = await self._edit(content=piece, attachments=uploads, **extra)
            else:
                message = await self._send(content=piece, files=uploads, **extra)
            if message is None:
                return None
        return message

    async def _edit(self, **fields: Any) -> discord.Message | None:
        return await self._send_with_retries(self._edit_now, "attachments", fields)

    async def _send(self, **fields: Any) -> discord.Message | None:
        return await self._send_with_retries(self._add_now, "files", fields)

    async def _send_with_retries(
        self, send: Callable[..., Awaitable[discord.Message]], files: str, fields: dict[str, Any]
    ) -> discord.Message | None:
        """Send `fields`, with retries; None where the message was deleted or cannot be delivered.

        A follow-up may be sent twice if Discord's response to it was lost. Without a retry it might be lost.
        """
        for delay in (*RETRY_DELAYS, None):
            try:
                return await send(**fields)
            except discord.HTTPException as error:
                if error.code == UNKNOWN_MESSAGE:
                    return None
                if error.code in EXPIRED_CODES or error.status in (401, 404):
                    break
                if delay is None or (error.status < 500 and error.status != 429):
                    raise
            except CONNECTION_ERRORS:
                if delay is None:
                    raise
            _reset(fields.get(files))
            await asyncio.sleep(delay)
        _reset(fields.get(files))
        kept = {name: value for name, value in fields.items() if name != files}
        return await self._send_elsewhere(files=fields.get(files, []), **kept)


class Reply(BaseReply):
    """The answer to an interaction, which is deferred first."""

    def __init__(self, interaction: discord.Interaction[Any], *, private: bool) -> None:
        super().__init__(private=private)
        self.interaction = interaction

    async def __aenter__(self) -> Self:
        if not self.interaction.response.is_done():
            try:
                await self._defer()
            except discord.HTTPException as error:
                if error.code != ACKNOWLEDGED:
                    raise  # Otherwise Discord had received an earlier attempt, and its confirmation was lost.
        return await super().__aenter__()

    async def _defer(self) -> None:
        """Defer the interaction, with a second attempt after a lost connection."""
        try:
            await self.interaction.response.defer(ephemeral=self.private, thinking=True)
        except CONNECTION_ERRORS:
            await self.interaction.response.defer(ephemeral=self.private, thinking=True)

    def _completed(self, message: discord.Message | None) -> discord.Message | None:
        self.interaction.extras[ANSWERED] = message is not None
        return message

    async def _edit_now(self, **fields: Any) -> discord.Message:
        return await self.interaction.edit_original_response(**fields)

    async def _add_now(self, **fields: Any) -> discord.Message:
        return await self.interaction.followup.send(**fields, ephemeral=self.private, wait=True)

    async def _send_elsewhere(self, **fields: Any) -> discord.Message | None:
        """After the token has expired: a normal message in the channel, or to the user if the answer is private."""
        channel = self.interaction.channel
        target = self.interaction.user if self.private else channel
        if not isinstance(target, discord.abc.Messageable):
            return None
        try:
            return await target.send(**fields)
        except DELIVERY_ERRORS as error:
            _log.warning("an answer could not be delivered after its interaction had expired: %s", error)
            return None


class MessageReply(BaseReply):
    """The answer to a message: a reply to it. An error in the block is answered with its sentence, and not raised."""

    def __init__(self, message: discord.Message) -> None:
        super().__init__(private=False)
        self._question = message
        self._answer: discord.Message | None = None
        # Discord keeps one message of those with the same nonce: an attempt may have arrived without its confirmation.
        self._nonce, self._may_exist = secrets.randbits(64), False

    async def __aenter__(self) -> Self:
        with contextlib.suppress(*DELIVERY_ERRORS):
            await self._question.channel.typing()
        return await super().__aenter__()

    async def __aexit__(self, *exc: object) -> bool | None:
        error = exc[1]
        sentence = user_message(error) if isinstance(error, Exception) else ""
        await super().__aexit__()
        if not sentence or isinstance(error, AnswerDeletedError):
            return None
        try:
            await self._edit_now(content=sentence, view=None)
        except DELIVERY_ERRORS as failure:
            _log.info("the sentence %r could not be delivered: %s", sentence, failure)
        return True

    async def finish(self, page: Page) -> discord.Message | None:
        """Send the final `page`; where the bot may not attach files, without what needs one."""
        may_attach = self._question.guild is None or self._permissions().attach_files
        return await super().finish(page if may_attach else _without_file(page))

    def _permissions(self) -> discord.Permissions:
        """What the bot may do in the channel of a server."""
        assert self._question.guild is not None, "direct messages have no permissions"
        return self._question.channel.permissions_for(self._question.guild.me)

    async def _edit_now(self, **fields: Any) -> discord.Message:
        if self._answer is None:
            may_exist, self._may_exist = self._may_exist, True
            self._answer = await self._send_first(**fields)
            if not may_exist:
                return self._answer
            _reset(fields.get("attachments"))  # An earlier attempt arrived, with an earlier text.
        self._answer = await self._answer.edit(**fields)
        return self._answer

    async def _send_first(self, *, attachments: Sequence[discord.File] = (), **fields: Any) -> discord.Message:
        # The question may be deleted already. Without this permission, Discord takes no reply.
        if self._question.guild is None or self._permissions().read_message_history:
            fields["reference"] = self._question.to_reference(fail_if_not_exists=False)
        return await self._question.channel.send(**fields, files=attachments, mention_author=False, nonce=self._nonce)

    async def _send(self, **fields: Any) -> discord.Message | None:
        return await super()._send(**fields, nonce=secrets.randbits(64))

    async def _add_now(self, **fields: Any) -> discord.Message:
        return await self._question.channel.send(**fields)

    async def _send_elsewhere(self, **fields: Any) -> discord.Message | None:
        return None

    def _has_no_place(self, error: Exception) -> bool:
        """Also where the channel is gone, or the bot may not write there: there is no other way to the person."""
        is_gone = getattr(error, "code", 0) in (UNKNOWN_MESSAGE, UNKNOWN_CHANNEL)
        return is_gone or isinstance(error, discord.Forbidden)


def _pieces(page: Page) -> list[str] | None:
    """The page's text as messages, with the footer under the last; None if they would be too many."""
    pieces = split_message(page.text, MESSAGE_LIMIT - len(page.footer) - 2)
    if pieces is None:
        return None
    if not pieces:
        return [page.footer]
    return [*pieces[:-1], _with_footer(pieces[-1], page.footer)]


def fits_message(page: Page) -> bool:
    """Whether `page` needs no second message and no file."""
    return len(_pieces(page) or ()) == 1 and not page.files


def in_one_message(page: Page) -> dict[str, Any]:
    """`page` as the fields of one message; its text as a file where it is too long."""
    (text,), files = _messages(page, 1)
    return {"content": text, "attachments": to_files(files), "view": View(*page.items)}


def _messages(page: Page, most: int | None) -> tuple[list[str], list[OutgoingFile]]:
    """The texts of the messages for `page`, `most` at most where that is given, and its files."""
    pieces, files = _pieces(page), list(page.files)
    if pieces is not None and (most is None or len(pieces) <= most):
        return pieces, files
    # Discord hides files with this prefix, as it hides spoilers.
    name = "SPOILER_answer.md" if has_spoiler(page.text) else "answer.md"
    note = _("The answer is too long for a message, so here it is as a file.")
    return [_with_footer(note, page.footer)], [(name, page.text.encode(errors="replace")), *files]


def _without_file(page: Page) -> Page:
    """`page`; where its text is too long for messages, its beginning."""
    if _pieces(page) is not None:
        return page
    footer = f"-# {_('I may not attach files in this channel, so the rest is missing.')}\n{page.footer}"
    # A piece may be cut at less than half of the limit.
    lengths = range(MAX_PIECES * MESSAGE_LIMIT, 0, -MESSAGE_LIMIT // 4)
    shorter = (replace(page, text=excerpt(page.text, length), footer=footer) for length in lengths)
    return next(one for one in shorter if _pieces(one) is not None)


def _with_footer(text: str, footer: str) -> str:
    """`text` with the footer under it. After a list comes an empty line, or Discord would add it to the last item."""
    in_list = text.rpartition("\n")[2].startswith("- ")
    gap = "\n\n" if in_list else "\n"
    return f"{text}{gap}{footer}" if footer else text


def _reset(files: Sequence[discord.File] | None) -> None:
    """Rewind the files for another attempt."""
    for file in files or ():
        with contextlib.suppress(ValueError):
            file.reset()
