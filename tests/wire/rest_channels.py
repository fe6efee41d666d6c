"""The routes of channels and their messages."""

from aiohttp import web

from tests.wire import payloads, seeds
from tests.wire.access import need, need_to_write, see, visible
from tests.wire.bodies import read_draft, read_json
from tests.wire.faults import json_response
from tests.wire.form import Form, Json, refusal
from tests.wire.gateway import INTENT_GUILDS, INTENT_REACTIONS
from tests.wire.posting import delete, edit, post
from tests.wire.state import STATE, State
from tests.wire.world import DM, Channel, Message

CHANNEL = "/api/v10/channels/{channel_id}"
MESSAGES = CHANNEL + "/messages"
MESSAGE = MESSAGES + "/{message_id}"
REACTION = MESSAGE + "/reactions/{emoji}"

routes = web.RouteTableDef()


def ids(request: web.Request) -> tuple[State, int, int]:
    """The state, and the ids of channel and message in the address (0 where there is none)."""
    info = request.match_info
    return request.app[STATE], int(info["channel_id"]), int(info.get("message_id", 0))


@routes.get(CHANNEL)
async def get_channel(request: web.Request) -> web.Response:
    """A channel, thread or direct conversation."""
    state, channel_id, _ = ids(request)
    return json_response(payloads.channel(state.world, see(state, channel_id)))


@routes.patch(CHANNEL)
async def edit_channel(request: web.Request) -> web.Response:
    """Changes a channel's name or topic, or a thread's name and archive."""
    state, channel_id, _ = ids(request)
    channel = see(state, channel_id)
    body = await read_json(request)
    if channel.is_thread:
        if channel.owner_id != seeds.APPLICATION or "locked" in body:
            need(state, channel, "manage_threads")
        channel.archived = body.get("archived", channel.archived)
        channel.locked = body.get("locked", channel.locked)
        channel.auto_archive = body.get("auto_archive_duration", channel.auto_archive)
    else:
        need(state, channel, "manage_channels")
        channel.topic = body.get("topic", channel.topic)
    form = Form()
    form.length(("name",), body.get("name"), 100, least=1)
    form.close()
    channel.name = body.get("name", channel.name)
    payload = payloads.channel(state.world, channel)
    event = "THREAD_UPDATE" if channel.is_thread else "CHANNEL_UPDATE"
    state.gateway.dispatch(event, payload, INTENT_GUILDS)
    return json_response(payload)


@routes.delete(CHANNEL)
async def delete_channel(request: web.Request) -> web.Response:
    """Removes a channel or thread."""
    state, channel_id, _ = ids(request)
    channel = see(state, channel_id)
    need(state, channel, "manage_threads" if channel.is_thread else "manage_channels")
    return json_response(remove_channel(state, channel))


def remove_channel(state: State, channel: Channel) -> Json:
    """Takes a channel away with its threads, and tells the gateway."""
    payload = payloads.channel(state.world, channel)
    for thread in [one for one in state.world.channels.values() if one.parent_id == channel.id]:
        del state.world.channels[thread.id]
    state.world.channels.pop(channel.id, None)
    state.gateway.dispatch("THREAD_DELETE" if channel.is_thread else "CHANNEL_DELETE", payload, INTENT_GUILDS)
    state.world.touch()
    return payload


@routes.post(CHANNEL + "/typing")
async def typing(request: web.Request) -> web.Response:
    """Shows that the bot writes."""
    state, channel_id, _ = ids(request)
    channel = see(state, channel_id)
    need_to_write(state, channel, files=False)
    channel.typing.append(state.world.now())
    return web.Response(status=204)


@routes.get(MESSAGES)
async def history(request: web.Request) -> web.Response:
    """Up to `limit` messages, the newest first, before or after an id."""
    state, channel_id, _ = ids(request)
    channel = see(state, channel_id)
    need(state, channel, "read_message_history")
    query = request.query
    before, after = int(query.get("before", 1 << 63)), int(query.get("after", 0))
    found = [one for one in channel.messages.values() if after < one.id < before and one.audience is None]
    count = int(query.get("limit", 50))
    found = found[:count] if "after" in query else found[-count:]
    return json_response([payloads.message(state.world, one) for one in reversed(found)])


@routes.post(MESSAGES)
async def send(request: web.Request) -> web.Response:
    """Writes a normal message of the bot; an enforced nonce makes sending it twice the same as once."""
    state, channel_id, _ = ids(request)
    channel = see(state, channel_id)
    draft = await read_draft(request, state)
    need_to_write(state, channel, files=bool(draft.files))
    nonce = draft.payload.get("nonce") if draft.payload.get("enforce_nonce") else None
    known = [one for one in channel.messages.values() if nonce is not None and one.nonce == nonce]
    if known:
        return json_response(payloads.message(state.world, known[0]))
    reference = _reference(state, channel, draft.payload.get("message_reference"))
    kind = 19 if reference and reference["type"] == 0 else 0
    if channel.archived:
        channel.archived = False
    message = post(state, channel, seeds.APPLICATION, draft, reference=reference, kind=kind, nonce=nonce)
    return json_response(payloads.message(state.world, message))


def _reference(state: State, channel: Channel, wanted: Json | None) -> Json | None:
    """The reply's target; one that is gone is an error unless `fail_if_not_exists` is false."""
    if not wanted:
        return None
    where = state.world.channels.get(int(wanted.get("channel_id") or channel.id))
    target = where.messages.get(int(wanted["message_id"])) if where else None
    if target is None or target.audience is not None:
        if wanted.get("fail_if_not_exists") is False:
            return None
        form = Form()
        form.add(("message_reference",), "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
        form.close()
    need(state, channel, "read_message_history")
    reference = {"type": wanted.get("type") or 0, "message_id": wanted["message_id"]}
    return reference | {"channel_id": str((where or channel).id)}


@routes.get(MESSAGE)
async def get_message(request: web.Request) -> web.Response:
    """One message."""
    state, channel_id, message_id = ids(request)
    message = visible(state, channel_id, message_id)
    need(state, state.world.channel(channel_id), "read_message_history")
    return json_response(payloads.message(state.world, message))


@routes.patch(MESSAGE)
async def edit_message(request: web.Request) -> web.Response:
    """Changes a message of the bot's own."""
    state, channel_id, message_id = ids(request)
    draft = await read_draft(request, state)
    message = visible(state, channel_id, message_id)
    if message.author_id != seeds.APPLICATION:
        raise refusal("not_the_author")
    edit(state, message, draft)
    return json_response(payloads.message(state.world, message))


@routes.delete(MESSAGE)
async def delete_message(request: web.Request) -> web.Response:
    """Removes a message; another's needs Manage Messages."""
    state, channel_id, message_id = ids(request)
    message = visible(state, channel_id, message_id)
    if message.author_id != seeds.APPLICATION:
        need(state, state.world.channel(channel_id), "manage_messages")
    delete(state, message)
    return web.Response(status=204)


@routes.put(REACTION + "/@me")
async def react(request: web.Request) -> web.Response:
    """Adds the bot's reaction."""
    state, channel_id, message_id = ids(request)
    message = visible(state, channel_id, message_id)
    need(state, state.world.channel(channel_id), "add_reactions", "read_message_history")
    set_reaction(state, message, request.match_info["emoji"], seeds.APPLICATION, present=True)
    return web.Response(status=204)


@routes.delete(REACTION + "/{user_id}")
async def unreact(request: web.Request) -> web.Response:
    """Takes a reaction back; another's needs Manage Messages."""
    state, channel_id, message_id = ids(request)
    message = visible(state, channel_id, message_id)
    who = request.match_info["user_id"]
    if who != "@me":
        need(state, state.world.channel(channel_id), "manage_messages")
    user_id = seeds.APPLICATION if who == "@me" else int(who)
    set_reaction(state, message, request.match_info["emoji"], user_id, present=False)
    return web.Response(status=204)


def set_reaction(state: State, message: Message, emoji: str, user_id: int, *, present: bool) -> None:
    """Adds or removes somebody's reaction and tells the gateway."""
    people = message.reactions.setdefault(emoji, [])
    if (user_id in people) == present:
        return
    people.append(user_id) if present else people.remove(user_id)
    if not people:
        del message.reactions[emoji]
    channel = state.world.channel(message.channel_id)
    data: Json = {
        "user_id": str(user_id),
        "channel_id": str(channel.id),
        "message_id": str(message.id),
        "emoji": {"id": None, "name": emoji},
        "burst": False,
        "type": 0,
    }
    if channel.guild_id:
        data["guild_id"] = str(channel.guild_id)
    event = "MESSAGE_REACTION_ADD" if present else "MESSAGE_REACTION_REMOVE"
    state.gateway.dispatch(event, data, INTENT_REACTIONS if channel.kind != DM else 1 << 13)
    state.world.touch()
