"""The desk: the one way in which a command asks a model, from the reservation to the kept prompt."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.llm.asking import Answer, Spent, ask
from bot.llm.client import ChatClient
from bot.llm.prices import cost
from bot.llm.template import ChatTemplate, Request
from bot.server.ledger import Asker, Ledger
from bot.server.prompts import Prompt, Prompts, new_id, prompt_of

# Tokens set aside for an answer whose template sets no limit of its own.
ANSWER_TOKENS = 1_000


@dataclass(frozen=True, slots=True)
class Served:
    """An answer and the prompt behind it."""

    answer: Answer
    prompt: Prompt


class Desk:
    """Serves askers: reserves, asks, settles. One for the process."""

    def __init__(self, client: ChatClient, ledger: Ledger, prompts: Prompts) -> None:
        self._client, self._ledger, self._prompts = client, ledger, prompts
        # Models that were tuned for a template, by the template's name; who promotes one enters it here.
        self.tuned: dict[str, str] = {}

    @property
    def model(self) -> str:
        """The chat model in use."""
        return self._client.model

    @property
    def host(self) -> str:
        """The host that prompts are sent to."""
        return self._client.host

    async def serve(
        self,
        asker: Asker,
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
        request = template.fill(values)
        answer = await self._asked(asker, template, request, show)
        prompt = prompt_of(answer, asker, new_id(), template, values)
        if hold:
            self._prompts.hold(prompt)
        return Served(answer, prompt)

    async def put(
        self, asker: Asker, request: Request, show: Callable[[str], None] | None = None, *, hold: bool = True
    ) -> Served:
        """Ask a `request` that was put together elsewhere, for a text; otherwise as `serve`."""
        answer = await self._asked(asker, ChatTemplate(request.template, request.messages), request, show)
        prompt = prompt_of(answer, asker, new_id())
        if hold:
            self._prompts.hold(prompt)
        return Served(answer, prompt)

    async def _asked(
        self, asker: Asker, template: ChatTemplate, request: Request, show: Callable[[str], None] | None
    ) -> Answer:
        model = request.parameters.get("model", self._client.model)
        call = await self._ledger.reserve(asker, request.template, model, self._estimate(model, request))
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
