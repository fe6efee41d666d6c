"""The REST routes of the application, its commands, servers, channels, messages and threads."""

from aiohttp import web

from tests.wire import payloads, seeds
from tests.wire.access import require, require_send, visible_channel, visible_message
from tests.wire.errors import FormErrors, Json, api_error
from tests.wire.faults import json_response
from tests.wire.gateway import INTENT_GUILDS, INTENT_REACTIONS
from tests.wire.messages import create_message, delete_message_of, edit_message_of, read_json, read_message_body
from tests.wire.people import GLOBAL, register_commands
from tests.wire.state import STATE, State
from tests.wire.world import DM, PRIVATE_THREAD, PUBLIC_THREAD, TEXT, Channel, Guild, Message

API = "/api/v10"
COMMANDS = API + "/applications/{application_id}/commands"
GUILD_COMMANDS = API + "/applications/{application_id}/guilds/{guild_id}/commands"
GUILD = API + "/guilds/{guild_id}"

routes = web.RouteTableDef()


@routes.get(API + "/gateway")
async def gateway(request: web.Request) -> web.Response:
    """Where the gateway is, for everybody."""
    return json_response({"url": request.app[STATE].gateway_url()})


@routes.get(API + "/gateway/bot")
async def gateway_bot(request: web.Request) -> web.Response:
    """Where the gateway is."""
    state = request.app[STATE]
    settings = state.settings
    limit = {"total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": settings.max_concurrency}
    return json_response({"url": state.gateway_url(), "shards": settings.shards, "session_start_limit": limit})


@routes.get(API + "/users/@me")
async def me(request: web.Request) -> web.Response:
    """The bot's own user."""
    state = request.app[STATE]
    private = {"mfa_enabled": True, "verified": True, "locale": "en-US", "email": None}
    return json_response(payloads.user(state.world.users[seeds.APPLICATION]) | private)


@routes.get(API + "/users/@me/guilds")
async def my_guilds(request: web.Request) -> web.Response:
    """The servers that the bot is in."""
    state = request.app[STATE]
    found: list[Json] = [
        {
            "id": str(guild.id),
            "name": guild.name,
            "icon": None,
            "owner": False,
            "permissions": payloads.guild_permissions(guild, seeds.APPLICATION),
            "features": [],
        }
        for guild in state.world.guilds.values()
    ]
    return json_response(found)


@routes.post(API + "/users/@me/channels")
async def open_dm(request: web.Request) -> web.Response:
    """Opens the direct conversation with a person."""
    state = request.app[STATE]
    user_id = int((await read_json(request))["recipient_id"])
    if user_id not in state.world.users:
        raise api_error("unknown_user")
    return json_response(payloads.channel(state.world, seeds.dm_channel(state.world, user_id)))


@routes.get(API + "/users/{user_id}")
async def get_user(request: web.Request) -> web.Response:
    """A user."""
    user = request.app[STATE].world.users.get(int(request.match_info["user_id"]))
    if user is None:
        raise api_error("unknown_user")
    return json_response(payloads.user(user))


@routes.get(API + "/oauth2/applications/@me")
@routes.get(API + "/applications/@me")
async def application(request: web.Request) -> web.Response:
    """The application and its owner."""
    state = request.app[STATE]
    flags = state.application_flags()
    return json_response(payloads.application(state.world, seeds.PEOPLE["operator"], flags))


def _scope(request: web.Request) -> tuple[State, int]:
    """The state, and which list of commands the address means: a server's, or the global one."""
    state = request.app[STATE]
    guild_id = int(request.match_info.get("guild_id", GLOBAL))
    if guild_id:
        state.world.guild(guild_id)
    return state, guild_id


@routes.get(COMMANDS)
@routes.get(GUILD_COMMANDS)
async def list_commands(request: web.Request) -> web.Response:
    """The registered commands."""
    state, scope = _scope(request)
    return json_response(state.commands.get(scope, []))


@routes.put(COMMANDS)
@routes.put(GUILD_COMMANDS)
async def put_commands(request: web.Request) -> web.Response:
    """Registers a whole list in place of the old one."""
    state, scope = _scope(request)
    body: list[Json] = await request.json()
    return json_response(register_commands(state, scope, body))


@routes.post(COMMANDS)
@routes.post(GUILD_COMMANDS)
async def post_command(request: web.Request) -> web.Response:
    """Registers one command, in place of one with its name."""
    state, scope = _scope(request)
    body = await read_json(request)
    others = [one for one in state.commands.get(scope, []) if one["name"] != body.get("name")]
    return json_response(register_commands(state, scope, [*others, body])[-1], 201)


@routes.delete(COMMANDS + "/{command_id}")
@routes.delete(GUILD_COMMANDS + "/{command_id}")
async def delete_command(request: web.Request) -> web.Response:
    """Takes one command away."""
    state, scope = _scope(request)
    wanted = request.match_info["command_id"]
    before = state.commands.get(scope, [])
    state.commands[scope] = [one for one in before if one["id"] != wanted]
    if len(state.commands[scope]) == len(before):
        raise api_error("unknown_command")
    return web.Response(status=204)


@routes.get(API + "/applications/{application_id}/emojis")
async def emojis(request: web.Request) -> web.Response:
    """The application's own emojis: none."""
    return json_response({"items": []})


def _guild(request: web.Request) -> tuple[State, Guild]:
    state = request.app[STATE]
    return state, state.world.guild(int(request.match_info["guild_id"]))


@routes.get(GUILD)
async def get_guild(request: web.Request) -> web.Response:
    """A server."""
    state, guild = _guild(request)
    return json_response(payloads.guild(state.world, guild, state.world.channels_of(guild.id)))


@routes.get(GUILD + "/channels")
async def get_channels(request: web.Request) -> web.Response:
    """A server's channels, without threads."""
    state, guild = _guild(request)
    found = [one for one in state.world.channels_of(guild.id) if not one.is_thread]
    return json_response([payloads.channel(state.world, one) for one in found])


@routes.post(GUILD + "/channels")
async def create_channel(request: web.Request) -> web.Response:
    """Adds a text channel, for a bot that may manage channels."""
    state, guild = _guild(request)
    body = await read_json(request)
    form = FormErrors()
    form.length(("name",), body.get("name") or "", 100, least=1)
    form.close()
    if not int(payloads.guild_permissions(guild, seeds.APPLICATION)) & 1 << 4:
        raise api_error("missing_permissions")
    return json_response(add_channel(state, guild, body["name"]), 201)


def add_channel(state: State, guild: Guild, name: str) -> Json:
    """Adds a text channel and tells the gateway."""
    channel = Channel(state.world.snowflake(), TEXT, name, guild_id=guild.id)
    state.world.channels[channel.id] = channel
    payload = payloads.channel(state.world, channel)
    state.gateway.dispatch("CHANNEL_CREATE", payload, INTENT_GUILDS)
    return payload


@routes.get(GUILD + "/roles")
async def get_roles(request: web.Request) -> web.Response:
    """A server's roles."""
    _, guild = _guild(request)
    return json_response([payloads.role(one, place) for place, one in enumerate(guild.roles.values())])


@routes.get(GUILD + "/members/{user_id}")
async def get_member(request: web.Request) -> web.Response:
    """A member of a server."""
    state, guild = _guild(request)
    user_id = int(request.match_info["user_id"])
    if user_id not in guild.members:
        raise api_error("unknown_member")
    return json_response(payloads.member(state.world, guild, user_id))


CHANNEL = "/api/v10/channels/{channel_id}"
MESSAGES = CHANNEL + "/messages"
MESSAGE = MESSAGES + "/{message_id}"
REACTION = MESSAGE + "/reactions/{emoji}"


def ids(request: web.Request) -> tuple[State, int, int]:
    """The state, and the ids of channel and message in the address (0 where there is none)."""
    info = request.match_info
    return request.app[STATE], int(info["channel_id"]), int(info.get("message_id", 0))


@routes.get(CHANNEL)
async def get_channel(request: web.Request) -> web.Response:
    """A channel, thread or direct conversation."""
    state, channel_id, _ = ids(request)
    return json_response(payloads.channel(state.world, visible_channel(state, channel_id)))


@routes.patch(CHANNEL)
async def edit_channel(request: web.Request) -> web.Response:
    """Changes a channel's name or topic, or a thread's name and archive."""
    state, channel_id, _ = ids(request)
    channel = visible_channel(state, channel_id)
    body = await read_json(request)
    if channel.is_thread:
        if channel.owner_id != seeds.APPLICATION or "locked" in body:
            require(state, channel, "manage_threads")
        channel.archived = body.get("archived", channel.archived)
        channel.locked = body.get("locked", channel.locked)
        channel.auto_archive = body.get("auto_archive_duration", channel.auto_archive)
    else:
        require(state, channel, "manage_channels")
        channel.topic = body.get("topic", channel.topic)
    form = FormErrors()
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
    channel = visible_channel(state, channel_id)
    require(state, channel, "manage_threads" if channel.is_thread else "manage_channels")
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
    channel = visible_channel(state, channel_id)
    require_send(state, channel, files=False)
    channel.typing.append(state.world.now())
    return web.Response(status=204)


@routes.get(MESSAGES)
async def history(request: web.Request) -> web.Response:
    """Up to `limit` messages, the newest first, before or after an id."""
    state, channel_id, _ = ids(request)
    channel = visible_channel(state, channel_id)
    require(state, channel, "read_message_history")
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
    channel = visible_channel(state, channel_id)
    draft = await read_message_body(request, state)
    require_send(state, channel, files=bool(draft.files))
    nonce = draft.payload.get("nonce") if draft.payload.get("enforce_nonce") else None
    known = [one for one in channel.messages.values() if nonce is not None and one.nonce == nonce]
    if known:
        return json_response(payloads.message(state.world, known[0]))
    reference = _reference(state, channel, draft.payload.get("message_reference"))
    kind = 19 if reference and reference["type"] == 0 else 0
    if channel.archived:
        channel.archived = False
    message = create_message(state, channel, seeds.APPLICATION, draft, reference=reference, kind=kind, nonce=nonce)
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
        form = FormErrors()
        form.add(("message_reference",), "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
        form.close()
    require(state, channel, "read_message_history")
    reference = {"type": wanted.get("type") or 0, "message_id": str(wanted["message_id"])}
    return reference | {"channel_id": str((where or channel).id)}


@routes.get(MESSAGE)
async def get_message(request: web.Request) -> web.Response:
    """One message."""
    state, channel_id, message_id = ids(request)
    message = visible_message(state, channel_id, message_id)
    require(state, state.world.channel(channel_id), "read_message_history")
    return json_response(payloads.message(state.world, message))


@routes.patch(MESSAGE)
async def edit_message(request: web.Request) -> web.Response:
    """Changes a message of the bot's own."""
    state, channel_id, message_id = ids(request)
    draft = await read_message_body(request, state)
    message = visible_message(state, channel_id, message_id)
    if message.author_id != seeds.APPLICATION:
        raise api_error("not_the_author")
    channel = state.world.channel(channel_id)
    if channel.is_thread and channel.archived:
        raise api_error("archived")
    edit_message_of(state, message, draft)
    return json_response(payloads.message(state.world, message))


@routes.delete(MESSAGE)
async def delete_message(request: web.Request) -> web.Response:
    """Removes a message; another's needs Manage Messages."""
    state, channel_id, message_id = ids(request)
    message = visible_message(state, channel_id, message_id)
    if message.author_id != seeds.APPLICATION:
        require(state, state.world.channel(channel_id), "manage_messages")
    delete_message_of(state, message)
    return web.Response(status=204)


@routes.put(REACTION + "/@me")
async def react(request: web.Request) -> web.Response:
    """Adds the bot's reaction."""
    state, channel_id, message_id = ids(request)
    message = visible_message(state, channel_id, message_id)
    require(state, state.world.channel(channel_id), "add_reactions", "read_message_history")
    set_reaction(state, message, request.match_info["emoji"], seeds.APPLICATION, present=True)
    return web.Response(status=204)


@routes.delete(REACTION + "/{user_id}")
async def unreact(request: web.Request) -> web.Response:
    """Takes a reaction back; another's needs Manage Messages."""
    state, channel_id, message_id = ids(request)
    message = visible_message(state, channel_id, message_id)
    who = request.match_info["user_id"]
    if who != "@me":
        require(state, state.world.channel(channel_id), "manage_messages")
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


MEMBERS = CHANNEL + "/thread-members"


@routes.post(MESSAGE + "/threads")
async def from_message(request: web.Request) -> web.Response:
    """Begins a thread at a message; its id is the message's."""
    state, channel_id, message_id = ids(request)
    message = visible_message(state, channel_id, message_id)
    parent = state.world.channel(channel_id)
    require(state, parent, "create_public_threads")
    if message.thread_id is not None:
        raise api_error("has_thread")
    thread = create(state, parent, await read_json(request), PUBLIC_THREAD, thread_id=message.id)
    message.thread_id = thread.id
    return json_response(payloads.channel(state.world, thread), 201)


@routes.post(CHANNEL + "/threads")
async def without_message(request: web.Request) -> web.Response:
    """Begins a thread of its own, private unless the request says otherwise."""
    state, channel_id, _ = ids(request)
    parent = visible_channel(state, channel_id)
    body = await read_json(request)
    kind = body.get("type", PRIVATE_THREAD)
    require(state, parent, "create_private_threads" if kind == PRIVATE_THREAD else "create_public_threads")
    thread = create(state, parent, body, kind, thread_id=state.world.snowflake())
    return json_response(payloads.channel(state.world, thread), 201)


def create(state: State, parent: Channel, body: Json, kind: int, *, thread_id: int) -> Channel:
    """Adds the thread, with the bot in it, and tells the gateway."""
    form = FormErrors()
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
    thread = visible_channel(state, channel_id)
    require(state, thread, "send_messages_in_threads")
    user_id = _who(request)
    if user_id not in state.world.users:
        raise api_error("unknown_user")
    if user_id not in thread.thread_members:
        thread.thread_members.append(user_id)
    return web.Response(status=204)


@routes.delete(MEMBERS + "/{user_id}")
async def leave(request: web.Request) -> web.Response:
    """Takes somebody out of a thread; another than oneself needs Manage Threads."""
    state, channel_id, _ = ids(request)
    thread = visible_channel(state, channel_id)
    user_id = _who(request)
    own_private = thread.kind == PRIVATE_THREAD and thread.owner_id == seeds.APPLICATION
    if user_id != seeds.APPLICATION and not own_private:
        require(state, thread, "manage_threads")
    if user_id not in thread.thread_members:
        raise api_error("unknown_member")
    thread.thread_members.remove(user_id)
    return web.Response(status=204)


@routes.get(MEMBERS)
async def members(request: web.Request) -> web.Response:
    """Who is in a thread."""
    state, channel_id, _ = ids(request)
    thread = visible_channel(state, channel_id)
    return json_response([payloads.thread_member(thread, user_id) for user_id in thread.thread_members])


@routes.get(MEMBERS + "/{user_id}")
async def member(request: web.Request) -> web.Response:
    """One person's place in a thread."""
    state, channel_id, _ = ids(request)
    thread, user_id = visible_channel(state, channel_id), _who(request)
    if user_id not in thread.thread_members:
        raise api_error("unknown_member")
    return json_response(payloads.thread_member(thread, user_id))


@routes.get(CHANNEL + "/threads/archived/{visibility}")
async def archived(request: web.Request) -> web.Response:
    """The archived threads of a channel."""
    state, channel_id, _ = ids(request)
    kind = PRIVATE_THREAD if request.match_info["visibility"] == "private" else PUBLIC_THREAD
    visible_channel(state, channel_id)
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
