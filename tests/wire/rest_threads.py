"""The routes of threads and their members."""

from aiohttp import web

from tests.wire import payloads, seeds
from tests.wire.access import need, see, visible
from tests.wire.bodies import read_json
from tests.wire.faults import json_response
from tests.wire.form import Form, Json, refusal
from tests.wire.gateway import INTENT_GUILDS
from tests.wire.rest_channels import CHANNEL, MESSAGE, ids
from tests.wire.state import STATE, State
from tests.wire.world import PRIVATE_THREAD, PUBLIC_THREAD, TEXT, Channel

MEMBERS = CHANNEL + "/thread-members"

routes = web.RouteTableDef()


@routes.post(MESSAGE + "/threads")
async def from_message(request: web.Request) -> web.Response:
    """Begins a thread at a message; its id is the message's."""
    state, channel_id, message_id = ids(request)
    message = visible(state, channel_id, message_id)
    parent = state.world.channel(channel_id)
    need(state, parent, "create_public_threads")
    if message.thread_id is not None:
        raise refusal("has_thread")
    thread = create(state, parent, await read_json(request), PUBLIC_THREAD, thread_id=message.id)
    message.thread_id = thread.id
    return json_response(payloads.channel(state.world, thread), 201)


@routes.post(CHANNEL + "/threads")
async def without_message(request: web.Request) -> web.Response:
    """Begins a thread of its own, private unless the request says otherwise."""
    state, channel_id, _ = ids(request)
    parent = see(state, channel_id)
    body = await read_json(request)
    kind = body.get("type", PRIVATE_THREAD)
    need(state, parent, "create_private_threads" if kind == PRIVATE_THREAD else "create_public_threads")
    thread = create(state, parent, body, kind, thread_id=state.world.snowflake())
    return json_response(payloads.channel(state.world, thread), 201)


def create(state: State, parent: Channel, body: Json, kind: int, *, thread_id: int) -> Channel:
    """Adds the thread, with the bot in it, and tells the gateway."""
    form = Form()
    form.required(("name",), body.get("name"))
    form.length(("name",), body.get("name"), 100)
    if parent.kind != TEXT:
        form.add((), "CHANNEL_TYPE_INVALID", "Threads can only begin in text channels")
    form.close()
    thread = Channel(
        thread_id,
        kind,
        body["name"],
        guild_id=parent.guild_id,
        parent_id=parent.id,
        owner_id=seeds.APPLICATION,
        auto_archive=body.get("auto_archive_duration") or 1440,
        thread_members=[seeds.APPLICATION],
    )
    state.world.channels[thread.id] = thread
    payload = payloads.channel(state.world, thread) | {"newly_created": True}
    state.gateway.dispatch("THREAD_CREATE", payload, INTENT_GUILDS)
    state.world.touch()
    return thread


def _who(request: web.Request) -> int:
    wanted = request.match_info["user_id"]
    return seeds.APPLICATION if wanted == "@me" else int(wanted)


@routes.put(MEMBERS + "/{user_id}")
async def join(request: web.Request) -> web.Response:
    """Adds somebody to a thread."""
    state, channel_id, _ = ids(request)
    thread = see(state, channel_id)
    need(state, thread, "send_messages_in_threads")
    user_id = _who(request)
    if user_id not in state.world.users:
        raise refusal("unknown_user")
    if user_id not in thread.thread_members:
        thread.thread_members.append(user_id)
    return web.Response(status=204)


@routes.delete(MEMBERS + "/{user_id}")
async def leave(request: web.Request) -> web.Response:
    """Takes somebody out of a thread; another than oneself needs Manage Threads."""
    state, channel_id, _ = ids(request)
    thread = see(state, channel_id)
    user_id = _who(request)
    own_private = thread.kind == PRIVATE_THREAD and thread.owner_id == seeds.APPLICATION
    if user_id != seeds.APPLICATION and not own_private:
        need(state, thread, "manage_threads")
    if user_id not in thread.thread_members:
        raise refusal("unknown_member")
    thread.thread_members.remove(user_id)
    return web.Response(status=204)


@routes.get(MEMBERS)
async def members(request: web.Request) -> web.Response:
    """Who is in a thread."""
    state, channel_id, _ = ids(request)
    thread = see(state, channel_id)
    return json_response([payloads.thread_member(thread, user_id) for user_id in thread.thread_members])


@routes.get(MEMBERS + "/{user_id}")
async def member(request: web.Request) -> web.Response:
    """One person's place in a thread."""
    state, channel_id, _ = ids(request)
    thread, user_id = see(state, channel_id), _who(request)
    if user_id not in thread.thread_members:
        raise refusal("unknown_member")
    return json_response(payloads.thread_member(thread, user_id))


@routes.get(CHANNEL + "/threads/archived/{visibility}")
async def archived(request: web.Request) -> web.Response:
    """The archived threads of a channel."""
    state, channel_id, _ = ids(request)
    kind = PRIVATE_THREAD if request.match_info["visibility"] == "private" else PUBLIC_THREAD
    see(state, channel_id)
    everything = state.world.channels.values()
    found = [one for one in everything if one.parent_id == channel_id and one.kind == kind and one.archived]
    threads = [payloads.channel(state.world, one) for one in found]
    return json_response({"threads": threads, "members": [], "has_more": False})


@routes.get("/api/v10/guilds/{guild_id}/threads/active")
async def active(request: web.Request) -> web.Response:
    """The threads of a server that are not archived."""
    state = request.app[STATE]
    everything = state.world.channels_of(int(request.match_info["guild_id"]))
    found = [one for one in everything if one.is_thread and not one.archived]
    threads = [payloads.channel(state.world, one) for one in found]
    return json_response({"threads": threads, "members": []})
