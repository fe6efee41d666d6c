"""The half that only tests see: acting as people do, asking what happened, and making things go wrong.

Every request is a POST with a JSON object. What a person could not do is answered with 409 and a sentence. The
actions themselves are in `control_people` and `control_server`.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from tests.wire import payloads, people, seeds
from tests.wire.commands import ImpossibleError
from tests.wire.faults import json_response
from tests.wire.form import ApiError, Json, refusal
from tests.wire.interactions import Interaction
from tests.wire.state import STATE, State
from tests.wire.world import Channel, Message

Action = Callable[[State, Json], Awaitable[Any]]
ACTIONS: dict[str, Action] = {}

routes = web.RouteTableDef()


def action(function: Action) -> Action:
    """Makes a function reachable under its own name."""
    ACTIONS[function.__name__] = function
    return function


@routes.post("/control/{action}")
async def control(request: web.Request) -> web.Response:
    """Does what the address names with what the body says."""
    state = request.app[STATE]
    try:
        answer = await ACTIONS[request.match_info["action"]](state, await request.json())
    except ImpossibleError as error:
        return json_response({"error": str(error)}, 409)
    except ApiError as error:
        return json_response({"error": f"{error.message} {error.errors or ''}".strip()}, 409)
    return json_response(answer)


def user_of(body: Json) -> int:
    """The person a test means, by name or id; the member where it names nobody."""
    ref = str(body.get("user") or "member")
    user_id = int(ref) if ref.isdigit() else seeds.PEOPLE.get(ref, 0)
    if not user_id:
        raise ImpossibleError(f"There is nobody called {ref!r}.")
    return user_id


def channel_of(state: State, body: Json) -> Channel:
    """The channel a test means, by name or id; #general where it names none."""
    return people.open_channel(state, user_of(body), str(body.get("channel") or "general"))


def message_of(state: State, message_id: object) -> Message:
    """The message with that id, in whatever channel."""
    for channel in state.world.channels.values():
        found = channel.messages.get(int(str(message_id)))
        if found:
            return found
    raise refusal("unknown_message")


def interaction_of(state: State, body: Json) -> Interaction:
    """The interaction with that id."""
    return state.interactions[int(body["id"])]


def shown(state: State, message: Message) -> Json:
    """A message as tests see it: Discord's own JSON, and what Discord keeps to itself."""
    extra = {
        "pings": message.pings,
        "audience": str(message.audience) if message.audience else None,
        "edits": message.edits,
    }
    return payloads.message(state.world, message) | extra
