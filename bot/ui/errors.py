"""Reports errors to users.

A `FewshotError` has its own sentence, and `_SENTENCES` has sentences for Discord's errors. Any other exception is
logged with a short id, which the user sees.
"""

import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import discord
from discord import app_commands

from bot.core.errors import FewshotError
from bot.core.i18n import N_, _
from bot.core.text import MESSAGE_LIMIT, code_block, excerpt, shorten
from bot.ui.files import to_files
from bot.ui.handling import set_result

_log = logging.getLogger(__name__)
# Discord's error codes for an interaction that can no longer be answered: unknown interaction, unknown webhook, already
# acknowledged, invalid webhook token.
ACKNOWLEDGED = 40060
EXPIRED_CODES = frozenset({10062, 10015, ACKNOWLEDGED, 50027})
# Discord's error code for sending to a locked thread, and for editing a message of an archived one.
ARCHIVED = 50083
# Characters of typed text that nobody needs back.
MAX_RETYPED = 40
# Characters of a sentence in a message, which has room for more beside it; and of a text in one that is too long.
MAX_SENTENCE, MAX_VALUE = 1_500, 200
# Set in the `extras` of an interaction whose answer is shown. What fails after that does not take the answer away.
ANSWERED = "answered"
# A connection to Discord that failed or was interrupted.
CONNECTION_ERRORS: tuple[type[Exception], ...] = (aiohttp.ClientError, OSError)
DELIVERY_ERRORS: tuple[type[Exception], ...] = (discord.HTTPException, *CONNECTION_ERRORS)
# Errors of a background task that may not occur again: the database or Discord cannot be reached.
TEMPORARY_ERRORS: tuple[type[Exception], ...] = (FewshotError, *DELIVERY_ERRORS)

_SENTENCES: tuple[tuple[type[Exception], str], ...] = (
    (app_commands.NoPrivateMessage, N_("This command works in servers only.")),
    (app_commands.MissingPermissions, N_("You need more permissions here to use this command.")),
    (
        app_commands.BotMissingPermissions,
        N_("I am missing permissions in this channel; a server admin can grant them."),
    ),
    (app_commands.CommandOnCooldown, N_("You are too fast. Wait a few seconds and try again.")),
    (app_commands.CheckFailure, N_("You may not use this command here.")),
    (app_commands.CommandNotFound, N_("This command has changed. Restart your Discord app and try again.")),
    (app_commands.CommandSignatureMismatch, N_("This command has changed. Restart your Discord app and try again.")),
    (
        app_commands.TransformerError,
        N_("One of the values you gave cannot be used here. Look at its hint and try again."),
    ),
    (discord.Forbidden, N_("I may not do that in this channel; a server admin can grant me the permission.")),
    (discord.NotFound, N_("What this belongs to was deleted.")),
    (discord.DiscordServerError, N_("Discord has a problem right now. Try again in a minute.")),
    (discord.RateLimited, N_("Discord asks me to slow down. Try again in a minute.")),
    (aiohttp.ClientError, N_("The connection to Discord broke off. Try again in a moment.")),
)


def user_message(error: BaseException) -> str:
    """The sentence for `error`. Unexpected errors are logged here, with the id that is in the sentence."""
    while isinstance(error, app_commands.CommandInvokeError):
        error = error.original
    if isinstance(error, app_commands.TransformerError) and isinstance(error.__cause__, FewshotError):
        error = error.__cause__
    set_result("refused")
    if isinstance(error, FewshotError):
        return _in_message(error)
    if getattr(error, "code", 0) == ARCHIVED:
        return _("This thread is archived or locked, so I cannot write in it. Ask again once it is open.")
    for kind, sentence in _SENTENCES:
        if isinstance(error, kind):
            return _(sentence)
    set_result("failed")
    fault = secrets.token_hex(3)
    _log.error("fault %s", fault, exc_info=error)
    return _(
        "Something went wrong on my side (fault {fault}). Try again; if it happens again, give the "
        "operator that number.",
        fault=fault,
    )


def _in_message(error: FewshotError) -> str:
    """The error's sentence in a message: where it is too long, its texts are cut, which people may have typed."""
    sentence = str(error)
    if len(sentence) <= MAX_SENTENCE:
        return sentence
    short = {
        name: shorten(value, MAX_VALUE) if isinstance(value, str) else value for name, value in error.values.items()
    }
    return excerpt(_(error.sentence, **short), MAX_SENTENCE)


async def report_error(interaction: discord.Interaction[Any], error: BaseException, typed: str = "") -> None:
    """Send the error's sentence to the user alone. A placeholder or an answer that is not complete is deleted first.

    `typed` is what the user typed into a window, which is closed now: it comes with the sentence unless it is short.
    """
    sentence = user_message(error)
    try:
        await _send(interaction, sentence, typed if len(typed) > MAX_RETYPED else "")
    except DELIVERY_ERRORS as failure:
        level = logging.INFO if getattr(failure, "code", 0) in EXPIRED_CODES else logging.WARNING
        _log.log(level, "the sentence %r could not be delivered: %s", sentence, failure)


def with_typed(sentence: str, typed: str) -> dict[str, Any]:
    """The fields of a message with `sentence` and what was typed; a file has that where it is too long."""
    if not typed:
        return {"content": sentence}
    shown = f"{sentence} {_('This is what you typed:')}\n{code_block(typed)}"
    if len(shown) <= MESSAGE_LIMIT:
        return {"content": shown}
    files = to_files([("typed.txt", typed.encode(errors="replace"))])
    return {"content": f"{sentence} {_('The file has what you typed.')}", "files": files}


async def report_to_author(message: discord.Message, error: BaseException) -> None:
    """Reply to `message` with the error's sentence."""
    sentence = user_message(error)
    try:
        await message.reply(sentence, mention_author=False)
    except DELIVERY_ERRORS as failure:
        _log.info("the sentence %r could not be delivered: %s", sentence, failure)


class BriefErrors(logging.Filter):
    """Makes one line of what discord.py logs about an error that may not occur again (`TEMPORARY_ERRORS`)."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record; none is left out."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, TEMPORARY_ERRORS):
            record.msg, record.args, record.exc_info = f"{record.getMessage()}: {error}", None, None
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


async def _send(interaction: discord.Interaction[Any], sentence: str, typed: str) -> None:
    response = interaction.response
    deferred = response.type is discord.InteractionResponseType.deferred_channel_message
    loading = deferred and not interaction.extras.get(ANSWERED)
    if not response.is_done():
        if interaction.type is discord.InteractionType.autocomplete:
            await response.autocomplete([])
            return
        try:
            await response.send_message(**with_typed(sentence, typed), ephemeral=True)
            return
        except discord.HTTPException as failure:
            if failure.code != ACKNOWLEDGED:
                raise
            # Discord received an earlier response, and its confirmation was lost. For a command it was a deferral.
            loading = interaction.type is discord.InteractionType.application_command
    if loading:
        try:
            # The first follow-up after a public deferral replaces the placeholder and is public too. So the placeholder
            # is edited, which ends the deferral, and deleted.
            await _twice(lambda: interaction.edit_original_response(content="…", attachments=[]))
            await _twice(interaction.delete_original_response)
        except discord.NotFound:
            pass  # The user has deleted it.
    await _twice(lambda: interaction.followup.send(**with_typed(sentence, typed), ephemeral=True))


async def _twice(send: Callable[[], Awaitable[object]]) -> None:
    """Call `send`, and once more where the connection to Discord broke off: a placeholder must not stay."""
    try:
        await send()
    except CONNECTION_ERRORS:
        await send()
