"""`python -m tests.wire`: serves until standard input ends, so that it never outlives the test that began it."""

import argparse
import asyncio
import json
import os
import sys

from aiohttp import web

from tests.wire import seeds
from tests.wire.rest import application
from tests.wire.state import State


async def serve(port: int) -> None:
    """Binds to loopback, prints address, token and ids as one line of JSON, and waits for the end of input."""
    state = State("")
    runner = web.AppRunner(application(state), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    state.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    about = {"address": state.address, "token": seeds.TOKEN, "pid": os.getpid()}
    about |= {"people": seeds.PEOPLE, "channels": seeds.CHANNELS, "guild": seeds.GUILD}
    print(json.dumps(about), flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)
    await runner.cleanup()


def main() -> None:
    """The command line: `--port` (default: any free one)."""
    parser = argparse.ArgumentParser(prog="python -m tests.wire", description="A Discord on loopback.")
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
