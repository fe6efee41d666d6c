"""What is sent to a model: messages and parameters, and which template they came from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bot.llm.schema import technique

Message = dict[str, str]


@dataclass(frozen=True, slots=True)
class Request:
    """A filled template, ready to be sent. `examples` counts the example pairs among the messages."""

    messages: tuple[Message, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    template: str = ""
    examples: int = 0

    @property
    def technique(self) -> str:
        """zero-shot, one-shot or few-shot."""
        return technique(self.examples)

    def followed_by(self, *messages: Message) -> "Request":
        """The same request with `messages` at its end."""
        return replace(self, messages=(*self.messages, *messages))
