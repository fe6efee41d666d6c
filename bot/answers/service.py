"""The one path from an interaction to an answer: defer, ask, stream, add footer and buttons, store the prompt."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import replace
from typing import Any

import discord

from bot.answers.prompt_view import UNFINISHED, author, left_out, prompt_card
from bot.answers.rendering import shown_text
from bot.core.caller import Caller, SourceMessage
from bot.core.errors import (
    AnswerStoppedError,
    FewshotError,
    NoModelError,
    NotAllowedError,
    NotFoundError,
    ReplyError,
)
from bot.core.i18n import _, current_locale, guild_locale, ngettext
from bot.core.text import escape_markdown
from bot.llm.completion import Answer, Display
from bot.llm.request import Request
from bot.llm.stop_signal import StopSignal
from bot.llm.streaming import AnswerStream
from bot.llm.template import ChatTemplate
from bot.server.model_gateway import ModelGateway, dry_run
from bot.server.prompts import Prompts
from bot.server.unfinished import UnfinishedAnswers
from bot.ui.actions import ActionButton
from bot.ui.caller import caller_of, caller_of_message
from bot.ui.files import OutgoingFile
from bot.ui.inflight import Asked, InflightTasks
from bot.ui.reply import AnswerDeletedError, BaseReply, MessageReply, Page, Reply
from bot.ui.views import View

# Returns the template of a request for the model that is tuned for it, or None.
FindTuned = Callable[[Request], Awaitable[ChatTemplate | None]]
# Seconds to wait for the first word before a notice says so, and seconds between two notices.
FIRST_NOTICE, NEXT_NOTICE = 8.0, 5.0
# The action of the button that stops an answer.
STOP = "stop"


class Answering:
    """An interaction or message that is being answered: `ask` as often as needed, then one of the `finish` methods."""

    def __init__(self, answers: "Answers", reply: BaseReply, caller: Caller, key: str) -> None:
        self.reply, self.caller, self._answers = reply, caller, answers
        # Names the answer in the Stop button.
        self.key = key
        self._notice: asyncio.TimerHandle | None = None
        self._began = 0.0
        # The call that is waited for.
        self._stream: AnswerStream | None = None
        self._stops: list[StopSignal] = []
        self.stopped = False

    def ask(
        self, request: Request, *, gateway: ModelGateway | None = None, show: bool = True, cache: bool = True
    ) -> Coroutine[Any, Any, Answer]:
        """Answer `request`, by the chat model unless a `gateway` is given.

        With `show` the text is streamed to Discord, with a notice before the first word. Raises what `ModelGateway.ask`
        raises.
        """
        gateway = gateway or self._answers.gateway
        stop = StopSignal()
        if self.stopped:
            stop.stop()
        self._stops.append(stop)
        if len(self._stops) == 1:
            self.reply.make_view = self._stop_button
        if not show:
            return gateway.ask(self.caller, request, cache=cache, stop=stop)
        self.start_notices()
        return gateway.ask(
            self.caller, request, self._show, self._on_position, cache=cache, stop=stop, on_stream=self._on_stream
        )

    def stop(self) -> None:
        """End the model calls of this answer. The text so far is shown."""
        self.stopped = True
        for stop in self._stops:
            stop.stop()

    async def finish(
        self,
        answer: Answer,
        *earlier: Answer,
        items: Sequence[discord.ui.Item[Any]] = (),
        version: tuple[int, int] = (1, 1),
    ) -> None:
        """Show `answer` with footer and buttons, and store its prompt.

        `earlier` are the answers that this one is based on: their prompts are deleted together with the message.
        `items` are further buttons. `version` is its number and how many there are.
        """
        answers = (*earlier, answer)
        await self._store(answers)
        self._set_message(answers, await self.show(answer, items=items, version=version))

    async def show(
        self, answer: Answer, *, items: Sequence[discord.ui.Item[Any]] = (), version: tuple[int, int] = (1, 1)
    ) -> discord.Message | None:
        """Show `answer`, which is stored, with footer and buttons. None if it could not be delivered."""
        self.stop_notices()
        return await self.reply.finish(final_page(answer, share=self.reply.private, items=items, version=version))

    async def finish_page(self, page: Page) -> None:
        """Show `page` as it is."""
        self.stop_notices()
        await self.reply.finish(page)

    async def finish_card(
        self, card: discord.ui.LayoutView, files: Sequence[OutgoingFile] = (), answers: Sequence[Answer] = ()
    ) -> discord.Message | None:
        """Show `card` in place of a text, and store the prompts of the `answers` on it. None if it is not delivered."""
        self.stop_notices()
        await self._store(answers)
        message = await self.reply.finish_card(card, files)
        self._set_message(answers, message)
        return message

    async def show_dry_run(self, request: Request) -> None:
        """Show the card of the prompt that would have been sent if a model were connected."""
        record = dry_run(self.caller, request)
        self._answers.prompts.cache(record)
        await self.finish_card(*prompt_card(record, tuned=await self._answers.has_tuned(record)), [record])

    async def show_unparsed(self, error: FewshotError, answer: Answer) -> None:
        """Show the sentence of `error`, and below it the answer, which could not be parsed."""
        await self.finish(replace(answer, display=Display(problem=f"{error}\n")))

    def start_notices(self) -> None:
        """After `FIRST_NOTICE` seconds, show that the bot waits for the model, and for how long."""
        self._began = asyncio.get_running_loop().time()
        self._schedule(FIRST_NOTICE)

    def stop_notices(self) -> None:
        """Stop showing that the bot waits."""
        if self._notice is not None:
            self._notice.cancel()
            self._notice = None

    def close(self) -> None:
        """Stop the notices, and release the call, which refers back to this: a cycle waits for a garbage collection."""
        self.stop_notices()
        self._stream = None

    def _stop_button(self) -> View:
        return View(ActionButton(STOP, self.key, label=_("Stop"), emoji="⏹️"))

    def _show(self, text: str) -> None:
        self.stop_notices()
        self.reply.show(text)

    def _on_position(self, position: int) -> None:
        """Show the request's position in the person's queue; 0 means that it is being asked."""
        if position:
            self.stop_notices()
            waiting = _("Your earlier requests come first. This one has place {n} in your queue.", n=position)
            self.reply.show(waiting, writing=False)
        else:
            self.reply.drop()
            self.start_notices()

    def _on_stream(self, stream: AnswerStream) -> None:
        """Let the notices show how many requests are answered before this one, at once where a server reports it."""
        self._stream, stream.on_queue = stream, self._say_waiting

    def _schedule(self, seconds: float) -> None:
        self.stop_notices()
        self._notice = asyncio.get_running_loop().call_later(seconds, self._say_waiting)

    def _say_waiting(self) -> None:
        seconds = asyncio.get_running_loop().time() - self._began
        if self._stream is not None and self._stream.text:  # It is shown once it is complete.
            waiting = _("The model is writing: {n:,.0f} s so far …", n=seconds)
        else:
            waiting = _("Waiting for the model's first word: {n:,.0f} s so far …", n=seconds)
        if self._stream is not None and self._stream.before:
            waiting += "\n-# " + ngettext(
                "{n} request is before yours at this model's server.",
                "{n} requests are before yours at this model's server.",
                self._stream.before,
            )
        with suppress(AnswerDeletedError):
            self.reply.show(waiting, writing=False)
            self._schedule(NEXT_NOTICE)

    async def _store(self, answers: Sequence[Answer]) -> None:
        """Store public answers before they are shown, so that their Prompt button works after a crash."""
        if not self.reply.private:
            for answer in answers:
                await self._answers.store(answer)

    def _set_message(self, answers: Sequence[Answer], message: discord.Message | None) -> None:
        """Record the message that shows `answers`; None if it could not be delivered."""
        for answer in answers:
            if not self.reply.private:
                self._answers.prompts.set_message(answer, message.id if message else None)
            elif message is not None:
                self._answers.prompts.cache(replace(answer, message_id=message.id))


class Answers:
    """Answers interactions with the output of models. The process has one instance."""

    def __init__(
        self,
        gateway: ModelGateway,
        prompts: Prompts,
        inflight: InflightTasks,
        unfinished: UnfinishedAnswers,
        find_tuned: FindTuned,
    ) -> None:
        self.gateway, self.prompts, self._inflight, self._unfinished = gateway, prompts, inflight, unfinished
        self.find_tuned = find_tuned
        self._being_written: dict[str, Answering] = {}

    async def respond(
        self,
        interaction: discord.Interaction[Any],
        request: Request,
        *,
        private: bool,
        display: Display | None = None,
        source: SourceMessage | None = None,
    ) -> None:
        """Answer `interaction` with the chat model's answer to `request`.

        `display` says how it is shown, `source` is the message whose text is in the request. Raises what
        `ModelGateway.ask` raises.
        """
        async with self.open(interaction, private=private, source=source) as answering:
            answer = await answering.ask(request)
            await answering.finish(answer if display is None else replace(answer, display=display))

    def open(
        self, interaction: discord.Interaction[Any], *, private: bool, source: SourceMessage | None = None
    ) -> AbstractAsyncContextManager[Answering]:
        """Defer `interaction`, and answer it with the `Answering` of the block (see `_answering`).

        Raises `NotAllowedError` for a person whom the server blocks.
        """
        caller = caller_of(interaction, source)
        self.gateway.refuse_blocked(caller)
        return self._answering(interaction, Reply(interaction, private=private), caller)

    def open_message(self, message: discord.Message) -> AbstractAsyncContextManager[Answering]:
        """Answer `message` with the `Answering` of the block (see `_answering`). No error is raised."""
        return self._answering(message, MessageReply(message), caller_of_message(message))

    @asynccontextmanager
    async def _answering(self, asked: Asked, reply: BaseReply, caller: Caller) -> AsyncIterator[Answering]:
        """Enter `reply` and yield its `Answering`.

        Some errors end the block early and are not raised: no model is connected (the prompt is shown), a reply cannot
        be parsed (it is shown unparsed), the answer was stopped, and the person deleted the answer.
        """
        with self._inflight.track(asked), suppress(AnswerDeletedError), self._noted(asked, reply):
            async with reply:
                answering = Answering(self, reply, caller, str(asked.id))
                self._being_written[answering.key] = answering
                try:
                    yield answering
                except NoModelError as error:
                    if not isinstance(error.request, Request):
                        raise
                    await answering.show_dry_run(error.request)
                except ReplyError as error:
                    if not isinstance(error.answer, Answer):
                        raise
                    await answering.show_unparsed(error, error.answer)
                except AnswerStoppedError as error:
                    if isinstance(error.answer, Answer):
                        await answering.show_unparsed(error, error.answer)
                    else:
                        await answering.finish_page(Page(str(error)))
                finally:
                    answering.close()
                    del self._being_written[answering.key]

    def _noted(self, asked: Asked, reply: BaseReply) -> AbstractContextManager[None]:
        """Note that `asked` is being answered, for the process after this one."""
        token = asked.token if isinstance(asked, discord.Interaction) else ""
        with nullcontext() if reply.private else guild_locale():
            locale = current_locale()
        channel = asked.channel
        return self._unfinished.writing(asked.id, token, channel.id if channel else None, locale)

    def stop(self, key: str, caller: Caller) -> None:
        """Stop the answer whose Stop button has `key`, for its asker or a moderator of its channel.

        Raises `NotFoundError` where it is not being written, `NotAllowedError` for others.
        """
        answering = self._being_written.get(key)
        if answering is None or answering.caller.channel_id != caller.channel_id:
            raise NotFoundError("This answer is no longer being written.")
        if caller.user_id != answering.caller.user_id and not caller.is_moderator:
            raise NotAllowedError("Only the one who asked and moderators can stop this answer.")
        if answering.stopped:
            raise NotFoundError("This answer is being stopped already.")
        answering.stop()

    async def store(self, answer: Answer) -> None:
        """Store the prompt of a public `answer` before the answer is shown."""
        self.prompts.cache(answer)
        await self.prompts.persist(answer, soon=self._inflight.has_single_task)

    async def has_tuned(self, answer: Answer) -> bool:
        """Whether a model is tuned and promoted for the template of `answer`. It answers no follow-ups."""
        return answer.request.conversation is None and await self.find_tuned(answer.request) is not None


def final_page(
    answer: Answer, *, share: bool, items: Sequence[discord.ui.Item[Any]] = (), version: tuple[int, int] = (1, 1)
) -> Page:
    """The page of a complete answer. `version` is its number and how many there are, `items` are further buttons."""
    below = (*buttons(answer.id, share=share, version=version), *items)
    return Page(shown_text(answer), footer(answer), below)


def buttons(prompt_id: str, *, share: bool = False, version: tuple[int, int] = (1, 1)) -> list[discord.ui.Item[Any]]:
    """The buttons under an answer: Share for a private one, and more if there is a prompt.

    `version` is the number of the version that is shown, and how many there are. Where there are several, a row of
    arrows follows.
    """
    shown: list[discord.ui.Item[Any]] = []
    if prompt_id:
        shown.append(ActionButton("prompt", prompt_id, label=_("Prompt"), emoji="🔍"))
        shown.append(ActionButton("again", prompt_id, label=_("Again"), emoji="🔁"))
        shown.append(ActionButton("follow", prompt_id, label=_("Follow up…"), emoji="💬"))
    if share:  # Not first: there was Stop until now, and a press of it that comes late must publish nothing.
        shown.append(ActionButton("share", prompt_id, label=_("Share"), emoji="📣"))
    if prompt_id:
        shown.append(ActionButton("more", prompt_id, label="⋯"))
    number, count = version
    if count > 1:
        shown += [
            ActionButton("version", f"{prompt_id}:back", label="◀", disabled=number == 1, row=1),
            ActionButton("version", f"{prompt_id}:here", label=f"{number}/{count}", disabled=True, row=1),
            ActionButton("version", f"{prompt_id}:on", label="▶", disabled=number == count, row=1),
        ]
    return shown


def footer(answer: Answer) -> str:
    """The footer of an answer: model and technique, why it is incomplete, and what its command adds."""
    display = answer.display
    parts = [display.by] if display.by else [author(answer.shown_model), _(answer.request.technique)]
    if answer.replaced:
        parts.append(
            _("in place of {model}, which cannot be asked here any more", model=escape_markdown(answer.replaced))
        )
    conversation = answer.request.conversation
    if conversation is not None:
        parts.append(_("follow-up {n}", n=(conversation.length + conversation.left_out) // 2))
        parts += [left_out(conversation)] if conversation.left_out else []
    if answer.finish in UNFINISHED:
        parts.append(_(UNFINISHED[answer.finish]))
    if answer.repaired:
        parts.append(_("asked twice for the right format"))
    return "-# " + " · ".join([*parts, *([display.note] if display.note else [])])
