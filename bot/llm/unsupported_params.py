"""Parameters that a model refuses: dropped, remembered for that model, and made up for where that is possible.

Models of one provider differ in what they take, and the differences change faster than a table could. So a
parameter is sent until a model answers 400 and names it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bot.llm.request import Request

if TYPE_CHECKING:
    from openai import BadRequestError

# A refused limit on tokens is sent under the other of its two names: the older is refused by newer models.
RENAMED = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
# `gpt-6-luna` takes a temperature only at effort "none" (2026-11-22).
DEFAULTS: Mapping[str, Mapping[str, Any]] = {"gpt-6-luna": {"reasoning_effort": "none"}}
NEVER_DROPPED = frozenset({"model", "messages", "stream"})


class UnsupportedParams:
    """What each model has refused in this process."""

    def __init__(self) -> None:
        self._refused: dict[str, set[str]] = {}

    def body(self, request: Request, model: str, extra: Mapping[str, Any]) -> dict[str, Any]:
        """The body of a call: the request's parameters and `extra`, less what the model refuses."""
        model = request.parameters.get("model", model)
        refused = self._refused.get(model, set())
        wanted = {**DEFAULTS.get(model, {}), **request.parameters, **extra}
        for old, new in RENAMED.items():
            if old in wanted and old in refused and new not in refused:
                wanted[new] = wanted.pop(old)
        kept = {name: value for name, value in wanted.items() if name not in refused}
        return {**kept, "model": model, "messages": list(request.messages)}

    def local_stop(self, request: Request, body: Mapping[str, Any]) -> tuple[str, ...]:
        """The stop strings that were not sent, and so must be applied here."""
        stop = request.parameters.get("stop")
        if stop is None or "stop" in body:
            return ()
        return (stop,) if isinstance(stop, str) else tuple(stop)

    def learned(self, error: "BadRequestError", body: Mapping[str, Any]) -> bool:
        """Whether `error` names a parameter of `body`; if so it is remembered, and asking again makes sense."""
        named = (error.param or "").partition(".")[0]
        if named not in body or named in NEVER_DROPPED:
            return False
        self._refused.setdefault(body["model"], set()).add(named)
        return True
