"""The `/control` routes, for tests only: act as people do, read what happened, and inject faults.

Each request is a POST with a JSON object to `/control/ACTION`. What a person could not do is answered with 409 and a
sentence.
"""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from tests.wire import payloads, people, seeds
from tests.wire.errors import ApiError, Json, api_error
from tests.wire.faults import Fault, json_response
from tests.wire.gateway import INTENT_GUILDS
from tests.wire.interactions import Interaction, expire, timeline_of
from tests.wire.messages import delete_message_of
from tests.wire.people import ImpossibleError
from tests.wire.permissions import permission_bits
from tests.wire.rest import add_channel, create, remove_channel, set_reaction
from tests.wire.state import STATE, State
from tests.wire.world import PUBLIC_THREAD, Channel, Message, Overwrite, Role

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
    raise api_error("unknown_message")


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


def _made(*interactions: Interaction) -> Json:
    return {
        "ids": [str(one.id) for one in interactions],
        "dispatched": [one.dispatched for one in interactions],
    }


@action
async def slash(state: State, body: Json) -> Json:
    """A person uses a slash command, `times` over."""
    channel, user_id = channel_of(state, body), user_of(body)
    made = [
        people.slash(state, user_id, channel, body["name"], body["options"], user_install=body["user_install"])
        for _ in range(body.get("times", 1))
    ]
    return _made(*made)


@action
async def autocomplete(state: State, body: Json) -> Json:
    """A person types into an option."""
    options = body["options"] | {body["option"]: body["typed"]}
    made = people.autocomplete(
        state, user_of(body), channel_of(state, body), body["name"], options, focused=body["option"]
    )
    return _made(made)


@action
async def menu(state: State, body: Json) -> Json:
    """A person uses a message's context menu."""
    message = message_of(state, body["message"])
    channel = state.world.channel(message.channel_id)
    made = people.message_menu(state, user_of(body), channel, body["name"], message)
    return _made(made)


@action
async def press(state: State, body: Json) -> Json:
    """A person presses a button."""
    made = people.press(state, user_of(body), message_of(state, body["message"]), body["button"])
    return _made(made)


@action
async def select(state: State, body: Json) -> Json:
    """A person chooses from a menu."""
    message = message_of(state, body["message"])
    made = people.select(state, user_of(body), message, body["menu"], body["values"])
    return _made(made)


@action
async def submit(state: State, body: Json) -> Json:
    """A person fills in a modal."""
    made = people.submit(state, interaction_of(state, body), body["values"])
    return _made(made)


@action
async def say(state: State, body: Json) -> Json:
    """A person writes a message."""
    reply_to = message_of(state, body["reply_to"]) if body["reply_to"] else None
    channel = state.world.channel(reply_to.channel_id) if reply_to else channel_of(state, body)
    message = people.say(
        state,
        user_of(body),
        channel,
        body["text"],
        reply_to=reply_to,
        ping=body["ping"],
        files=body["files"],
        more=body.get("more", {}),
    )
    return shown(state, message)


@action
async def forward(state: State, body: Json) -> Json:
    """A person forwards a message."""
    message = people.forward(state, user_of(body), message_of(state, body["message"]), channel_of(state, body))
    return shown(state, message)


@action
async def set_thread(state: State, body: Json) -> Json:
    """A moderator archives or locks a thread, or opens it again."""
    thread = state.world.channel(int(body["channel"]))
    thread.archived, thread.locked = body["archived"], body["locked"]
    state.gateway.dispatch("THREAD_UPDATE", payloads.channel(state.world, thread), INTENT_GUILDS)
    return {}


@action
async def react(state: State, body: Json) -> Json:
    """A person adds a reaction, or takes it back."""
    message = message_of(state, body["message"])
    set_reaction(state, message, body["emoji"], user_of(body), present=body["present"])
    return shown(state, message)


@action
async def remove_message(state: State, body: Json) -> Json:
    """A person removes a message."""
    delete_message_of(state, message_of(state, body["message"]))
    return {}


@action
async def create_channel(state: State, body: Json) -> Json:
    """A person adds a text channel."""
    return add_channel(state, state.world.guild(int(body["guild"])), body["name"])


@action
async def create_thread(state: State, body: Json) -> Json:
    """A person begins a thread."""
    parent = channel_of(state, body)
    thread = create(state, parent, {"name": body["name"]}, PUBLIC_THREAD, thread_id=state.world.snowflake())
    return payloads.channel(state.world, thread)


@action
async def drop_channel(state: State, body: Json) -> Json:
    """A person removes a channel or a thread."""
    return remove_channel(state, channel_of(state, body))


@action
async def create_guild(state: State, body: Json) -> Json:
    """The bot comes into another server, with everybody in it and the channels named; or, by `id`, into one again."""
    guild_id = int(body.get("id") or state.world.snowflake())
    channels = {name: state.world.snowflake() for name in body["channels"]}
    guild = seeds.add_guild(state.world, guild_id, body["name"], list(seeds.PEOPLE.values()), channels)
    payload = payloads.guild(state.world, guild, state.world.channels_of(guild_id))
    del payload["unavailable"]  # Said of servers that the bot was in before alone; clients tell the two apart by it.
    state.gateway.dispatch("GUILD_CREATE", payload, INTENT_GUILDS)
    return {"id": str(guild_id), "channels": {name: str(one) for name, one in channels.items()}}


@action
async def create_crowd(state: State, body: Json) -> Json:
    """Adds many servers with so many channels and roles each, before a bot connects."""
    for number in range(body["guilds"]):
        channels = {f"channel-{one}": state.world.snowflake() for one in range(body["channels"])}
        guild = seeds.add_guild(state.world, state.world.snowflake(), f"Server {number}", [seeds.APPLICATION], channels)
        for one in range(body["roles"]):
            role = Role(state.world.snowflake(), f"role {one}", 0)
            guild.roles[role.id] = role
        for channel_id in channels.values():
            state.world.channels[channel_id].overwrites[guild.id] = Overwrite(0, 0, 0)
    return {}


@action
async def remove_guild(state: State, body: Json) -> Json:
    """The bot is thrown out of a server."""
    guild = state.world.guild(int(body["guild"]))
    for channel in state.world.channels_of(guild.id):
        del state.world.channels[channel.id]
    del state.world.guilds[guild.id]
    state.commands.pop(guild.id, None)
    state.gateway.dispatch("GUILD_DELETE", {"id": str(guild.id)}, INTENT_GUILDS)
    return {}


@action
async def permissions(state: State, body: Json) -> Json:
    """Allows and denies somebody permissions in a channel."""
    channel = channel_of(state, body)
    overwrite = Overwrite(1, permission_bits(*body["allow"]), permission_bits(*body["deny"]))
    channel.overwrites[user_of(body)] = overwrite
    state.gateway.dispatch("CHANNEL_UPDATE", payloads.channel(state.world, channel), INTENT_GUILDS)
    return {}


@action
async def grant(state: State, body: Json) -> Json:
    """Gives a person a role with these permissions in the whole server."""
    guild = state.world.guild(int(body["guild"]))
    role = Role(state.world.snowflake(), "Granted", permission_bits(*body["allow"]))
    guild.roles[role.id] = role
    guild.members[user_of(body)].roles.append(role.id)
    data = {"guild_id": str(guild.id), "role": payloads.role(role, len(guild.roles) - 1)}
    state.gateway.dispatch("GUILD_ROLE_CREATE", data, INTENT_GUILDS)
    return {"role": str(role.id)}


@action
async def person(state: State, body: Json) -> Json:
    """Changes a person's language."""
    state.world.users[user_of(body)].locale = body["locale"]
    return {}


@action
async def interaction(state: State, body: Json) -> Json:
    """How an interaction stands, as soon as its version is beyond `after`, or after `timeout` seconds."""
    found = interaction_of(state, body)
    if found.version <= body["after"]:
        await _changed(found, body["timeout"])
    messages = state.world.channels[found.channel_id].messages
    ids = list(dict.fromkeys(one for one in (found.original_id, *found.followups) if one))
    original = messages.get(found.original_id or 0)
    return timeline_of(found) | {
        "version": found.version,
        "token": found.token,
        "callback": found.callback,
        "original": shown(state, original) if original else None,
        "messages": [shown(state, messages[one]) for one in ids if one in messages],
        "modal": found.modal,
        "choices": found.choices,
    }


async def _changed(found: Interaction, timeout: float) -> None:
    try:
        await asyncio.wait_for(found.changed.wait(), timeout)
    except TimeoutError:
        return


@action
async def timelines(state: State, body: Json) -> list[Json]:
    """The timelines of all interactions since the one with that id."""
    return [timeline_of(one) for one in state.interactions.values() if one.id > int(body["after"])]


@action
async def messages(state: State, body: Json) -> Json:
    """The messages of a channel as a person sees them, as soon as anything changed since `after`."""
    await state.world.changed(body["after"], body["timeout"])
    who = user_of(body)
    ref = str(body["channel"])
    # A thread that is still to come has no messages yet: its id is known before it is there.
    channel = None if ref.isdigit() and int(ref) not in state.world.channels else channel_of(state, body)
    found = [one for one in channel.messages.values() if one.audience in (None, who)] if channel else []
    return {"version": state.world.version, "messages": [shown(state, one) for one in found]}


@action
async def channels(state: State, body: Json) -> list[Json]:
    """All channels and threads."""
    return [payloads.channel(state.world, one) | {"typing": one.typing} for one in state.world.channels.values()]


@action
async def registered(state: State, body: Json) -> dict[str, list[Json]]:
    """The registered commands, by server; the global ones under 0."""
    return {str(scope): found for scope, found in state.commands.items()}


@action
async def status(state: State, body: Json) -> Json:
    """How the bot's connections stand, and how much came in."""
    sessions = [
        {"id": one.id, "connected": one.socket is not None, "intents": one.intents, "sequence": one.sequence}
        for one in state.gateway.sessions.values()
    ]
    return {
        "sessions": sessions,
        "commands": sum(map(len, state.commands.values())),
        "requests": state.requests,
        "invalid_requests": state.invalid_requests,
    }


@action
async def requests(state: State, body: Json) -> list[Json]:
    """The journal, oldest first."""
    return list(state.journal)


@action
async def gateway_log(state: State, body: Json) -> list[Json]:
    """What happened on the gateway, oldest first."""
    return state.gateway.log


@action
async def disrupt(state: State, body: Json) -> int:
    """Disturbs the gateway's connections."""
    return await state.gateway.disrupt(body["how"])


@action
async def fault(state: State, body: Json) -> Json:
    """Adds a fault."""
    state.faults.rules.append(Fault(**body))
    return {}


@action
async def faults(state: State, body: Json) -> list[Json]:
    """The faults, with how often each has struck; `clear` takes them away."""
    found = [dataclasses.asdict(rule) for rule in state.faults.rules]
    if body.get("clear"):
        state.faults.rules.clear()
    return found


@action
async def release(state: State, body: Json) -> Json:
    """Lets all held requests and responses go on."""
    state.faults.release()
    return {}


@action
async def expire_tokens(state: State, body: Json) -> int:
    """Ends the life of all interaction tokens."""
    return expire(state)


@action
async def configure(state: State, body: Json) -> Json:
    """Changes settings of the server, its gateway and its rate limits."""
    for name, value in body.items():
        if name == "rate_limits":
            state.rates.enabled = value
        elif name == "rate_scale":
            state.rates.scale = value
        elif name == "clock_shift":
            state.world.clock_shift = value
        elif name in ("heartbeat_interval", "acknowledge"):
            setattr(state.gateway, name, value)
        elif name in state.settings.__slots__:
            setattr(state.settings, name, value)
        else:
            raise ImpossibleError(f"There is no setting {name!r}.")
    state.apply()
    return {}
