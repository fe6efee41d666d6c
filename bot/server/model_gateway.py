"""The one way in which the bot asks a model: check, reserve, ask, settle."""

from collections.abc import Callable
from dataclasses import replace
from time import time

from bot.core.caller import Caller
from bot.core.settings import STAND_IN
from bot.llm.client import ChatClient
from bot.llm.completion import Answer, Spent, ask
from bot.llm.request import Request
from bot.llm.usage import cost
from bot.server.ledger import Ledger
from bot.server.moderation import Moderation
from bot.server.prompts import Prompts, new_id

# Tokens reserved for an answer whose template sets no limit of its own.
ANSWER_TOKENS = 1_000
# How the record of a request ends that was not sent, because no model is connected.
UNASKED = "unasked"


class ModelGateway:
    """Asks one server of models within all limits. One for each server that is asked.

    With a `moderation`, the request is checked before the model gets it, and the answer before anyone sees it:
    nothing is streamed then. It raises `BlockedError`.
    """

    def __init__(
        self, client: ChatClient, ledger: Ledger, prompts: Prompts, moderation: Moderation | None = None
    ) -> None:
        self._client, self._ledger, self._prompts, self.moderation = client, ledger, prompts, moderation
        # Models that were tuned for a template, by the template's name; promotion fills it.
        self.tuned: dict[str, str] = {}

    @property
    def model(self) -> str:
        """The chat model in use."""
        return self._client.model

    async def warm(self) -> None:
        """Make the model's client ready, so that the first person need not wait for it."""
        await self._client.warm()

    @property
    def host(self) -> str:
        """The host that prompts are sent to."""
        return self._client.host

    async def ask(
        self, caller: Caller, request: Request, show: Callable[[str], None] | None = None, *, cache: bool = True
    ) -> Answer:
        """Answer `request` at the expense of `caller`; `show` gets the text so far as it comes.

        The answer is kept in memory for its Prompt button, unless `cache` is False. Raises `LimitError`,
        `BlockedError` or `ModelError`, each with a sentence for the person; `NoModelError` carries the request.
        Cancelling stops the call, which is settled at what it used.
        """
        began = time()
        if self.moderation is None:
            answer = await self._paid(caller, request, show)
        else:
            await self.moderation.check(request.written, caller)
            answer = await self._paid(caller, request, None)
            await self.moderation.check(answer.text, caller, said=True)
        answer = replace(answer, id=new_id(), caller=caller, at=began)
        if cache:
            self._prompts.cache(answer)
        return answer

    async def _paid(self, caller: Caller, request: Request, show: Callable[[str], None] | None) -> Answer:
        model = request.parameters.get("model", self._client.model)
        call = await self._ledger.reserve(caller, request.name, model, self._estimate(model, request))
        spent = Spent()
        try:
            return await ask(self._client, request, show, spent)
        finally:
            self._ledger.settle(call, spent.model, spent.usage, cost(spent.model or model, spent.usage))

    def _estimate(self, model: str, request: Request) -> int:
        """Tokens to reserve: the prompt's estimate and the longest answer that the request allows."""
        limits = (request.parameters.get("max_completion_tokens"), request.parameters.get("max_tokens"))
        longest = next((int(limit) for limit in limits if limit is not None), ANSWER_TOKENS)
        return self._client.tokens.estimate(model, request.messages) + longest


def dry_run(caller: Caller, request: Request) -> Answer:
    """The record of a request that would have been sent if a model were connected."""
    return Answer(
        text="",
        reply="",
        model=STAND_IN,
        request=request,
        parameters=request.parameters,
        finish=UNASKED,
        id=new_id(),
        caller=caller,
        at=time(),
    )
