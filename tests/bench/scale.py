"""`python -m tests.bench.scale`: CPU time per command on PostgreSQL, on SQLite, and of the bare bot, in one run.

The PostgreSQL server is the one of the tests, on this machine, without waiting for the disk. Its own CPU time is not
counted.
"""

import asyncio
import statistics
import sys
from contextlib import AsyncExitStack

from tests.bench.__main__ import BARE, LEVELS, OURS, MeasuredBot, measured_bot, percentile, run_turn
from tests.bench.model_process import ModelProcess
from tests.postgresql import postgres_server
from tests.wire.driver import Wire


def report(bots: list[MeasuredBot]) -> None:
    """The table."""
    print(f"\n| figure | {' | '.join(bot.name for bot in bots)} |\n|---|{'---|' * len(bots)}")
    for level in LEVELS:
        figures = [bot.levels[level] for bot in bots]
        rows = {
            "CPU per command, ms": [statistics.median(one.cpu) for one in figures],
            "first response p50, ms": [percentile(one.first, 0.5) * 1e3 for one in figures],
            "model's last byte to final text p50, ms": [percentile(one.last, 0.5) * 1e3 for one in figures],
        }
        for name, values in rows.items():
            print(f"| {level} at once: {name} | {' | '.join(f'{value:.2f}' for value in values)} |")
    print(f"| memory at rest, MiB | {' | '.join(f'{bot.rest:.2f}' for bot in bots)} |")


async def main() -> None:
    """Measure and print."""
    async with ModelProcess.start() as model, AsyncExitStack() as stack:
        server = stack.enter_context(postgres_server())
        settings = {
            "bare bot": (BARE, {}),
            "SQLite": (OURS, {}),
            "PostgreSQL": (OURS, {"DATABASE_URL": await server.migrated()}),
        }
        bots = []
        for name, (entry, more) in settings.items():
            wire = await stack.enter_async_context(Wire.start(alone=True, rate_limits=False))
            bots.append(await stack.enter_async_context(measured_bot(name, entry, wire, model, **more)))
        for at_once, (commands, turns) in LEVELS.items():
            for number in range(turns):
                for bot in bots if number % 2 else reversed(bots):
                    await run_turn(bot, at_once, commands, model)
                print(f"{at_once} at once, turn {number + 1} of {turns}", file=sys.stderr)
        report(bots)


if __name__ == "__main__":
    asyncio.run(main())
