"""Puts the routes together behind what every request passes: journal, faults, the bot's token and rate limits."""

import json
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from tests.wire import (
    control,
    control_people,
    control_server,
    rest_app,
    rest_channels,
    rest_interactions,
    rest_threads,
    seeds,
)
from tests.wire.faults import before, finish, json_response
from tests.wire.form import ApiError, Json, refusal
from tests.wire.state import LINE, STATE, State

API = "/api/v10"
# A token in the address stands in for the bot's own there.
OPEN_ROUTES = ("/interactions/", "/webhooks/")
LARGEST_BODY = 128 * 1024 * 1024
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
    response: web.StreamResponse | None = await before(fault, request) if fault else None
    if response is None:
        response = await _answer(state, request, handler, path)
        if fault is not None and fault.after:
            response = finish(fault, request) or response
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
    request[LINE] = entry
    return entry


async def _answer(state: State, request: web.Request, handler: Handler, path: str) -> web.StreamResponse:
    headers: dict[str, str] = {}
    try:
        if not path.startswith(OPEN_ROUTES) and request.headers.get("Authorization") != f"Bot {seeds.TOKEN}":
            raise refusal("unauthorized")
        resource = request.match_info.route.resource
        if resource is None:
            raise refusal("not_found")
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


# Importing these fills the table of actions.
ACTION_MODULES = (control_people, control_server)


def application(state: State) -> web.Application:
    """The whole server, ready to be run."""
    app = web.Application(middlewares=[api], client_max_size=LARGEST_BODY)
    app[STATE] = state
    for module in (rest_app, rest_channels, rest_threads, rest_interactions, control):
        app.add_routes(module.routes)
    app.router.add_get("/cdn/attachments/{channel_id}/{file_id}/{name}", attachment)
    app.router.add_get("/gateway", gateway)
    app.router.add_get("/gateway/", gateway)
    return app
