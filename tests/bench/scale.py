"""`python -m tests.bench.scale`: what a larger bot costs. `--only` runs some of the parts.

`databases`  CPU time per command on PostgreSQL, on SQLite, and of the bare bot
`processes`  1, 2 and 4 processes with 4 shards on one loopback Discord: commands a second, and CPU time per command
`guilds`     start-up and memory of a process in 2,500 servers with 50 channels and 100 roles each
`limits`     4 processes with 200 commands each at once on one limit: how many it lets pass

The PostgreSQL server is the one of the tests, on this machine, without waiting for the disk. CPU time is that of the
bot's processes alone: that of the server, of Discord and of the model is not in it.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import psutil

from tests.bench.__main__ import (
    BARE,
    LOADS,
    NO_LIMIT,
    OURS,
    READY_SECONDS,
    Load,
    MeasuredBot,
    cpu_seconds,
    measured_bot,
    percentile,
    run_turn,
    started,
)
from tests.bench.model_process import ModelProcess
from tests.bot.harness import is_final
from tests.cluster import Cluster, open_cluster
from tests.postgresql import PostgresServer, postgres_server
from tests.wire.driver import Wire
from tests.wire.exchange import Exchange, Message

SHARDS = 4
# Commands at once on all shards together, and how often.
AT_ONCE, TURNS = 200, 5
LOAD = Load("50 at once", 50, 200, 1)
# The largest server list that one shard may have, and what each server has.
GUILDS, CHANNELS, ROLES = 2_500, 50, 100
STARTS = 3
# Tokens of a day in the part `limits`.
LIMIT = 112_000
UNLIMITED = dict.fromkeys(("DAILY_TOKENS_PER_USER", "DAILY_TOKENS_PER_GUILD", "DAILY_TOKENS"), NO_LIMIT)
FULL = "used up today's tokens"


async def databases(server: PostgresServer) -> None:
    """One process on each database, beside the bare bot."""
    async with ModelProcess.start() as model, AsyncExitStack() as stack:
        settings = {
            "bare bot": (BARE, {}),
            "SQLite": (OURS, {}),
            "PostgreSQL": (OURS, {"DATABASE_URL": await server.migrated()}),
        }
        bots = []
        for name, (entry, more) in settings.items():
            wire = await stack.enter_async_context(Wire.start(alone=True, rate_limits=False))
            bots.append(await stack.enter_async_context(measured_bot(name, entry, wire, model, **more)))
        for load in LOADS:
            for number in range(load.turns):
                for bot in bots if number % 2 else reversed(bots):
                    await run_turn(bot, load, model)
                _say(f"{load.name}, turn {number + 1} of {load.turns}")
        _report(bots)


def _report(bots: list[MeasuredBot]) -> None:
    print(f"\n| figure | {' | '.join(bot.name for bot in bots)} |\n|---|{'---|' * len(bots)}")
    for load in LOADS:
        figures = [bot.loads[load] for bot in bots]
        rows = {
            "CPU per command, ms": [statistics.median(one.cpu) for one in figures],
            "first response p50, ms": [percentile(one.first, 0.5) * 1e3 for one in figures],
            "model's last byte to final text p50, ms": [percentile(one.last, 0.5) * 1e3 for one in figures],
        }
        for name, values in rows.items():
            print(f"| {load.name}: {name} | {' | '.join(f'{value:.2f}' for value in values)} |")
    print(f"| memory at rest, MiB | {' | '.join(f'{bot.rest:.2f}' for bot in bots)} |")


async def processes(server: PostgresServer) -> None:
    """The same load on one, two and four processes."""
    print("\n| processes | commands a second | CPU per command, ms | first response p99, ms |\n|---|---|---|---|")
    for count in (1, 2, 4):
        with tempfile.TemporaryDirectory() as folder:
            cluster_of = open_cluster(
                server, Path(folder), slots=count, shards=SHARDS, concurrency=SHARDS, rate_limits=False
            )
            async with cluster_of as cluster:
                cluster.env = UNLIMITED
                await cluster.start(count)
                await cluster.settled(count)
                await _all_answered(cluster)
                spent, began = _spent(cluster), time.monotonic()
                for _ in range(TURNS):
                    await _all_answered(cluster)
                seconds, commands = time.monotonic() - began, AT_ONCE * TURNS
                cpu = (_spent(cluster) - spent) * 1_000 / commands
                lines = (await cluster.wire.timelines())[-commands:]
                first = percentile([line["events"][0]["at"] - line["dispatched"] for line in lines], 0.99)
                print(f"| {count} | {commands / seconds:.0f} | {cpu:.2f} | {first * 1e3:.0f} |")


async def _ask(cluster: Cluster, times: int) -> list[Exchange]:
    """Use a command so often at once in the server of each shard."""
    text = "Good morning, pilots. The race begins at noon."
    asked = await asyncio.gather(
        *(
            cluster.wire.burst("translate", times, text=text, to="Greek", channel=one)
            for one in cluster.channels.values()
        )
    )
    return [exchange for burst in asked for exchange in burst]


async def _all_answered(cluster: Cluster) -> None:
    asked = await _ask(cluster, AT_ONCE // SHARDS)
    await asyncio.gather(*(exchange.answer(is_final, timeout=120) for exchange in asked))


def _spent(cluster: Cluster) -> float:
    """Seconds of CPU time of all processes."""
    return sum(cpu_seconds(psutil.Process(process.pid)) for process in cluster.processes)


async def guilds(_server: PostgresServer) -> None:
    """A process in one server, and in as many as one shard may have."""
    print("\n| servers | start-up, s | its CPU time, s | memory at rest, MiB | CPU per command, ms |")
    print("|---|---|---|---|---|")
    async with ModelProcess.start() as model:
        for count in (0, GUILDS):
            starts, cpu = [], []
            async with Wire.start(alone=True, rate_limits=False) as wire:
                await wire.call("create_crowd", guilds=count, channels=CHANNELS, roles=ROLES)
                for _number in range(STARTS + 1):
                    began = time.monotonic()
                    async with started(OURS, wire, model) as process:
                        await process.wrote("Invite: ", timeout=READY_SECONDS)
                        starts.append(time.monotonic() - began)
                        cpu.append(cpu_seconds(psutil.Process(process.pid)))
                async with measured_bot("", OURS, wire, model) as bot:
                    await run_turn(bot, LOAD, model)
                    start, start_cpu = statistics.median(starts[1:]), statistics.median(cpu[1:])
                    command = bot.loads[LOAD].cpu[0]
                    print(f"| {count + 1:,} | {start:.2f} | {start_cpu:.2f} | {bot.rest:.0f} | {command:.2f} |")


async def limits(server: PostgresServer) -> None:
    """Four processes, each with 200 commands at once, and a model that answers none of them before all are decided."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_cluster(
            server, Path(folder), slots=SHARDS, shards=SHARDS, concurrency=SHARDS, rate_limits=False
        ) as cluster:
            cluster.env = {**UNLIMITED, "DAILY_TOKENS": str(LIMIT)}
            cluster.model.holds()
            await cluster.start(SHARDS)
            await cluster.settled(SHARDS)
            asked = await _ask(cluster, AT_ONCE)
            while True:
                ((admitted, reserved),) = await cluster.rows("SELECT count(*), max(reserved) FROM calls")
                states = [await exchange.state() for exchange in asked]
                refused = sum(FULL in Message(raw).text for state in states for raw in state["messages"])
                # On a slow machine, some of so many at once are not acknowledged within Discord's three seconds.
                late = sum(state["failed"] for state in states)
                if admitted + refused + late == len(asked):
                    break
                await asyncio.sleep(0.5)
            cluster.model.release()
            await cluster.open_calls(0)
            print(
                f"\n{len(asked)} commands at once in {SHARDS} processes, a limit of {LIMIT:,} tokens, {reserved} each:"
            )
            print(f"{admitted} admitted, {LIMIT // reserved} fit; {refused} refused, {late} not acknowledged in time.")
            assert admitted == LIMIT // reserved
            await cluster.check_sums()


def _say(text: str) -> None:
    print(text, file=sys.stderr)


PARTS: dict[str, Callable[[PostgresServer], Awaitable[None]]] = {
    part.__name__: part for part in (databases, processes, guilds, limits)
}


async def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART", help="default: all")
    chosen = parser.parse_args().only
    with postgres_server() as server:
        for name in chosen:
            await PARTS[name](server)


if __name__ == "__main__":
    asyncio.run(main())
