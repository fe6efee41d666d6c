"""The permission bits that the routes look at, and how roles and overwrites make up a member's set."""

from tests.wire.world import Channel, Guild

# Bit numbers as in Discord's documentation under "Bitwise permission flags".
BITS = {
    "administrator": 3,
    "manage_channels": 4,
    "manage_guild": 5,
    "add_reactions": 6,
    "view_channel": 10,
    "send_messages": 11,
    "manage_messages": 13,
    "embed_links": 14,
    "attach_files": 15,
    "read_message_history": 16,
    "mention_everyone": 17,
    "use_external_emojis": 18,
    "use_application_commands": 31,
    "manage_threads": 34,
    "create_public_threads": 35,
    "create_private_threads": 36,
    "send_messages_in_threads": 38,
    "moderate_members": 40,
}
ALL = (1 << 53) - 1

# What @everyone has in a server that nobody has changed, as far as the table above goes.
EVERYONE = (
    "add_reactions",
    "view_channel",
    "send_messages",
    "embed_links",
    "attach_files",
    "read_message_history",
    "use_external_emojis",
    "use_application_commands",
    "create_public_threads",
    "create_private_threads",
    "send_messages_in_threads",
)


def permission_bits(*names: str) -> int:
    """The set with these names; an unknown one raises `KeyError`."""
    return sum(1 << BITS[name] for name in names)


def member_permissions(guild: Guild, user_id: int) -> int:
    """What a member may do in the whole server."""
    if user_id == guild.owner_id:
        return ALL
    allowed = guild.roles[guild.id].permissions
    for role_id in guild.members[user_id].roles:
        allowed |= guild.roles[role_id].permissions
    return ALL if allowed & permission_bits("administrator") else allowed


def channel_permissions(guild: Guild, channel: Channel, user_id: int) -> int:
    """What a member may do in one channel; a thread goes by its parent's overwrites, which the caller passes."""
    allowed = member_permissions(guild, user_id)
    if allowed == ALL:
        return ALL
    for target in (guild.id, *guild.members[user_id].roles, user_id):
        overwrite = channel.overwrites.get(target)
        if overwrite:
            allowed = allowed & ~overwrite.deny | overwrite.allow
    return allowed
