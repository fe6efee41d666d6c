"""A request's messages by role."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from bot.engine.chat import Message


@dataclass(frozen=True, slots=True)
class Prompt:
    """The contents of the messages of each role, in order. `user` is empty if the last message is not the user's."""

    system: tuple[str, ...]
    user: tuple[str, ...]
    assistant: tuple[str, ...]

    @classmethod
    def from_messages(cls, messages: Sequence[Message]) -> Self:
        """The prompt in these messages; developer messages count as system messages."""
        by_role: dict[str, list[str]] = {"system": [], "user": [], "assistant": []}
        for message in messages:
            role = "system" if message.role == "developer" else message.role
            by_role[role].append(message.content)
        user = tuple(by_role["user"]) if messages[-1].role == "user" else ()
        return cls(tuple(by_role["system"]), user, tuple(by_role["assistant"]))
