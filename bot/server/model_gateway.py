"""The one way in which the bot asks a model: queue, moderate, reserve tokens, ask, settle."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from time import time

from bot.core.attached_picture import check_held
from bot.core.caller import SERVER, Caller
from bot.core.errors import AnswerStoppedError, ReplyError
from bot.core.metrics import Metrics
from bot.core.settings import STAND_IN
from bot.llm.client import ChatClient
from bot.llm.completion import Answer, Spent, ask, limited
from bot.llm.request import Request, token_limit
from bot.llm.stop_signal import StopSignal
from bot.llm.streaming import AnswerStream
from bot.llm.usage import Usage
from bot.server.chat_models import ChatModel, ChatModels, Route
from bot.server.ledger import Ledger
from bot.server.moderation import Moderation
from bot.server.prompts import Prompts, new_id

# Calls of one person at a time, where no setting says otherwise.
CALLS_PER_PERSON = 3
# `Answer.finish` of a request that was not sent, because no model is connected. It is stored with the prompt.
DRY_RUN = "unasked"
# Calls that are estimated before other tasks may run.
ESTIMATED_AT_ONCE = 20


@dataclass(slots=True, eq=False)
class _QueuedCall:
    """A call in a person's queue; `changed` is set when its position changes or it is admitted."""

    admitted: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class CallQueue:
    """Admits at most `max_calls` calls of each person at a time. Further calls of the person wait in order of arrival.

    The calls of different people do not wait for each other here.
    """

    def __init__(self, max_calls: int) -> None:
        self._max_calls = max_calls
        self._running: Counter[int] = Counter()
        self._waiting: dict[int, deque[_QueuedCall]] = {}

    @property
    def running(self) -> int:
        """The number of admitted calls."""
        return self._running.total()

    @property
    def waiting(self) -> int:
        """The number of calls that wait."""
        return sum(map(len, self._waiting.values()))

    async def enter(self, user_id: int, on_position: Callable[[int], None] | None = None) -> None:
        """Wait until the person may make a call. `leave` ends the call.

        `on_position` is called with the position in the person's queue, from 1, whenever it changes, and with 0 after
        a wait. An exception that it raises removes the call from the queue.
        """
        if self._running[user_id] < self._max_calls:
            self._running[user_id] += 1
            return
        queue, call = self._waiting.setdefault(user_id, deque()), _QueuedCall()
        queue.append(call)
        try:
            while not call.admitted:
                if on_position is not None:
                    on_position(queue.index(call) + 1)
                await call.changed.wait()
                call.changed.clear()
            if on_position is not None:
                on_position(0)
        except BaseException:
            if call.admitted:
                self.leave(user_id)
            else:
                queue.remove(call)
                self._notify(user_id)
            raise

    def leave(self, user_id: int) -> None:
        """End a call, and admit the next one in the person's queue."""
        queue = self._waiting.get(user_id)
        if queue:
            first = queue.popleft()
            first.admitted = True
            first.changed.set()
            self._notify(user_id)
        else:
            self._running[user_id] -= 1
            if not self._running[user_id]:
                del self._running[user_id]

    def _notify(self, user_id: int) -> None:
        for call in self._waiting[user_id]:
            call.changed.set()
        if not self._waiting[user_id]:
            del self._waiting[user_id]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What some calls to a model may take. `price` is in US dollars, None where it is not known."""

    model: str
    calls: int
    usage: Usage
    price: Decimal | None


class ModelGateway:
    """Asks models within all limits: the chat models, or those of one tuning provider.

    With a `moderation`, the request is checked before it is sent to the model, and the answer before it is shown, so
    answers are not streamed. `queue` limits the calls that a person makes at a time. Without `models` all requests go
    to `client`.
    """

    def __init__(
        self,
        client: ChatClient,
        ledger: Ledger,
        prompts: Prompts,
        moderation: Moderation | None = None,
        queue: CallQueue | None = None,
        metrics: Metrics | None = None,
        models: ChatModels | None = None,
    ) -> None:
        self._models = models
        self._client, self._ledger, self._prompts, self.moderation = client, ledger, prompts, moderation
        # By model: the name that its server gave in its newest answer, and since when, in seconds since 1970.
        self.versions: dict[str, tuple[str, float]] = {}
        self._queue, self._metrics = queue or CallQueue(CALLS_PER_PERSON), metrics or Metrics()

    def with_client(self, client: ChatClient) -> "ModelGateway":
        """A gateway to another server that shares limits, moderation and queue with this one."""
        return ModelGateway(client, self._ledger, self._prompts, self.moderation, self._queue, self._metrics)

    @property
    def model(self) -> str:
        """The chat model in use."""
        return self._client.model

    def use_model(self, name: str) -> None:
        """Ask the model called `name` from the next request on."""
        self._client.model = name

    def version(self, model: str) -> str:
        """The version that the server of `model` gave in its newest answer; empty where it gave none but the name."""
        version = self.versions.get(model, ("",))[0]
        return "" if version == model else version

    async def warm(self) -> None:
        """Create the `openai` client and find the model's price, so that the first request does not wait for them."""
        await self._client.warm()
        await self._ledger.prices.load([self.model])

    @property
    def host(self) -> str:
        """The host that prompts are sent to."""
        return self._client.host

    def refuse_blocked(self, caller: Caller) -> None:
        """Raises `NotAllowedError` where a server's managers do not let `caller` ask a model. `ask` raises it, too."""
        self._ledger.refuse_blocked(caller)

    async def ask(
        self,
        caller: Caller,
        request: Request,
        show: Callable[[str], None] | None = None,
        on_position: Callable[[int], None] | None = None,
        *,
        cache: bool = True,
        background: bool = False,
        stop: StopSignal | None = None,
        on_stream: Callable[[AnswerStream], None] | None = None,
    ) -> Answer:
        """Answer `request`, and count its tokens against the limits of `caller`.

        `show` is called with the text so far while it arrives, `on_position` with the position in the caller's queue
        (see `CallQueue.enter`), `on_stream` with each stream of the answer before it is opened.
        `background` calls do not wait for the caller's other calls. The answer is cached for its Prompt button, unless
        `cache` is False. `stop` ends the call with the text so far, or with `AnswerStoppedError`. Cancelling the task
        stops the call, too. The ledger settles a call that ended early at the tokens that it used.

        Raises `LimitError`, `BlockedError` or `ModelError`, each with a sentence for the person; `NoModelError` carries
        the request, `ReplyError` the answer. Raises `NotFoundError` for a picture that is no longer in memory, and
        `NotAllowedError` for a person whom the server blocks.
        """
        self.refuse_blocked(caller)
        check_held(request.pictures)
        stop = stop or StopSignal()
        queues = not background and caller.user_id != SERVER
        began, spent, route = time(), Spent(), self._route(caller, request)
        try:
            async with stop.scope():
                if queues:
                    await self._queue.enter(caller.user_id, on_position)
                began = time()
                try:
                    if self.moderation is not None:
                        show = None
                        await self.moderation.check(route.request.written, caller, pictures=route.request.pictures)
                    model, client = route.model, route.model.client
                    request = limited(client, route.request)
                    call = await self._ledger.reserve(caller, request.name, model.name, *_estimate(model, request))
                    try:
                        with self._metrics.call(model.name):
                            answer = await ask(client, request, show, spent, stop, on_stream)
                    finally:
                        self._ledger.settle(call, spent.model, spent.usage)
                    await self._check(answer, caller)
                finally:
                    if queues:
                        self._queue.leave(caller.user_id)
        except (ReplyError, AnswerStoppedError) as error:
            if isinstance(error.answer, Answer):
                await self._check(error.answer, caller)
                error.answer = self._record(error.answer, caller, route, began, cache=cache)
            raise
        return self._record(answer, caller, route, began, cache=cache)

    async def estimate(self, caller: Caller, calls: Iterable[tuple[Request, int]]) -> Estimate:
        """Estimate `calls`, at least one: requests, and the characters that their answers may have. Asks nothing.

        Raises `LimitError` where they do not fit into the limits of `caller`.
        """
        count, usage, model = 0, Usage(estimated=True), self.model
        shown = model
        for count, (request, characters) in enumerate(calls, 1):
            route = self._route(caller, request)
            model, shown, tokens = route.model.name, route.model.shown, route.model.client.tokens
            prompt = tokens.estimate(model, route.request.messages)
            usage += Usage(prompt, 0, tokens.estimate_characters(model, characters), estimated=True)
            if count % ESTIMATED_AT_ONCE == 0:
                await asyncio.sleep(0)
        return Estimate(shown, count, usage, await self._ledger.check(caller, model, usage))

    async def _check(self, answer: Answer, caller: Caller) -> None:
        """Raise `BlockedError` if the moderation model objects to the answer."""
        if self.moderation is not None:
            await self.moderation.check(answer.text, caller, is_answer=True)

    def _record(self, answer: Answer, caller: Caller, route: Route, began: float, *, cache: bool) -> Answer:
        """`answer` with its model, its price, its id, its caller and when it was asked."""
        if answer.model != self.versions.get(route.model.name, ("",))[0]:
            self.versions[route.model.name] = answer.model, began
        label, price = route.model.label, self._ledger.prices.cost(route.model.name, answer.usage)
        answer = replace(
            answer, label=label, replaced=route.replaced, price=price, id=new_id(), caller=caller, at=began
        )
        if cache:
            self._prompts.cache(answer)
        return answer

    def _route(self, caller: Caller, request: Request) -> Route:
        if self._models is not None:
            return self._models.route(caller, request)
        return Route(ChatModel(request.parameters.get("model", self._client.model), "", self._client), request)


def _estimate(model: ChatModel, request: Request) -> tuple[int, int]:
    """Tokens to reserve: the estimate of the prompt, and the limit of the answer."""
    limit = token_limit({**request.optional, **request.parameters}) or 0
    return model.client.tokens.estimate(model.name, request.messages), limit


def dry_run(caller: Caller, request: Request) -> Answer:
    """The record of a request that would have been sent if a model were connected."""
    return Answer(
        text="",
        reply="",
        model=STAND_IN,
        request=request,
        parameters=request.parameters,
        finish=DRY_RUN,
        id=new_id(),
        caller=caller,
        at=time(),
    )
