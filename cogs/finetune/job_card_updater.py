"""The cards of jobs in channels: normal messages of the bot's, kept up to date until their job is over.

One task tends them all. Where a card stands is in the job's record, so that it goes on after a restart; who
takes the job's steps is not this task's business.
"""

import asyncio
import hashlib
import logging
from dataclasses import dataclass

import discord

from bot.core.errors import FewshotError
from bot.core.i18n import use_locale
from bot.tuning import job_messages as cards
from bot.tuning.records import JobRow
from bot.tuning.service import Tuning
from bot.ui.errors import CONNECTION_ERRORS, DELIVERY_ERRORS, user_message
from bot.ui.locale import locale_of_guild
from bot.ui.reply import to_files
from bot.ui.stream_editor import TOO_OLD, UNKNOWN_MESSAGE, is_fresh
from cogs.finetune.job_card import Shown, job_card, state_of

_log = logging.getLogger(__name__)
# Seconds between two looks at jobs that have cards: the pictures of a short job move, and Discord allows far more.
LOOK = 2.0
# Seconds to wait after something that cannot be helped at once: Discord away, a database that is locked.
AGAIN = 20.0
# What may be over the next time: a database that is locked, Discord away.
WAITING: tuple[type[Exception], ...] = (FewshotError, *DELIVERY_ERRORS)


@dataclass(slots=True)
class Tended:
    """A card at hand: when its job had last changed when it was drawn."""

    seen: tuple[float, str] | None = None


class Cards:
    """One for the process."""

    def __init__(self, bot: discord.Client, tuning: Tuning) -> None:
        self._bot, self._tuning = bot, tuning
        self._tended: dict[str, Tended] = {}
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """Tend all cards, those from before a restart first, until cancelled."""
        # Before that no server is known, nor the language that its people read.
        await self._bot.wait_until_ready()
        await self._take_up()
        while True:
            if not self._tended:
                await self._woken.wait()
            self._woken.clear()
            pause = LOOK
            for job_id in list(self._tended):
                if not await self._tend(job_id):
                    pause = AGAIN
            await asyncio.sleep(pause)

    async def post(self, job: JobRow) -> None:
        """Post the card of a new job, and tend it from now on. Raises `FewshotError` with the reason where the card
        cannot stand in its channel; the job is cancelled then, before its first step.
        """
        refused = False
        try:
            await self._show(job)
        except discord.HTTPException as error:
            refused = True
            await self._tuning.cancel(job.id)
            await cards.close(self._tuning.database, job.id)
            raise FewshotError("The job's card cannot be shown here. {reason}", reason=user_message(error)) from error
        except CONNECTION_ERRORS as error:
            _log.warning("the card of job %s waits: %s", job.id, error)
        finally:  # Whatever else went wrong, the job is there and goes on.
            if not refused:
                self._tended[job.id] = Tended()
                self._woken.set()

    async def _take_up(self) -> None:
        """The cards of jobs that were not over, or whose end was not shown, when the bot stopped."""
        while True:
            try:
                self._tended |= {job.id: Tended() for job in await cards.unfinished(self._tuning.database)}
                return
            except FewshotError as error:
                _log.error("the cards of jobs wait: %s", error)
                await asyncio.sleep(AGAIN)

    async def _tend(self, job_id: str) -> bool:
        """Show what is new of a job; False where it must be tried again later."""
        tended = self._tended[job_id]
        try:
            job = await self._tuning.job(job_id)
            if not job.over:
                await self._tuning.follower.begin(job_id)
            if (job.touched, job.state) != tended.seen:
                await self._show(job)
                tended.seen = (job.touched, job.state)
            if job.over:
                await cards.close(self._tuning.database, job_id)
                del self._tended[job_id]
        except (discord.NotFound, discord.Forbidden) as error:
            # The channel is gone, or closed to the bot; the job goes on, and /finetune job shows it.
            _log.warning("the card of job %s has no place any more: %s", job_id, error)
            await cards.close(self._tuning.database, job_id)
            del self._tended[job_id]
        except WAITING as error:
            _log.warning("the card of job %s waits: %s", job_id, error)
            return False
        return True

    async def _show(self, job: JobRow) -> None:
        """Edit the card, or post it afresh where it is old or was deleted."""
        shown = await self._shown(job)
        channel = self._channel(job.guild_id, job.channel_id)
        if job.message_id is not None:
            old = channel.get_partial_message(job.message_id)
            if is_fresh(old.id) and await _edited(old, shown):
                return
            await _deleted(old)
        layout, files = shown
        message = await channel.send(view=layout, files=to_files(files), nonce=_nonce(job))
        await cards.stands(self._tuning.database, job, message.id)

    async def _shown(self, job: JobRow) -> Shown:
        """The card of `job` in the language of its place; read once more, for what went wrong is said in it too."""
        guild = self._bot.get_guild(job.guild_id) if job.guild_id is not None else None
        with use_locale(locale_of_guild(self._bot, guild)):
            return await job_card(await state_of(self._tuning, await self._tuning.job(job.id)))

    def _channel(self, guild_id: int | None, channel_id: int | None) -> discord.PartialMessageable:
        """A channel by its ids; nothing is fetched for it."""
        assert channel_id is not None, "a card stands in a channel"
        return self._bot.get_partial_messageable(channel_id, guild_id=guild_id)


def _nonce(job: JobRow) -> str:
    """What Discord knows a posting by for some minutes: the same after a crash, so that no card comes twice. At most
    25 characters; of a card that takes another's place a different one.
    """
    return job.id if job.message_id is None else hashlib.sha256(f"{job.id} {job.message_id}".encode()).hexdigest()[:25]


async def _edited(message: discord.PartialMessage, shown: Shown) -> bool:
    """Whether the card could be edited; False where it was deleted, or is older for Discord than for our clock."""
    layout, files = shown
    try:
        await message.edit(view=layout, attachments=to_files(files))
    except discord.HTTPException as error:
        if error.code not in (UNKNOWN_MESSAGE, TOO_OLD):
            raise
        return False
    return True


async def _deleted(message: discord.PartialMessage) -> None:
    """Take an old card away: the fresh one below says more."""
    try:
        await message.delete()
    except discord.NotFound:
        return
