"""Who asks models, and who pays: the bot's ledger as far as tuning knows it."""

from collections.abc import Mapping
from typing import Protocol

from bot.llm.client import ChatClient
from bot.llm.completion import Answer
from bot.llm.template import ChatTemplate
from bot.storage.calls import Bill


class Purse(Protocol):
    """Asks at the expense of a person of that id, within all limits."""

    @property
    def chat_model(self) -> str:
        """The chat model in use."""

    async def ask(
        self, user_id: int, template: ChatTemplate, values: Mapping[str, str], chat: ChatClient | None = None
    ) -> Answer:
        """Fill, ask, settle; with the chat model unless another client is given.

        Raises `TemplateError`, `LimitError` or `ModelError`.
        """

    def paid(self, bill: Bill) -> None:
        """Count the price of a job, which is kept already, among the month's dollars."""
