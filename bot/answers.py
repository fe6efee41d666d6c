"""The life of a command that asks a model: defer, serve, stream, footer and buttons, keep the prompt.

Every cog that asks a model comes through here, so that all answers look and fail alike.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import discord

from bot.core.errors import ModelError, NoModelError
from bot.llm.asking import Answer
from bot.llm.template import ChatTemplate, Request
from bot.rendering import page_of
from bot.server.desk import Desk, Served
from bot.server.ledger import Asker
from bot.server.prompts import Prompt, Prompts
from bot.ui.actions import ActionButton
from bot.ui.prompt_card import no_model_card
from bot.ui.reply import AnswerDeletedError, Page, Reply

_log = logging.getLogger(__name__)
# Seconds that answers under way get when the bot stops.
LAST_WORDS = 10.0
STOPPING = "I am being restarted. Ask again in a minute."
# How an answer is shown: text, and whatever its cog adds.
Render = Callable[[Answer], Page]


def asker_of(interaction: discord.Interaction[Any]) -> Asker:
    """Who acted, and where, as ids."""
    return Asker(interaction.user.id, interaction.guild_id, interaction.channel_id)


class Answers:
    """Gives answers to interactions. One for the process."""

    def __init__(self, desk: Desk, prompts: Prompts) -> None:
        self._desk, self._prompts = desk, prompts
        self._working: dict[asyncio.Task[Any], discord.Interaction[Any]] = {}
        self._stopping = False

    @contextmanager
    def working(self, interaction: discord.Interaction[Any]) -> Iterator[None]:
        """Work that is waited for when the bot stops; once it stops, nothing new begins."""
        if self._stopping:
            raise ModelError(STOPPING)
        task = asyncio.current_task()
        assert task is not None, "answers are given inside tasks"
        self._working[task] = interaction
        try:
            yield
        finally:
            self._working.pop(task, None)

    async def wind_down(self) -> None:
        """Take nothing new, give running answers a moment, and tell the others in a sentence."""
        self._stopping = True
        if not self._working:
            return
        _log.info("stopping: %d answers under way", len(self._working))
        _, late = await asyncio.wait(set(self._working), timeout=LAST_WORDS)
        interactions = [self._working[task] for task in late if task in self._working]
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=1.0)
        await asyncio.gather(*(_excuse(interaction) for interaction in interactions))

    async def give(
        self,
        interaction: discord.Interaction[Any],
        template: ChatTemplate,
        values: Mapping[str, str],
        *,
        private: bool,
        render: Render = page_of,
    ) -> Served | None:
        """Answer `interaction` with `template` filled with `values`; None where nobody could be answered.

        Raises what the desk raises: the caller's error handler tells the person.
        """
        with self.working(interaction):
            async with Reply(interaction, private=private) as reply:
                return await self.give_in(reply, interaction, template, values, render=render)

    async def give_in(
        self,
        reply: Reply,
        interaction: discord.Interaction[Any],
        template: ChatTemplate,
        values: Mapping[str, str],
        *,
        render: Render = page_of,
    ) -> Served | None:
        """The same in a `reply` that is open already."""
        with suppress(AnswerDeletedError):
            try:
                served = await self._desk.serve(asker_of(interaction), template, values, reply.show)
            except NoModelError as error:
                if not isinstance(error.request, Request):
                    raise
                await show_prompt_instead(reply, error.request)
                return None
            page = render(served.answer)
            message = await reply.finish(
                replace(
                    page,
                    footer=footer(served.answer, page.footer),
                    items=(*buttons(served.prompt, private=reply.private), *page.items),
                )
            )
            if message is not None:
                await self.keep(served.prompt, message.id, private=reply.private)
            return served
        return None

    async def keep(self, prompt: Prompt, message_id: int, *, private: bool) -> None:
        """Note where the answer stands; a public one's prompt is kept over restarts."""
        prompt = replace(prompt, message_id=message_id)
        self._prompts.hold(prompt)
        if not private:
            await self._prompts.keep(prompt)


async def _excuse(interaction: discord.Interaction[Any]) -> None:
    """The sentence for an answer that did not make it; nobody is left to hear of a failure here."""
    try:
        await asyncio.wait_for(interaction.edit_original_response(content=STOPPING, view=None), 3.0)
    except (discord.HTTPException, TimeoutError) as error:
        _log.info("an asker could not be told that the bot stops: %s", error)


async def show_prompt_instead(reply: Reply, request: Request) -> None:
    """Where no model is connected: the card that shows what would have been sent, the prompt open."""
    card, files = no_model_card(request.technique, request.messages)
    await reply.finish_card(card, files)


def buttons(prompt: Prompt, *, private: bool) -> Sequence[discord.ui.Item[Any]]:
    """The buttons under every answer; a private one can be shared."""
    shown: list[discord.ui.Item[Any]] = [ActionButton("prompt", prompt.id, label="Prompt", emoji="🔍")]
    if private:
        shown.insert(0, ActionButton("share", prompt.id, label="Share", emoji="📣"))
    return shown


def footer(answer: Answer, note: str = "") -> str:
    """The small line under an answer: who wrote it, by which technique, and what is odd about it."""
    parts = [author(answer.model), answer.request.technique]
    if answer.finish == "length":
        parts.append("cut off at the limit of its length")
    elif answer.finish == "broken":
        parts.append("the connection broke off here; ask again for the rest")
    elif answer.finish == "content_filter":
        parts.append("cut short by the provider's filter")
    if answer.repaired:
        parts.append("asked twice for the right form")
    return "-# " + " · ".join([*parts, *([note] if note else [])])


def author(model: str) -> str:
    """How a model is named to people; the two that are not language models say so."""
    if model == "stand-in":
        return "Stand-in · no model connected"
    return discord.utils.escape_markdown(model)
