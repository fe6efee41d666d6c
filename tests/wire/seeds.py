"""The first server and its people. Their ids are constants, so that a bot finds them again after a restart."""

import base64

from tests.wire.permissions import EVERYONE, permission_bits
from tests.wire.world import DM, TEXT, Channel, Guild, Member, Role, User, World

APPLICATION = 1_100_000_000_000_000_001
GUILD = 1_100_000_000_000_000_100

# Names that tests use for people and channels, with their ids.
PEOPLE = {
    "bot": APPLICATION,
    "operator": 1_100_000_000_000_000_010,
    "admin": 1_100_000_000_000_000_011,
    "member": 1_100_000_000_000_000_012,
    "friend": 1_100_000_000_000_000_013,
    "other_bot": 1_100_000_000_000_000_014,
}
CHANNELS = {"general": 1_100_000_000_000_000_201, "adventures": 1_100_000_000_000_000_202}

# Fake, in the form of a real token: application id, time, signature.
TOKEN = base64.urlsafe_b64encode(str(APPLICATION).encode()).decode().rstrip("=") + ".Wirewi." + "w" * 38


def seed() -> World:
    """A world with one server that all people are members of, owned by the admin."""
    world = World()
    displays = {
        "bot": "Bot",
        "operator": "Olga",
        "admin": "Ada",
        "member": "Max",
        "friend": "Frieda",
        "other_bot": "Bot 2",
    }
    for name, user_id in PEOPLE.items():
        world.users[user_id] = User(user_id, name, displays[name], bot=name in ("bot", "other_bot"))
    add_guild(world, GUILD, "Pod racers", list(PEOPLE.values()), CHANNELS)
    return world


def add_guild(world: World, guild_id: int, name: str, people: list[int], channels: dict[str, int]) -> Guild:
    """Add a server, owned by the admin, in which the bot has its managed role."""
    everyone = Role(guild_id, "@everyone", permission_bits(*EVERYONE))
    managed = Role(guild_id + 1, "Bot", 0)
    members = {user_id: Member(user_id) for user_id in people}
    if APPLICATION in members:
        members[APPLICATION].roles.append(managed.id)
    guild = Guild(guild_id, name, PEOPLE["admin"], {everyone.id: everyone, managed.id: managed}, members)
    world.guilds[guild_id] = guild
    for channel_name, channel_id in channels.items():
        world.channels[channel_id] = Channel(channel_id, TEXT, channel_name, guild_id=guild_id)
    return guild


def dm_channel(world: World, user_id: int) -> Channel:
    """The bot's direct messages with a person; created when first used."""
    for channel in world.channels.values():
        if channel.kind == DM and channel.recipients == [user_id]:
            return channel
    # The id follows from the person's, so that it is the same in every run.
    channel = Channel(user_id + 1000, DM, "", recipients=[user_id])
    world.channels[channel.id] = channel
    return channel
