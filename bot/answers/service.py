"""The life of a command that asks a model: defer, serve, stream, footer and buttons, keep the prompt.

Every cog that asks a model comes through here, so that all answers look and fail alike.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import discord

from bot.answers.prompt_view import author, card_of
from bot.answers.rendering import page_of
from bot.core.caller import SourceMessage
from bot.core.errors import NoModelError
from bot.core.i18n import _
from bot.llm.completion import Answer
from bot.llm.request import Request
from bot.llm.template import ChatTemplate
from bot.server.model_gateway import ModelGateway, dry_run
from bot.server.prompts import Prompts
from bot.ui.actions import ActionButton
from bot.ui.caller import caller_of
from bot.ui.inflight import InflightTasks
from bot.ui.reply import AnswerDeletedError, Page, Reply

# How an answer is shown: text, and whatever its cog adds.
Render = Callable[[Answer], Page]


class Answers:
    """Gives answers to interactions. One for the process."""

    def __init__(self, gateway: ModelGateway, prompts: Prompts, inflight: InflightTasks) -> None:
        self._gateway, self._prompts, self._inflight = gateway, prompts, inflight

    async def give(
        self,
        interaction: discord.Interaction[Any],
        template: ChatTemplate,
        values: Mapping[str, str],
        *,
        private: bool,
        render: Render = page_of,
        source: SourceMessage | None = None,
    ) -> Answer | None:
        """Answer `interaction` with `template` filled with `values`; None where nobody could be answered.

        `source` is the message that the values were taken from. Raises what the gateway raises: the caller's error
        handler tells the person.
        """
        with self._inflight.track(interaction):
            async with Reply(interaction, private=private) as reply:
                return await self.give_in(reply, interaction, template, values, render=render, source=source)

    async def give_in(
        self,
        reply: Reply,
        interaction: discord.Interaction[Any],
        template: ChatTemplate,
        values: Mapping[str, str],
        *,
        render: Render = page_of,
        source: SourceMessage | None = None,
        earlier: Sequence[Answer] = (),
    ) -> Answer | None:
        """The same in a `reply` that is open already; the `earlier` answers that led here are kept with this one."""
        with suppress(AnswerDeletedError):
            try:
                answer = await self._gateway.ask(caller_of(interaction, source), template.fill(values), reply.show)
            except NoModelError as error:
                await self.show_prompt_instead(reply, interaction, error, source)
                return None
            page = render(answer)
            message = await reply.finish(
                replace(
                    page,
                    footer=footer(answer, page.footer),
                    items=(*buttons(answer, private=reply.private), *page.items),
                )
            )
            await self.keep(message, *earlier, answer, private=reply.private)
            return answer
        return None

    async def keep(self, message: discord.Message | None, *answers: Answer, private: bool) -> None:
        """Note that `answers` are shown in `message`; public ones are stored, and go when it is deleted."""
        if message is None:
            return
        for answer in answers:
            placed = replace(answer, message_id=message.id)
            self._prompts.cache(placed)
            if not private:
                await self._prompts.persist(placed, soon=self._inflight.has_single_task)

    async def show_prompt_instead(
        self,
        reply: Reply,
        interaction: discord.Interaction[Any],
        error: NoModelError,
        source: SourceMessage | None = None,
    ) -> None:
        """Where no model is connected: show the card of the prompt that would have been sent.

        Raises `error` itself where it does not know the request.
        """
        if not isinstance(error.request, Request):
            raise error
        unsent = dry_run(caller_of(interaction, source), error.request)
        self._prompts.cache(unsent)
        message = await reply.finish_card(*card_of(unsent, tuned=unsent.request.name in self._gateway.tuned))
        await self.keep(message, unsent, private=reply.private)


def buttons(answer: Answer, *, private: bool) -> Sequence[discord.ui.Item[Any]]:
    """The buttons under every answer; a private one can be shared."""
    return buttons_of(answer.id, share=private)


def buttons_of(prompt_id: str, *, share: bool = False) -> list[discord.ui.Item[Any]]:
    """The same by the prompt's id; an answer that no prompt stands behind has none but Share."""
    shown: list[discord.ui.Item[Any]] = []
    if share:
        shown.append(ActionButton("share", prompt_id, label=_("Share"), emoji="📣"))
    if prompt_id:
        shown.append(ActionButton("prompt", prompt_id, label=_("Prompt"), emoji="🔍"))
        shown.append(ActionButton("more", prompt_id, label="⋯"))
    return shown


def footer(answer: Answer, note: str = "") -> str:
    """The small line under an answer: who wrote it, by which technique, and what is odd about it."""
    parts = [author(answer.model), _(answer.request.technique)]
    if answer.finish == "length":
        parts.append(_("cut off at the limit of its length"))
    elif answer.finish == "broken":
        parts.append(_("the connection broke off here; ask again for the rest"))
    elif answer.finish == "content_filter":
        parts.append(_("cut short by the provider's filter"))
    if answer.repaired:
        parts.append(_("asked twice for the right form"))
    return "-# " + " · ".join([*parts, *([note] if note else [])])
