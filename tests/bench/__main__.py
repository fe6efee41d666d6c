"""`make bench`: Fewshot against a bare bot, in one run.

Each bot is a process with its own loopback Discord. Both get the same load and ask the same local model server. They
take turns, so that a change of the machine's speed affects both. Figures are medians over the turns; CPU time is that
of the bot's process without children (there are none here).
"""

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import psutil

from tests.bench.model_process import ModelProcess
from tests.wire.driver import Wire
from tests.wire.process import Process


@dataclass(frozen=True, slots=True)
class Load:
    """`turns` of `commands`, of which `at_once` run at a time. The model waits `delay` seconds before each piece."""

    name: str
    at_once: int
    commands: int
    turns: int
    delay: float = 0.0


LOADS = (
    Load("1 at once", 1, 40, 9),
    Load("50 at once", 50, 50, 16),
    Load("200 at once", 200, 200, 5),
    Load("answer of 0.8 s, 1 at once", 1, 3, 6, delay=0.02),
    Load("answer of 0.8 s, 10 at once", 10, 10, 9, delay=0.02),
)
MEMORY_COMMANDS, STARTS = 1_000, 7
READY_SECONDS = 120.0
NO_LIMIT = "1000000000"
BARE, OURS = "tests.bench.bare_bot:main", "bot.__main__:main"


@dataclass
class Figures:
    """One bot under one load.

    `cpu`: ms per command, one per turn; `first`, `words`, `last`: seconds to the first response, to the first text,
    and from the model's last byte to the final text, one per command; `requests`: to Discord per command.
    """

    cpu: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    words: list[float] = field(default_factory=list)
    last: list[float] = field(default_factory=list)
    calls: float = 0.0
    requests: float = 0.0


@dataclass
class MeasuredBot:
    """A bot under load; memory in MiB."""

    name: str
    wire: Wire
    process: psutil.Process
    rest: float
    loads: dict[Load, Figures] = field(default_factory=dict)
    later: float = 0.0


async def start_ups(wires: dict[str, Wire], model: ModelProcess) -> dict[str, float]:
    """Median seconds until each bot is connected and its commands are registered.

    The first start, which creates the database, is not counted.
    """
    times: dict[str, list[float]] = {entry: [] for entry in wires}
    for _ in range(STARTS + 1):
        for entry, wire in wires.items():
            began = time.monotonic()
            async with started(entry, wire, model):
                times[entry].append(time.monotonic() - began)
    return {entry: statistics.median(found[1:]) for entry, found in times.items()}


def started(entry: str, wire: Wire, model: ModelProcess, **more: str) -> AbstractAsyncContextManager[Process]:
    """A bot's process, ready; `more` are further settings."""
    env = {"OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": model.token, "CHAT_MODEL": "fake-model"}
    env |= {"DATA_DIR": str(wire.folder / "data")}
    env |= {"DAILY_TOKENS_PER_USER": NO_LIMIT, "DAILY_TOKENS_PER_GUILD": NO_LIMIT, "DAILY_TOKENS": NO_LIMIT}
    env |= {"CALLS_PER_PERSON": "1000"}  # one person types all commands here
    return wire.bot(*(["run"] if entry == OURS else []), entry=entry, env=env | more, fresh=True)


@asynccontextmanager
async def measured_bot(
    name: str, entry: str, wire: Wire, model: ModelProcess, **more: str
) -> AsyncIterator[MeasuredBot]:
    """Start a bot and let it answer 20 commands first."""
    async with started(entry, wire, model, **more) as process:
        if entry == OURS:  # With thousands of servers, it is connected long before it knows all of them.
            await process.wrote("Invite: ", timeout=READY_SECONDS)
        seen = psutil.Process(process.pid)
        # An answer of Fewshot is final with its buttons, one of the bare bot with its text.
        wire.finished = (
            (lambda message: "Prompt" in message.buttons) if entry == OURS else (lambda message: bool(message.content))
        )
        await _commands(wire, 20)
        await asyncio.sleep(1.0)
        yield MeasuredBot(name, wire, seen, seen.memory_info().rss / 2**20)


async def _commands(wire: Wire, count: int) -> list[dict[str, Any]]:
    """Run `count` commands at once until their final texts; returns their timelines."""
    before = await wire.timelines()
    after = max((int(line["id"]) for line in before), default=0)
    exchanges = await wire.burst("translate", count, text="Good morning, pilots. The race begins at noon.", to="Greek")
    await asyncio.gather(*(exchange.answer(timeout=120) for exchange in exchanges))
    wanted = {exchange.id for exchange in exchanges}
    return [line for line in await wire.timelines(after) if int(line["id"]) in wanted]


async def run_turn(bot: MeasuredBot, load: Load, model: ModelProcess) -> None:
    """One turn of load; adds its figures to the bot's."""
    figures = bot.loads.setdefault(load, Figures())
    await model.set_delay(load.delay)
    calls_before = len(await model.calls())
    spent = cpu_seconds(bot.process)
    lines: list[dict[str, Any]] = []
    for _ in range(load.commands // load.at_once):
        lines += await _commands(bot.wire, load.at_once)
    figures.cpu.append((cpu_seconds(bot.process) - spent) * 1_000 / len(lines))
    calls = (await model.calls())[calls_before:]
    figures.calls = len(calls) / len(lines)
    ends = sorted(call["last_byte"] for call in calls)
    finals = sorted(line["events"][-1]["at"] for line in lines)
    figures.requests = sum(len(line["events"]) for line in lines) / len(lines)
    figures.first += [line["events"][0]["at"] - line["dispatched"] for line in lines]
    figures.words += [line["events"][1]["at"] - line["dispatched"] for line in lines]
    # The k-th answer that the model finishes is matched with the k-th final text; all answers are equal.
    figures.last += [final - end for final, end in zip(finals, ends, strict=False)]


def cpu_seconds(process: psutil.Process) -> float:
    """Seconds of CPU time so far. On Linux from the process's CPU clock (id as in MAKE_PROCESS_CPUCLOCK of the kernel's
    `posix-timers.h`), because psutil's values have steps of 10 ms.
    """
    if sys.platform == "linux":
        return time.clock_gettime(~process.pid << 3 | 2)
    else:
        times = process.cpu_times()
        return float(times.user + times.system)


def percentile(values: list[float], share: float) -> float:
    """The value that `share` of `values` are below."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def report(bare: MeasuredBot, ours: MeasuredBot, starts: dict[str, float]) -> None:
    """The table: bare, ours, ratio."""
    print("\n| figure | bare bot | Fewshot | ratio |\n|---|---|---|---|")
    for load in LOADS:
        one, two = bare.loads[load], ours.loads[load]
        rows = {
            "CPU per command, ms": (statistics.median(one.cpu), statistics.median(two.cpu)),
            "first response p50, ms": (percentile(one.first, 0.5) * 1e3, percentile(two.first, 0.5) * 1e3),
            "first response p99, ms": (percentile(one.first, 0.99) * 1e3, percentile(two.first, 0.99) * 1e3),
            "model's last byte to final text p50, ms": (
                percentile(one.last, 0.5) * 1e3,
                percentile(two.last, 0.5) * 1e3,
            ),
            "model calls per command": (one.calls, two.calls),
        }
        if load.delay:
            rows["first words p50, ms"] = (percentile(one.words, 0.5) * 1e3, percentile(two.words, 0.5) * 1e3)
            rows["requests to Discord per command"] = one.requests, two.requests
        for name, (left, right) in rows.items():
            _row(f"{load.name}: {name}", left, right)
    _row("start-up to ready, s", starts[BARE], starts[OURS])
    _row("memory at rest, MiB", bare.rest, ours.rest)
    _row(f"memory after {MEMORY_COMMANDS:,} more commands, MiB", bare.later, ours.later)


def _row(name: str, left: float, right: float) -> None:
    print(f"| {name} | {left:.2f} | {right:.2f} | {right / left if left else float('nan'):.2f} |")


async def main() -> None:
    """Measure and print."""
    async with ModelProcess.start() as model, AsyncExitStack() as stack:
        wires = {
            entry: await stack.enter_async_context(Wire.start(alone=True, rate_limits=False)) for entry in (BARE, OURS)
        }
        starts = await start_ups(wires, model)
        bare = await stack.enter_async_context(measured_bot("bare", BARE, wires[BARE], model))
        ours = await stack.enter_async_context(measured_bot("ours", OURS, wires[OURS], model))
        bots = (bare, ours)
        for load in LOADS:
            for number in range(load.turns):
                for bot in bots if number % 2 else reversed(bots):
                    await run_turn(bot, load, model)
                print(f"{load.name}, turn {number + 1} of {load.turns}", file=sys.stderr)
        await model.set_delay(0)
        for bot in bots:
            for _ in range(MEMORY_COMMANDS // 100):
                await _commands(bot.wire, 100)
            await asyncio.sleep(1.0)
            bot.later = bot.process.memory_info().rss / 2**20
        report(bare, ours, starts)


if __name__ == "__main__":
    asyncio.run(main())
