"""The tasks that handle interactions, so that a stop can wait for them."""

import asyncio
import contextvars
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import discord

from bot.core.errors import FewshotError
from bot.core.i18n import N_, _
from bot.ui.errors import DELIVERY_ERRORS

_log = logging.getLogger(__name__)
# Seconds that running tasks have when the bot stops, and seconds to tell their users that they were cancelled.
DRAIN_TIMEOUT, NOTICE_TIMEOUT = 10.0, 3.0
# What a task answers.
Asked = discord.Interaction[Any] | discord.Message
STOPPING = N_("I am being restarted. Ask again in a minute.")


class StoppingError(FewshotError):
    """The bot is stopping and accepts no new interactions."""


class InflightTasks:
    """The running tasks. One for the process."""

    def __init__(self) -> None:
        # The context of each task contains the user's locale.
        self._tasks: dict[asyncio.Task[Any], tuple[Asked, contextvars.Context]] = {}
        self._stopping = False

    @contextmanager
    def track(self, asked: Asked) -> Iterator[None]:
        """Count the current task as handling `asked`. Raises `StoppingError` once the bot stops."""
        if self._stopping:
            raise StoppingError(STOPPING)
        task = asyncio.current_task()
        if task is None or task in self._tasks:
            yield
            return
        self._tasks[task] = asked, contextvars.copy_context()
        try:
            yield
        finally:
            self._tasks.pop(task, None)

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def has_single_task(self) -> bool:
        """Whether at most one task is running: the caller."""
        return len(self._tasks) <= 1

    async def drain(self) -> None:
        """Accept nothing new, wait up to 10 s for the running tasks, cancel the rest and tell their users."""
        self._stopping = True
        if not self._tasks:
            return
        _log.info("stopping: waiting for %d answers", len(self._tasks))
        _done, late = await asyncio.wait(set(self._tasks), timeout=DRAIN_TIMEOUT)
        unserved = [self._tasks[task] for task in late if task in self._tasks]
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=1.0)
        await asyncio.gather(*(asyncio.create_task(_notify(caller), context=context) for caller, context in unserved))


async def _notify(asked: Asked) -> None:
    """Tell the user of a cancelled task that the bot stops. Failures are only logged."""
    try:
        await asyncio.wait_for(_send_stopping(asked), NOTICE_TIMEOUT)
    except DELIVERY_ERRORS as error:  # Among them is `TimeoutError`, which is an `OSError`.
        _log.info("the notice that the bot stops could not be sent: %s", error)


async def _send_stopping(asked: Asked) -> None:
    """Replace a placeholder or a partial answer; a message whose button was pressed stays unchanged."""
    if isinstance(asked, discord.Message):
        await asked.reply(_(STOPPING), mention_author=False)
        return
    interaction, response = asked, asked.response
    if response.type is discord.InteractionResponseType.deferred_channel_message:
        await interaction.edit_original_response(content=_(STOPPING), view=None)
    elif response.is_done():
        await interaction.followup.send(_(STOPPING), ephemeral=True)
    else:
        await response.send_message(_(STOPPING), ephemeral=True)
