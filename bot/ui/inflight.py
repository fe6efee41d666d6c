"""Work on interactions that is under way, so that stopping can wait for it."""

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
# Seconds that work under way gets when the bot stops, and then to be told that it did not make it.
LAST_WORDS, EXCUSE = 10.0, 3.0
STOPPING = N_("I am being restarted. Ask again in a minute.")


class StoppingError(FewshotError):
    """The bot is stopping and takes nothing new."""


class InflightTasks:
    """What is under way; one for the process."""

    def __init__(self) -> None:
        # With what each of them speaks, so that it can be told of the end in its own language.
        self._tasks: dict[asyncio.Task[Any], tuple[discord.Interaction[Any], contextvars.Context]] = {}
        self._stopping = False

    @contextmanager
    def track(self, interaction: discord.Interaction[Any]) -> Iterator[None]:
        """The running task works on `interaction`. Raises `StoppingError` once the bot stops."""
        if self._stopping:
            raise StoppingError(STOPPING)
        task = asyncio.current_task()
        if task is None or task in self._tasks:
            yield
            return
        self._tasks[task] = interaction, contextvars.copy_context()
        try:
            yield
        finally:
            self._tasks.pop(task, None)

    @property
    def has_single_task(self) -> bool:
        """Whether nothing is under way beside the one that asks."""
        return len(self._tasks) <= 1

    async def drain(self) -> None:
        """Take nothing new, give what is under way a moment, and tell the rest in a sentence."""
        self._stopping = True
        if not self._tasks:
            return
        _log.info("stopping: %d answers under way", len(self._tasks))
        _done, late = await asyncio.wait(set(self._tasks), timeout=LAST_WORDS)
        unserved = [self._tasks[task] for task in late if task in self._tasks]
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=1.0)
        await asyncio.gather(*(asyncio.create_task(_excuse(caller), context=context) for caller, context in unserved))


async def _excuse(interaction: discord.Interaction[Any]) -> None:
    """The sentence for an answer that did not make it; nobody is left to hear of a failure here."""
    try:
        await asyncio.wait_for(_say_stopping(interaction), EXCUSE)
    except DELIVERY_ERRORS as error:  # Among them is `TimeoutError`, which is an `OSError`.
        _log.info("an asker could not be told that the bot stops: %s", error)


async def _say_stopping(interaction: discord.Interaction[Any]) -> None:
    """In place of the spinner and of what was written there; a message that was pressed on stays as it is."""
    response = interaction.response
    if response.type is discord.InteractionResponseType.deferred_channel_message:
        await interaction.edit_original_response(content=_(STOPPING), view=None)
    elif response.is_done():
        await interaction.followup.send(_(STOPPING), ephemeral=True)
    else:
        await response.send_message(_(STOPPING), ephemeral=True)
