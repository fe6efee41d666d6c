"""From a filled template to a parsed reply, with one repair turn: the whole of what a command asks a model.

This is a pure conversation with one client: who pays and what is kept is `bot.server.model_gateway`'s.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from bot.core.caller import SERVER, Caller
from bot.core.errors import NoModelError, ReplyError
from bot.core.i18n import ENGLISH, use_locale
from bot.llm.client import ChatClient
from bot.llm.output_parsers import Reply, parse
from bot.llm.request import Message, Request
from bot.llm.template import ChatTemplate, ReplyKind
from bot.llm.usage import Usage, cost

REPAIR_PROMPT = "{problem} Answer once more, with exactly the form that was asked for and nothing around it."


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's answer, how it was made, and whose it is: the one record of it, from the model to the database.

    `request` is what was sent in the end; `parameters` are those that the server accepted. `usage` adds up all
    turns; `price` is in US dollars, None where the model's price is not known. `finish` is `stop`, `length` or
    `broken` for half an answer, `unasked` where no model is connected. `at` is when it was asked, in seconds since
    1970. `id` and `caller` are set by `bot.server.model_gateway`, `message_id` once the answer is shown.
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
    id: str = ""
    caller: Caller = field(default_factory=lambda: Caller(SERVER))
    at: float = 0.0
    message_id: int | None = None

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages as sent."""
        return self.request.messages

    @property
    def template(self) -> ChatTemplate | None:
        """The template behind it; None for a request that was put together without one."""
        return self.request.template

    @property
    def values(self) -> Mapping[str, str]:
        """What the template was filled with."""
        return self.request.values


@dataclass(slots=True)
class Spent:
    """What calls have used so far; readable also when a call fails half-way."""

    usage: Usage = field(default_factory=Usage)
    model: str = ""


async def ask(
    client: ChatClient,
    request: Request,
    show: Callable[[str], None] | None = None,
    spent: Spent | None = None,
) -> Answer:
    """Send `request` and parse the reply as its template says; a reply in another form gets one repair turn.

    `show` is called with the text so far as it comes, for replies of text only. `spent` is added to at each
    turn. Raises `ModelError`; `NoModelError` carries the request that would have been sent.
    """
    spent = spent if spent is not None else Spent()
    first = await _turn(client, request, spent, show if _kind(request) == "text" else None)
    try:
        return _parsed(first, request)
    except ReplyError as problem:
        if _kind(request) == "text":
            raise
        with use_locale(ENGLISH):  # The model is told in the language of its template.
            told = REPAIR_PROMPT.format(problem=problem)
        repair = request.followed_by(
            {"role": "assistant", "content": first.text or "…"}, {"role": "user", "content": told}
        )
    second = await _turn(client, repair, spent, None)
    return _parsed(second, repair, earlier=first)


@dataclass(frozen=True, slots=True)
class _Turn:
    text: str
    model: str
    sent: Mapping[str, Any]
    usage: Usage
    seconds: float
    finish: str


async def _turn(client: ChatClient, request: Request, spent: Spent, show: Callable[[str], None] | None) -> _Turn:
    """One call, streamed; its text may be empty. A refusal of the model counts as its text."""
    stream = client.stream(request)
    try:
        async with stream:
            async for _ in stream:
                if show:
                    show(stream.text)
    except NoModelError as error:
        error.request = request
        raise
    finally:
        # A call that was made is paid for, also when its answer broke off or the person went away.
        if stream.sent:
            spent.usage += client.usage(request, stream)
            spent.model = stream.sent["model"]
    usage = client.usage(request, stream)
    model = stream.model or stream.sent["model"]
    return _Turn(stream.text or stream.refusal, model, stream.sent, usage, stream.seconds, stream.finish or "stop")


def _kind(request: Request) -> ReplyKind:
    return request.template.reply if request.template else "text"


def parsed(text: str, template: ChatTemplate | None) -> Reply:
    """`text` as the reply that `template` asks for; raises `ReplyError` when it has another form."""
    return parse(text, template.reply, template.schema) if template else parse(text, "text")


def _parsed(turn: _Turn, request: Request, earlier: _Turn | None = None) -> Answer:
    """The turn as an answer.

    Raises `ReplyError` when it does not have the form that the template asks for, with the answer unless it is empty.
    """
    usage = turn.usage + earlier.usage if earlier else turn.usage
    answer = Answer(
        text=turn.text.strip(),
        reply=turn.text.strip(),
        model=turn.model,
        request=request,
        parameters={k: v for k, v in turn.sent.items() if k not in ("messages", "model", "stream", "stream_options")},
        usage=usage,
        seconds=turn.seconds + (earlier.seconds if earlier else 0),
        finish=turn.finish,
        repaired=earlier is not None,
        price=cost(turn.sent["model"], usage),
    )
    try:
        return replace(answer, reply=parsed(turn.text, request.template))
    except ReplyError as error:
        error.answer = answer if answer.text else None
        raise
