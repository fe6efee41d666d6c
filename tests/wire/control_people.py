"""Control: what people do, in channels and to them."""

from tests.wire import payloads, people, seeds
from tests.wire.control import action, channel_of, interaction_of, message_of, shown, user_of
from tests.wire.form import Json
from tests.wire.gateway import INTENT_GUILDS
from tests.wire.interactions import Interaction
from tests.wire.permissions import bits
from tests.wire.posting import delete
from tests.wire.rest_app import add_channel
from tests.wire.rest_channels import remove_channel, set_reaction
from tests.wire.state import State
from tests.wire.world import Overwrite, Role


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
        state, user_of(body), channel, body["text"], reply_to=reply_to, ping=body["ping"], files=body["files"]
    )
    return shown(state, message)


@action
async def react(state: State, body: Json) -> Json:
    """A person adds a reaction, or takes it back."""
    message = message_of(state, body["message"])
    set_reaction(state, message, body["emoji"], user_of(body), present=body["present"])
    return shown(state, message)


@action
async def remove_message(state: State, body: Json) -> Json:
    """A person removes a message."""
    delete(state, message_of(state, body["message"]))
    return {}


@action
async def create_channel(state: State, body: Json) -> Json:
    """A person adds a text channel."""
    return add_channel(state, state.world.guild(int(body["guild"])), body["name"])


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
    payload = payloads.guild(state.world, guild)
    del payload["unavailable"]  # Said of servers that the bot was in before alone; clients tell the two apart by it.
    state.gateway.dispatch("GUILD_CREATE", payload, INTENT_GUILDS)
    return {"id": str(guild_id), "channels": {name: str(one) for name, one in channels.items()}}


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
    overwrite = Overwrite(1, bits(*body["allow"]), bits(*body["deny"]))
    channel.overwrites[user_of(body)] = overwrite
    state.gateway.dispatch("CHANNEL_UPDATE", payloads.channel(state.world, channel), INTENT_GUILDS)
    return {}


@action
async def grant(state: State, body: Json) -> Json:
    """Gives a person a role with these permissions in the whole server."""
    guild = state.world.guild(int(body["guild"]))
    role = Role(state.world.snowflake(), "Granted", bits(*body["allow"]))
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
