"""The stand-in as a model of the engine: the first skill that recognises the request answers it."""

import re
from collections.abc import AsyncIterator, Callable
from typing import Any

from bot.engine.chat import ChatRequest, Delta
from bot.engine.errors import no_model_connected
from bot.engine.rule_based import adventure, facts
from bot.engine.rule_based.prompt import Prompt

# Each returns its answer, or None for a request that it does not recognise.
SKILLS: tuple[Callable[[Prompt], str | None], ...] = (adventure.reply, adventure.summary, facts.reply)

_TOKEN = re.compile(r"\S+\s*|\s+")


class StandIn:
    """Rules in the place of a model. A request that no rule covers is answered 422 `no_model_connected`."""

    id = "stand-in"
    created = 0
    owned_by = "fewshot"

    def accepts(self, parameter: str) -> bool:
        """Nothing beyond the engine's own parameters."""
        return False

    def usage(self, request: ChatRequest, tokens: int) -> dict[str, Any]:
        """Words count as tokens."""
        prompt = sum(len(_TOKEN.findall(message.content)) for message in request.messages)
        return {"prompt_tokens": prompt, "completion_tokens": tokens, "total_tokens": prompt + tokens}

    async def generate(self, request: ChatRequest) -> AsyncIterator[Delta]:
        """The answer word by word. Raises the `APIError` `no_model_connected`."""
        text = self.reply(Prompt.from_messages(request.messages))
        if text is None:
            raise no_model_connected()
        for word in _TOKEN.findall(text):
            yield Delta(word)

    @staticmethod
    def reply(prompt: Prompt) -> str | None:
        """The whole answer, or None if no rule covers the prompt."""
        return next((text for text in (skill(prompt) for skill in SKILLS) if text is not None), None)
