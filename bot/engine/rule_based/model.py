"""The stand-in as a model of the engine: the first skill that knows the request answers it."""

import re
from collections.abc import AsyncIterator, Callable
from typing import Any

from bot.engine.errors import no_model_connected
from bot.engine.models import Piece
from bot.engine.requests import ChatRequest
from bot.engine.rule_based import adventure, facts
from bot.engine.rule_based.prompt import Prompt

# Each gives its answer, or None for a request that is not its own.
SKILLS: tuple[Callable[[Prompt], str | None], ...] = (adventure.reply, adventure.memory, facts.reply)

_WORD = re.compile(r"\S+\s*|\s+")


class StandIn:
    """Rules, no model. What no rule covers is answered 422 with the code `no_model_connected`."""

    id = "stand-in"
    created = 0
    owned_by = "fewshot"

    def accepts(self, parameter: str) -> bool:
        """Nothing beyond the engine's own parameters."""
        return False

    def usage(self, request: ChatRequest, tokens: int) -> dict[str, Any]:
        """Words count as tokens."""
        prompt = sum(len(_WORD.findall(message.content)) for message in request.messages)
        return {"prompt_tokens": prompt, "completion_tokens": tokens, "total_tokens": prompt + tokens}

    async def answer(self, request: ChatRequest) -> AsyncIterator[Piece]:
        """The answer word by word, or the `WireError` of `no_model_connected`."""
        text = self.reply(Prompt.of(request.messages))
        if text is None:
            raise no_model_connected()
        for word in _WORD.findall(text):
            yield Piece(word)

    @staticmethod
    def reply(prompt: Prompt) -> str | None:
        """The whole answer, or None where no rule covers the prompt."""
        return next((text for text in (skill(prompt) for skill in SKILLS) if text is not None), None)
