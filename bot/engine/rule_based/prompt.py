"""A request's messages, sorted by who speaks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from bot.engine.requests import Message


@dataclass(frozen=True, slots=True)
class Prompt:
    """`system` holds the instructions, `said` the user's messages in order, `shown` the assistant's.

    `said` is empty when the last message is not the user's: then nothing is asked.
    """

    system: tuple[str, ...]
    said: tuple[str, ...]
    shown: tuple[str, ...]

    @classmethod
    def of(cls, messages: Sequence[Message]) -> Self:
        """The prompt in these messages."""
        by_role: dict[str, list[str]] = {"system": [], "user": [], "assistant": []}
        for message in messages:
            role = "system" if message.role == "developer" else message.role
            by_role[role].append(message.content)
        asked = messages[-1].role == "user"
        said = tuple(by_role["user"]) if asked else ()
        return cls(tuple(by_role["system"]), said, tuple(by_role["assistant"]))
