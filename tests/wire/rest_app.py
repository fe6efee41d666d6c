"""The routes of the application, its users, its commands and its servers."""

from aiohttp import web

from tests.wire import payloads, seeds
from tests.wire.bodies import read_json
from tests.wire.commands import GLOBAL, register
from tests.wire.faults import json_response
from tests.wire.form import Form, Json, refusal
from tests.wire.gateway import INTENT_GUILDS
from tests.wire.state import STATE, State
from tests.wire.world import TEXT, Channel, Guild

API = "/api/v10"
COMMANDS = API + "/applications/{application_id}/commands"
GUILD_COMMANDS = API + "/applications/{application_id}/guilds/{guild_id}/commands"
GUILD = API + "/guilds/{guild_id}"

routes = web.RouteTableDef()


@routes.get(API + "/gateway/bot")
async def gateway_bot(request: web.Request) -> web.Response:
    """Where the gateway is."""
    state = request.app[STATE]
    limit = {"total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": 1}
    return json_response({"url": state.gateway_url(), "shards": 1, "session_start_limit": limit})


@routes.get(API + "/users/@me")
async def me(request: web.Request) -> web.Response:
    """The bot's own user."""
    state = request.app[STATE]
    return json_response(payloads.user(state.world.users[seeds.APPLICATION]))


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
        raise refusal("unknown_user")
    return json_response(payloads.channel(state.world, seeds.dm_channel(state.world, user_id)))


@routes.get(API + "/users/{user_id}")
async def get_user(request: web.Request) -> web.Response:
    """A user."""
    user = request.app[STATE].world.users.get(int(request.match_info["user_id"]))
    if user is None:
        raise refusal("unknown_user")
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
    return json_response(register(state, scope, body))


@routes.post(COMMANDS)
@routes.post(GUILD_COMMANDS)
async def post_command(request: web.Request) -> web.Response:
    """Registers one command, in place of one with its name."""
    state, scope = _scope(request)
    body = await read_json(request)
    others = [one for one in state.commands.get(scope, []) if one["name"] != body.get("name")]
    return json_response(register(state, scope, [*others, body])[-1], 201)


@routes.delete(COMMANDS + "/{command_id}")
@routes.delete(GUILD_COMMANDS + "/{command_id}")
async def delete_command(request: web.Request) -> web.Response:
    """Takes one command away."""
    state, scope = _scope(request)
    wanted = request.match_info["command_id"]
    before = state.commands.get(scope, [])
    state.commands[scope] = [one for one in before if one["id"] != wanted]
    if len(state.commands[scope]) == len(before):
        raise refusal("unknown_command")
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
    return json_response(payloads.guild(state.world, guild))


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
    form = Form()
    form.length(("name",), body.get("name") or "", 100, least=1)
    form.close()
    if not int(payloads.guild_permissions(guild, seeds.APPLICATION)) & 1 << 4:
        raise refusal("missing_permissions")
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
        raise refusal("unknown_member")
    return json_response(payloads.member(state.world, guild, user_id))
