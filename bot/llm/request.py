"""What is sent to a model: messages, parameters, and which parameters a model does not support."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from bot.core.i18n import N_

if TYPE_CHECKING:
    from openai import BadRequestError

    from bot.llm.template import ChatTemplate

Message = dict[str, str]

# By the number of examples that a prompt shows: none, one, more.
TECHNIQUES = (N_("zero-shot"), N_("one-shot"), N_("few-shot"))
# An unsupported limit on tokens is sent under its other name: newer models support only the second.
RENAMED = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
# `gpt-6-luna` supports a temperature only at effort "none" (2026-11-22).
DEFAULTS: Mapping[str, Mapping[str, Any]] = {"gpt-6-luna": {"reasoning_effort": "none"}}
NEVER_DROPPED = frozenset({"model", "messages", "stream"})


def technique(examples: int) -> str:
    """The English name of the technique that shows a model this many examples (0 or more)."""
    return TECHNIQUES[min(examples, 2)]


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


class UnsupportedParams:
    """The parameters that each model has refused in this process.

    Models of one provider support different parameters, and the differences change faster than a table could. A
    parameter is sent until a model answers 400 and names it.
    """

    def __init__(self) -> None:
        self._refused: dict[str, set[str]] = {}

    def body(self, request: Request, model: str, extra: Mapping[str, Any]) -> dict[str, Any]:
        """The body of a call: the request's parameters and `extra`, less what the model does not support."""
        model = request.parameters.get("model", model)
        refused = self._refused.get(model, set())
        wanted = {**DEFAULTS.get(model, {}), **request.parameters, **extra}
        for old, new in RENAMED.items():
            if old in wanted and old in refused and new not in refused:
                wanted[new] = wanted.pop(old)
        kept = {name: value for name, value in wanted.items() if name not in refused}
        return {**kept, "model": model, "messages": list(request.messages)}

    def local_stop(self, request: Request, body: Mapping[str, Any]) -> tuple[str, ...]:
        """The stop sequences that are not in `body`, so that the client must apply them."""
        stop = request.parameters.get("stop")
        if stop is None or "stop" in body:
            return ()
        return (stop,) if isinstance(stop, str) else tuple(stop)

    def learned(self, error: "BadRequestError", body: Mapping[str, Any]) -> bool:
        """Whether `error` names a parameter of `body`. It is then remembered, and the call can be made again."""
        named = (error.param or "").partition(".")[0]
        if named not in body or named in NEVER_DROPPED:
            return False
        self._refused.setdefault(body["model"], set()).add(named)
        return True
