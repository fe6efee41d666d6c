"""Ends the answers that a killed process left unfinished, with one notice for each.

Whether an answer is unfinished is seen in its message: "is thinking…", or the Stop button. So a notice is sent once,
also if this process is killed too, and an answer whose last edit arrived stays as it is.
"""

import asyncio
import logging
from dataclasses import replace
from typing import Any

import discord

from bot.answers.service import STOP, final_page
from bot.core.i18n import N_, _, use_locale
from bot.core.text import MESSAGE_LIMIT, close_markup
from bot.server.prompts import Prompts
from bot.server.unfinished import UnfinishedAnswer, UnfinishedAnswers
from bot.ui.actions import actions_in
from bot.ui.errors import CONNECTION_ERRORS
from bot.ui.reply import in_one_message
from bot.ui.stream_editor import CURSOR

_log = logging.getLogger(__name__)
# Answers that are ended at a time, and messages after a question among which its answer is looked for.
AT_A_TIME, LOOKED_AT = 5, 50
INTERRUPTED = N_("I was restarted before this answer was complete. Ask again.")
ANOTHER = N_("I was restarted before another version was complete. Press Again for it.")


async def end_interrupted(client: discord.Client, unfinished: UnfinishedAnswers, prompts: Prompts) -> None:
    """End the answers that the process before this one left. Where Discord is away, they are left to the next start."""
    limit = asyncio.Semaphore(AT_A_TIME)

    async def end(answer: UnfinishedAnswer) -> None:
        async with limit:
            try:
                with use_locale(answer.locale):
                    await (_end_response if answer.token else _end_reply)(client, answer, prompts)
            except discord.HTTPException as error:  # The message, the channel or the interaction is gone.
                _log.info("an answer that was interrupted could not be ended: %s", error)
            except CONNECTION_ERRORS as error:
                _log.warning("an answer that was interrupted cannot be ended yet: %s", error)
                return
            unfinished.ended(answer.id)

    _log.info("ending %d answers that were interrupted", len(unfinished.left))
    await asyncio.gather(*map(end, unfinished.left))


async def _end_response(client: discord.Client, answer: UnfinishedAnswer, prompts: Prompts) -> None:
    """End the answer to an interaction."""
    assert client.application_id is not None, "the bot is logged in"
    webhook = discord.Webhook.partial(client.application_id, answer.token, client=client)
    message = await webhook.fetch_message("@original")  # type: ignore[arg-type]  # Discord's name for the response
    if _is_unfinished(message):
        await message.edit(**await _ended(message, prompts))


async def _end_reply(client: discord.Client, question: UnfinishedAnswer, prompts: Prompts) -> None:
    """End the answer to a message, or reply where there is none yet."""
    assert question.channel_id is not None, "every message is in a channel"
    channel = client.get_partial_messageable(question.channel_id)
    async for message in channel.history(after=discord.Object(question.id), limit=LOOKED_AT):
        if message.author == client.user and message.reference and message.reference.message_id == question.id:
            if _is_unfinished(message):
                await message.edit(**await _ended(message, prompts))
            return
    reference = channel.get_partial_message(question.id).to_reference(fail_if_not_exists=False)
    await channel.send(_(INTERRUPTED), reference=reference, mention_author=False)


def _is_unfinished(message: discord.Message) -> bool:
    return message.flags.loading or any(item.action == STOP for item in actions_in(message))


async def _ended(message: discord.Message, prompts: Prompts) -> dict[str, Any]:
    """The fields of `message` with the notice: under what is written of the answer, or under its stored version."""
    versions = await prompts.newest_versions(message.id)
    if versions:
        page = final_page(versions[-1], share=False, version=(len(versions), len(versions)))
        return in_one_message(replace(page, footer=f"{page.footer}\n-# {_(ANOTHER)}"))
    notice = _(INTERRUPTED)
    text = message.content.removesuffix(CURSOR)
    if not text:
        return {"content": notice, "view": None}
    room = MESSAGE_LIMIT - len(notice) - 30
    return {"content": f"{text if len(text) <= room else close_markup(text[:room])}\n-# {notice}", "view": None}
