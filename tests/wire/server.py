"""The HTTP server: all routes behind the journal, faults, the token check and rate limits."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from tests.wire import control, interactions, rest, seeds
from tests.wire.errors import ApiError, Json, api_error
from tests.wire.faults import after_request, before_request, json_response
from tests.wire.process import ROOT
from tests.wire.state import JOURNAL_ENTRY, STATE, State

API = "/api/v10"
# A token in the address stands in for the bot's own there, and everybody may ask for the gateway.
OPEN_ROUTES, OPEN_PATHS = ("/interactions/", "/webhooks/"), ("/gateway",)
MAX_BODY = 128 * 1024 * 1024
# A longer body is in the journal by its length alone: tests look at texts, not at files.
JOURNAL_BODY = 65_536

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def api(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Everything under `/api/v10`; other addresses pass as they are."""
    if not request.path.startswith(API + "/"):
        return await handler(request)
    state = request.app[STATE]
    path = request.path.removeprefix(API)
    entry = await _write_down(state, request, path)
    fault = state.faults.pick(request.method, path)
    response: web.StreamResponse | None = await before_request(state.faults, fault, request) if fault else None
    if response is None:
        response = await _answer(state, request, handler, path)
        if fault is not None and fault.after:
            response = await after_request(state.faults, fault, request) or response
    entry["status"] = response.status
    entry["seconds"] = time.monotonic() - entry["at"]
    # Discord counts these, and shuts out an address with 10,000 of them in ten minutes.
    state.invalid_requests += response.status in (401, 403, 429)
    return response


async def _write_down(state: State, request: web.Request, path: str) -> Json:
    """Adds the request to the journal; status and duration follow when it is answered."""
    state.requests += 1
    body: object = None
    if request.can_read_body and request.content_type == "application/json":
        raw = await request.read()
        body = json.loads(raw) if len(raw) <= JOURNAL_BODY else {"length": len(raw)}
    entry: Json = {"at": time.monotonic(), "method": request.method, "path": path, "body": body, "status": None}
    state.journal.append(entry)
    request[JOURNAL_ENTRY] = entry
    return entry


async def _answer(state: State, request: web.Request, handler: Handler, path: str) -> web.StreamResponse:
    headers: dict[str, str] = {}
    try:
        is_open = path.startswith(OPEN_ROUTES) or path in OPEN_PATHS
        if not is_open and request.headers.get("Authorization") != f"Bot {seeds.TOKEN}":
            raise api_error("unauthorized")
        resource = request.match_info.route.resource
        if resource is None:
            raise api_error("not_found")
        route = resource.canonical.removeprefix(API)
        headers, refused = state.rates.take(request.method, route, dict(request.match_info))
        if refused is not None:
            return json_response(refused, 429, headers)
        response = await handler(request)
        response.headers.update(headers)
        return response
    except ApiError as error:
        body = error.body()
        if error.status == 429:
            body |= {"retry_after": 0.1, "global": False}
            headers |= {"Via": "1.1 wire"}
        return json_response(body, error.status, headers)


async def attachment(request: web.Request) -> web.Response:
    """A file, as the CDN serves it."""
    found = request.app[STATE].world.files.get(int(request.match_info["file_id"]))
    if found is None:
        return web.Response(status=404)
    kind, data = found
    return web.Response(body=data, headers={"Content-Type": kind})


async def gateway(request: web.Request) -> web.WebSocketResponse:
    """The gateway's WebSocket."""
    return await request.app[STATE].gateway.handle(request)


def application(state: State) -> web.Application:
    """The whole server, ready to be run."""
    app = web.Application(middlewares=[api], client_max_size=MAX_BODY)
    app[STATE] = state
    for module in (rest, interactions, control):
        app.add_routes(module.routes)
    app.router.add_get("/cdn/attachments/{channel_id}/{file_id}/{name}", attachment)
    app.router.add_get("/gateway", gateway)
    app.router.add_get("/gateway/", gateway)
    return app


@asynccontextmanager
async def serve_in_process(port: int = 0) -> AsyncIterator[Json]:
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
async def serve_in_subprocess() -> AsyncIterator[Json]:
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
