"""Notes which interaction a task handles: its log lines carry the id, and the metrics count how it ended."""

import asyncio
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import aiohttp
import discord

from bot.core.logs import HANDLING, Handling
from bot.core.metrics import Metrics

# Ends the path of the first response to an interaction.
CALLBACK = "/callback"


def begin(interaction: discord.Interaction[Any], metrics: Metrics, action: str = "") -> None:
    """The current task handles `interaction` from now on. `action` is the name of a button, select or modal."""
    client = interaction.client
    shard = (interaction.guild_id or 0) >> 22
    handling = Handling(interaction.id, shard % (client.shard_count or 1), perf_counter())
    HANDLING.set(handling)
    task = asyncio.current_task()
    if metrics.enabled and task is not None:
        task.add_done_callback(lambda done: _count(done, metrics, interaction, handling, action))


def _count(
    task: "asyncio.Task[Any]",
    metrics: Metrics,
    interaction: discord.Interaction[Any],
    handling: Handling,
    action: str,
) -> None:
    command = interaction.command  # discord.py looked it up to call it.
    name = action or (command.qualified_name if command is not None else "")
    result = "cancelled" if task.cancelled() else handling.result
    metrics.interaction(interaction.type.name, name, result, perf_counter() - handling.began)


def set_result(result: str) -> None:
    """Note how the interaction of the current task ended: `refused` with a sentence, or `failed` unexpectedly."""
    if (handling := HANDLING.get()) is not None:
        handling.result = result


def request_trace(metrics: Metrics) -> aiohttp.TraceConfig | None:
    """What counts the requests to Discord and times the acknowledgements; None where nothing is counted."""
    if not metrics.enabled:
        return None

    async def end(
        _session: aiohttp.ClientSession, _context: SimpleNamespace, sent: aiohttp.TraceRequestEndParams
    ) -> None:
        metrics.discord_request(sent.method, str(sent.response.status))
        handling = HANDLING.get()
        if handling is not None and not handling.acknowledged and sent.url.path.endswith(CALLBACK):
            handling.acknowledged = True
            metrics.acknowledged(perf_counter() - handling.began)

    async def fail(
        _session: aiohttp.ClientSession, _context: SimpleNamespace, sent: aiohttp.TraceRequestExceptionParams
    ) -> None:
        metrics.discord_request(sent.method, "error")

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(end)
    trace.on_request_exception.append(fail)
    return trace
