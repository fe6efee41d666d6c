"""The server itself, in a process of its own or in that of the test; it is the same, on a port of loopback."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from tests.wire import seeds
from tests.wire.process import ROOT
from tests.wire.rest import application
from tests.wire.state import State
from tests.wire.views import Json


@asynccontextmanager
async def inside(port: int = 0) -> AsyncIterator[Json]:
    """Serves in this process: address, token, and the ids of all there is. Port 0: any free one."""
    state = State("")
    # Whoever still listens when a test is over is a bot that was killed.
    runner = web.AppRunner(application(state), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        state.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        about = {"address": state.address, "token": seeds.TOKEN}
        yield about | {"people": seeds.PEOPLE, "channels": seeds.CHANNELS, "guild": seeds.GUILD}
    finally:
        await runner.cleanup()


@asynccontextmanager
async def apart() -> AsyncIterator[Json]:
    """Serves in a process of its own, whose work is not the test's; it ends with the block."""
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.wire"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        yield json.loads(await server.stdout.readline())
    finally:
        server.stdin.close()
        await server.wait()
