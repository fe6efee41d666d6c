"""The stand-in as a model of the engine: the first skill that recognises the request answers it."""

import re
from collections.abc import AsyncIterator, Callable

from bot.engine.chat import ChatModel, ChatRequest, Delta
from bot.engine.errors import APIError
from bot.engine.rule_based import adventure, facts
from bot.engine.rule_based.prompt import Prompt

# Each returns its answer, or None for a request that it does not recognise.
SKILLS: tuple[Callable[[Prompt], str | None], ...] = (adventure.reply, adventure.summary, facts.reply)

_TOKEN = re.compile(r"\S+\s*|\s+")


class StandIn(ChatModel):
    """Rules in the place of a model. A request that no rule covers is answered 422 `no_model_connected`."""

    id = "stand-in"

    def count_prompt_tokens(self, request: ChatRequest) -> int:
        """Words count as tokens."""
        return sum(len(_TOKEN.findall(message.content)) for message in request.messages)

    async def generate(self, request: ChatRequest) -> AsyncIterator[Delta]:
        """The answer word by word."""
        text = self.reply(Prompt.from_messages(request.messages))
        if text is None:
            # Not 501, which clients would retry.
            raise APIError(
                "No model is connected, and the stand-in has no rule for this request.",
                status=422,
                code="no_model_connected",
                param="model",
            )
        for word in _TOKEN.findall(text):
            yield Delta(word)

    @staticmethod
    def reply(prompt: Prompt) -> str | None:
        """The whole answer, or None if no rule covers the prompt."""
        return next((text for text in (skill(prompt) for skill in SKILLS) if text is not None), None)
