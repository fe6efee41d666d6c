"""What is sent to a model: messages and parameters, and the template that they were made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from bot.llm.schema import technique

if TYPE_CHECKING:
    from bot.llm.template import ChatTemplate

Message = dict[str, str]


@dataclass(frozen=True, slots=True)
class Request:
    """Messages and parameters, ready to be sent.

    `name` says what the call is for: the template's name, or another word for requests without a template.
    `examples` counts the example pairs among the messages. `template` and the `values` that filled it are kept, so
    that the same input can be run again with other examples.
    """

    messages: tuple[Message, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    examples: int = 0
    template: "ChatTemplate | None" = None
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def technique(self) -> str:
        """zero-shot, one-shot or few-shot."""
        return technique(self.examples)

    @property
    def written(self) -> str:
        """The part of the request that people wrote: the values, or the last message where there is no template."""
        return "\n\n".join(self.values.values()) if self.template else self.messages[-1]["content"]

    def followed_by(self, *messages: Message) -> "Request":
        """The request with `messages` at its end."""
        return replace(self, messages=(*self.messages, *messages))
