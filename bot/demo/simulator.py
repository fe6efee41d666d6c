"""The simulated Discord: the one file that touches private parts of SimCord, which is pinned for that reason."""

import contextvars
from collections.abc import Callable
from typing import Any

import simcord
from aiohttp.helpers import _weakref_handle as tidy_idle_connections


class Env(simcord.Env):
    """An environment in which an action is over when its answer is whole."""

    def _schedule_timer(
        self,
        record: Any,
        callback: Callable[..., Any],
        args: tuple[Any, ...],
        schedule_context: contextvars.Context | None,
    ) -> None:
        """Let a connection that a command opened and left idle keep nobody waiting, for all of its five seconds."""
        if callback is not tidy_idle_connections:
            super()._schedule_timer(record, callback, args, schedule_context)
