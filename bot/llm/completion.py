"""Sends a request and parses the reply, with one repair turn if the reply cannot be parsed.

Limits, moderation and storage are handled by `bot.server.model_gateway`.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from bot.core.caller import SERVER, Caller
from bot.core.errors import AnswerStoppedError, NoModelError, ReplyError
from bot.core.i18n import ENGLISH, N_, use_locale
from bot.core.settings import LOCAL_SUFFIX
from bot.llm.client import ChatClient
from bot.llm.errors import FILTERED
from bot.llm.output_parsers import Rating, Reply, parse, reply_format
from bot.llm.request import ANSWER_TOKENS, Message, Request
from bot.llm.stop_signal import STOPPED_EARLY, StopSignal
from bot.llm.streaming import CUT_BY_TIME, AnswerStream
from bot.llm.template import ChatTemplate
from bot.llm.usage import Usage

REPAIR_PROMPT = "{problem} Answer once more, with exactly the form that was asked for and nothing around it."
# Messages of a repair turn: the reply, and the repair prompt.
REPAIR_MESSAGES = 2
# A reply that repeats so many words in a row of the repair prompt has parroted it.
PARROTED_WORDS = 6
PARROT = N_("The answer repeats the question instead of answering it.")
ONLY_THINKING = N_(
    "The model used all its tokens for thinking, and none were left for the answer. Ask for less at once; the bot's "
    "operator can raise max_completion_tokens in the template, or lower reasoning_effort."
)
# `Answer.finish` of a reply that ended early. Asking for its form again takes as long once more, or is refused again.
ENDED_EARLY = frozenset({CUT_BY_TIME, "broken", "content_filter"})
# `Answer.finish` of an answer that somebody stopped.
STOPPED = "stopped"
# Characters that are parsed on the event loop; longer replies, and JSON, are parsed in a thread.
PARSED_HERE = 4_000
# Parameters that do not belong to the answer's record: the messages and model have their own place in it.
NOT_RECORDED = frozenset({"messages", "model", "stream", "stream_options"})


@dataclass(frozen=True, slots=True)
class Display:
    """How a command shows an answer, so that another version of the answer can be shown in the same way.

    `heading` stands above the text. `form` is empty for the reply in its usual form, `raw` for the text as the model
    wrote it, `plain` for a text without Markdown, and `hidden` for the heading alone. In the footer, `by` replaces
    model and technique, and `note` follows them. `problem` says what is wrong with this version alone.
    """

    heading: str = ""
    form: str = ""
    by: str = ""
    note: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The record of a model's answer, its request and its caller, from the model to the database.

    `request` is what was sent in the end; `parameters` are those that the server accepted. `usage` adds up all
    turns; `price` is in US dollars, None where the model's price is not known. `finish` is `stop`; `length`, `timeout`,
    `broken` or `stopped` for half an answer; `unasked` where no model is connected. `at` is when it was asked, in
    seconds since 1970. `label` is what the operator calls the model; `replaced` names the model that should have
    answered and may not be asked any more. Both, `id`, `caller` and `price` are set by `bot.server.model_gateway`,
    `message_id` once the answer is shown.
    """

    text: str
    reply: Reply
    model: str
    request: Request
    parameters: Mapping[str, Any]
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    finish: str = "stop"
    repaired: bool = False
    price: Decimal | None = None
    label: str = ""
    replaced: str = ""
    id: str = ""
    caller: Caller = field(default_factory=lambda: Caller(SERVER))
    at: float = 0.0
    message_id: int | None = None
    display: Display = field(default_factory=Display)

    @property
    def shown_model(self) -> str:
        """What people call the model."""
        return self.label or self.model

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages as sent."""
        return self.request.messages

    @property
    def first_request(self) -> Request:
        """The request without its repair turn."""
        return replace(self.request, messages=self.messages[:-REPAIR_MESSAGES]) if self.repaired else self.request

    @property
    def template(self) -> ChatTemplate | None:
        """The template of the request; None for a request that was built without one."""
        return self.request.template

    @property
    def values(self) -> Mapping[str, str]:
        """What the template was filled with."""
        return self.request.values


@dataclass(slots=True)
class Spent:
    """Tokens used so far by the calls for one answer. It can also be read after a call has failed."""

    usage: Usage = field(default_factory=Usage)
    model: str = ""


def limited(client: ChatClient, request: Request) -> Request:
    """`request` with a limit on the tokens of its answer, where it has none.

    The answer to a long text, such as its translation, may be long: twice the tokens of what people wrote.
    """
    model = request.parameters.get("model", client.model)
    return request.with_limit(max(ANSWER_TOKENS, 2 * client.tokens.estimate_characters(model, len(request.written))))


async def ask(
    client: ChatClient,
    request: Request,
    show: Callable[[str], None] | None = None,
    spent: Spent | None = None,
    stop: StopSignal | None = None,
    on_stream: Callable[[AnswerStream], None] | None = None,
) -> Answer:
    """Send `request` and parse the reply as its template says. A reply that cannot be parsed gets one repair turn.

    `show` is called with the text so far while it arrives, for replies of text only. Each turn adds to `spent`. `stop`
    ends the answer: the text so far is the answer where text is wanted. `on_stream` is called with the stream of each
    turn before it is opened.

    Raises `ModelError`, or `AnswerStoppedError`. A `NoModelError` carries the request that would have been sent, the
    others carry the answer where there is one.
    """
    spent, stop = spent or Spent(), stop or StopSignal()
    template, is_text = request.template, request.reply == "text"
    if template is not None:
        is_local = str(request.parameters.get("model", client.model)).endswith(LOCAL_SUFFIX)
        format_ = reply_format(request.reply, template.schema, grammars=is_local)
        if format_:
            request = replace(request, optional={**format_, **request.optional})
    first = await _turn(client, request, spent, stop, show if is_text else None, on_stream)
    try:
        return await _answer(first, request)
    except ReplyError as problem:
        if is_text or problem.sentence == ONLY_THINKING or first.finish in ENDED_EARLY:
            raise
        with use_locale(ENGLISH):  # The model gets the prompt in the language of its template.
            prompt = REPAIR_PROMPT.format(problem=problem)
    repair = request.followed_by(
        {"role": "assistant", "content": first.text or "…"}, {"role": "user", "content": prompt}
    )
    return await _answer(await _turn(client, repair, spent, stop, None, on_stream), repair, earlier=first)


@dataclass(frozen=True, slots=True)
class _Turn:
    text: str
    model: str
    sent: Mapping[str, Any]
    usage: Usage
    seconds: float
    finish: str


async def _turn(
    client: ChatClient,
    request: Request,
    spent: Spent,
    stop: StopSignal,
    show: Callable[[str], None] | None,
    on_stream: Callable[[AnswerStream], None] | None,
) -> _Turn:
    """One streamed call. The text may be empty. A refusal of the model counts as its text."""
    stream = client.stream(request)
    if on_stream is not None:
        on_stream(stream)
    try:
        async with stop.scope(), stream:
            async for _ in stream:
                if show:
                    show(stream.text)
    except AnswerStoppedError:
        if not stream.sent:
            raise
        stream.finish = STOPPED
    except NoModelError as error:
        error.request = request
        raise
    finally:
        # A call costs tokens even if its answer broke off or the task was cancelled.
        if stream.sent:
            usage = client.record_usage(request, stream)
            spent.usage += usage
            spent.model = stream.sent["model"]
    text, model = stream.text or stream.refusal, stream.model or stream.sent["model"]
    return _Turn(text, model, stream.sent, usage, stream.seconds, stream.finish or "stop")


def parsed(text: str, request: Request) -> Reply:
    """`text` parsed as the reply that `request` asks for. Raises `ReplyError` if it cannot be parsed."""
    return parse(text, request.reply, request.template.schema if request.template else None)


async def _answer(turn: _Turn, request: Request, earlier: _Turn | None = None) -> Answer:
    """The answer of a turn.

    Raises `ReplyError` where it does not have the form that the template asks for, with the answer unless it is empty,
    and `AnswerStoppedError` where it was stopped before it had that form.
    """
    # Most servers do not show the thinking that took the tokens.
    if turn.finish == "length" and not turn.text.strip():
        raise ReplyError(ONLY_THINKING)
    if turn.finish == "content_filter" and not turn.text.strip():
        raise ReplyError(FILTERED)
    usage = turn.usage + earlier.usage if earlier else turn.usage
    answer = Answer(
        text=turn.text.strip(),
        reply=turn.text.strip(),
        model=turn.model,
        request=request,
        parameters={name: value for name, value in turn.sent.items() if name not in NOT_RECORDED},
        usage=usage,
        seconds=turn.seconds + (earlier.seconds if earlier else 0),
        finish=turn.finish,
        repaired=earlier is not None,
    )
    in_thread = len(turn.text) > PARSED_HERE or request.reply == "json"
    if turn.finish == STOPPED and not (request.reply == "text" and answer.text):
        stopped = AnswerStoppedError(STOPPED_EARLY)
        stopped.answer = answer
        raise stopped
    try:
        if earlier is not None and _is_parroted(turn.text, request.messages[-1]["content"]):
            raise ReplyError(PARROT)
        reply = await asyncio.to_thread(parsed, turn.text, request) if in_thread else parsed(turn.text, request)
    except ReplyError as error:
        error.answer = answer if answer.text else None
        raise
    # A rating that came as JSON, because `response_format` asked for it, is recorded in the form of the prompt.
    as_json = isinstance(reply, Rating) and answer.text.startswith("{")
    if reply == answer.reply:
        return answer
    return replace(answer, reply=reply, text=str(reply) if as_json else answer.text)


def _is_parroted(text: str, prompt: str) -> bool:
    """Whether `text` repeats several words in a row of the repair prompt."""

    def runs(part: str) -> set[tuple[str, ...]]:
        words = re.findall(r"\w+", part.casefold())
        return {tuple(words[at : at + PARROTED_WORDS]) for at in range(len(words) - PARROTED_WORDS + 1)}

    return not runs(text[:4_000]).isdisjoint(runs(prompt))
