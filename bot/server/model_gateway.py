"""The desk: the one way in which a command asks a model, from the reservation to the kept prompt."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from time import time

from bot.core.caller import Caller
from bot.llm.client import ChatClient
from bot.llm.completion import Answer, Spent, ask
from bot.llm.prices import cost
from bot.llm.request import Request
from bot.llm.template import ChatTemplate
from bot.server.ledger import Ledger
from bot.server.moderation import Moderation
from bot.server.prompts import Prompt, Prompts, new_id, prompt_of

# Tokens set aside for an answer whose template sets no limit of its own.
ANSWER_TOKENS = 1_000


@dataclass(frozen=True, slots=True)
class Served:
    """An answer and the prompt behind it."""

    answer: Answer
    prompt: Prompt


class ModelGateway:
    """Serves askers: reserves, asks, settles. One for the process.

    With a `moderation`, what people wrote passes it before a model sees it, and what the model wrote before it is
    an answer; it raises `BlockedError`.
    """

    def __init__(
        self, client: ChatClient, ledger: Ledger, prompts: Prompts, moderation: Moderation | None = None
    ) -> None:
        self._client, self._ledger, self._prompts, self.moderation = client, ledger, prompts, moderation
        # Models that were tuned for a template, by the template's name; who promotes one enters it here.
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

    async def serve(
        self,
        caller: Caller,
        template: ChatTemplate,
        values: Mapping[str, str],
        show: Callable[[str], None] | None = None,
        *,
        hold: bool = True,
    ) -> Served:
        """Fill `template`, ask, and settle what it took; `show` gets the text as it comes.

        The prompt is held in memory, unless `hold` says that nobody will ask for it. Raises `TemplateError`,
        `LimitError` or `ModelError`, each with a sentence for the asker. Cancelling stops the call.
        """
        request, began = template.fill(values), time()
        answer = await self._asked(caller, template, request, "\n\n".join(values.values()), show)
        prompt = replace(prompt_of(answer, caller, new_id(), template, values), at=began)
        if hold:
            self._prompts.hold(prompt)
        return Served(answer, prompt)

    async def put(
        self, caller: Caller, request: Request, show: Callable[[str], None] | None = None, *, hold: bool = True
    ) -> Served:
        """Ask a `request` that was put together elsewhere, for a text; otherwise as `serve`."""
        bare, began = ChatTemplate(request.template, request.messages), time()
        answer = await self._asked(caller, bare, request, request.messages[-1]["content"], show)
        prompt = replace(prompt_of(answer, caller, new_id()), at=began)
        if hold:
            self._prompts.hold(prompt)
        return Served(answer, prompt)

    async def _asked(
        self, caller: Caller, template: ChatTemplate, request: Request, written: str, show: Callable[[str], None] | None
    ) -> Answer:
        """The answer, paid for; `written` is what people wrote of the request."""
        if self.moderation is None:
            return await self._paid(caller, template, request, show)
        await self.moderation.check(written, caller)
        answer = await self._paid(caller, template, request, show)
        await self.moderation.check(answer.text, caller, said=True)
        return answer

    async def _paid(
        self, caller: Caller, template: ChatTemplate, request: Request, show: Callable[[str], None] | None
    ) -> Answer:
        model = request.parameters.get("model", self._client.model)
        call = await self._ledger.reserve(caller, request.template, model, self._estimate(model, request))
        spent = Spent()
        try:
            return await ask(self._client, template, request, show, spent)
        finally:
            self._ledger.settle(call, spent.model, spent.usage, cost(spent.model or model, spent.usage))

    def _estimate(self, model: str, request: Request) -> int:
        """What to reserve: the prompt's estimate and the longest answer it allows."""
        limits = (request.parameters.get("max_completion_tokens"), request.parameters.get("max_tokens"))
        longest = next((int(limit) for limit in limits if limit is not None), ANSWER_TOKENS)
        return self._client.tokens.estimate(model, request.messages) + longest
