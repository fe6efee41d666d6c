"""How Discord writes down what exists: the JSON of users, members, servers, channels, messages and interactions."""

from tests.wire.errors import Json
from tests.wire.permissions import ALL, channel_permissions, member_permissions, permission_bits
from tests.wire.seeds import APPLICATION
from tests.wire.world import DM, Channel, Guild, Message, Overwrite, Role, User, World, iso, snowflake_time

# "Gateway message content limited" and "guild members limited": switched on in the portal, for under 100 servers.
FLAG_MESSAGE_CONTENT, FLAG_GUILD_MEMBERS = 1 << 19, 1 << 15


def user(who: User) -> Json:
    """A user object."""
    payload: Json = {
        "id": str(who.id),
        "username": who.name,
        "global_name": None if who.bot else who.display,
        "discriminator": "0000" if who.bot else "0",
        "avatar": None,
        "public_flags": 0,
        "flags": 0,
        "primary_guild": None,
    }
    if who.bot:
        payload["bot"] = True
    return payload


def member(world: World, guild: Guild, user_id: int, *, with_user: bool = True) -> Json:
    """A member object; inside a message it goes without its user."""
    payload: Json = {
        "roles": [str(role) for role in guild.members[user_id].roles],
        "joined_at": iso(snowflake_time(guild.id)),
        "deaf": False,
        "mute": False,
        "flags": 0,
        "nick": None,
        "avatar": None,
        "banner": None,
        "pending": False,
        "premium_since": None,
        "communication_disabled_until": None,
    }
    if with_user:
        payload["user"] = user(world.users[user_id])
    return payload


def role(item: Role, position: int) -> Json:
    """A role object."""
    return {
        "id": str(item.id),
        "name": item.name,
        "permissions": str(item.permissions),
        "position": position,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "icon": None,
        "unicode_emoji": None,
        "hoist": False,
        "managed": False,
        "mentionable": False,
        "flags": 0,
    }


def overwrite(target: int, item: Overwrite) -> Json:
    """A permission overwrite."""
    return {"id": str(target), "type": item.kind, "allow": str(item.allow), "deny": str(item.deny)}


def channel(world: World, item: Channel) -> Json:
    """A channel object of any kind."""
    last = next(reversed(item.messages), None)
    payload: Json = {
        "id": str(item.id),
        "type": item.kind,
        "flags": 0,
        "last_message_id": str(last) if last else None,
    }
    if item.kind == DM:
        payload["recipients"] = [user(world.users[person]) for person in item.recipients]
        return payload
    payload |= {
        "name": item.name,
        "guild_id": str(item.guild_id),
        "parent_id": str(item.parent_id) if item.parent_id else None,
        "rate_limit_per_user": 0,
    }
    if item.is_thread:
        return payload | _thread_fields(item)
    return payload | {
        "position": 0,
        "topic": item.topic,
        "nsfw": False,
        "permission_overwrites": [overwrite(target, one) for target, one in item.overwrites.items()],
    }


def _thread_fields(item: Channel) -> Json:
    created = iso(snowflake_time(item.id))
    return {
        "owner_id": str(item.owner_id),
        "message_count": len(item.messages),
        "total_message_sent": len(item.messages),
        "member_count": len(item.thread_members),
        "member": thread_member(item, APPLICATION),
        "thread_metadata": {
            "archived": item.archived,
            "auto_archive_duration": item.auto_archive,
            "archive_timestamp": created,
            "create_timestamp": created,
            "locked": item.locked,
        },
    }


def thread_member(item: Channel, user_id: int) -> Json:
    """A person's place in a thread."""
    return {
        "id": str(item.id),
        "user_id": str(user_id),
        "join_timestamp": iso(snowflake_time(item.id)),
        "flags": 0,
    }


# What a server has not set up, and Discord names all the same.
UNSET = (
    *("icon", "description", "home_header", "splash", "discovery_splash", "banner", "application_id"),
    *("afk_channel_id", "system_channel_id", "widget_channel_id", "vanity_url_code", "rules_channel_id"),
    *("safety_alerts_channel_id", "public_updates_channel_id", "max_presences", "incidents_data"),
)


def guild(world: World, item: Guild, everything: list[Channel]) -> Json:
    """A server with its channels and threads, as GUILD_CREATE sends it.

    Of its members it names the bot alone, as without the members intent.
    """
    return dict.fromkeys(UNSET) | {
        "id": str(item.id),
        "name": item.name,
        "owner_id": str(item.owner_id),
        "unavailable": False,
        "large": False,
        "member_count": len(item.members),
        "joined_at": iso(snowflake_time(item.id)),
        "preferred_locale": item.locale,
        "features": [],
        "verification_level": 0,
        "default_message_notifications": 1,
        "explicit_content_filter": 0,
        "mfa_level": 0,
        "nsfw_level": 0,
        "premium_tier": 0,
        "region": "deprecated",
        "system_channel_flags": 0,
        "widget_enabled": False,
        "nsfw": False,
        "premium_subscription_count": 0,
        "premium_progress_bar_enabled": False,
        "max_members": 25_000_000,
        "max_video_channel_users": 25,
        "max_stage_video_channel_users": 50,
        "afk_timeout": 300,
        "roles": [role(one, position) for position, one in enumerate(item.roles.values())],
        "channels": [channel(world, one) for one in everything if not one.is_thread],
        "threads": [channel(world, one) for one in everything if one.is_thread and not one.archived],
        "members": [member(world, item, APPLICATION)],
        "emojis": [],
        "stickers": [],
        "voice_states": [],
        "presences": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
    }


def message(world: World, item: Message, *, nested: bool = False) -> Json:
    """A message object; a nested one is the `referenced_message` of another, and holds none itself."""
    payload: Json = {
        "id": str(item.id),
        "channel_id": str(item.channel_id),
        "author": user(world.users[item.author_id]),
        "content": item.content,
        "timestamp": iso(snowflake_time(item.id)),
        "edited_timestamp": iso(item.edited) if item.edited else None,
        "tts": False,
        "mention_everyone": "everyone" in item.pings,
        "mentions": [user(world.users[person]) for person in item.mentions],
        "mention_roles": [ping.removeprefix("&") for ping in item.pings if ping.startswith("&")],
        "attachments": item.attachments,
        "embeds": item.embeds,
        "components": item.components,
        "pinned": False,
        "type": item.kind,
        "flags": item.flags,
    }
    if item.nonce is not None:
        payload["nonce"] = item.nonce
    if item.reactions:
        payload["reactions"] = [_reaction(emoji, people) for emoji, people in item.reactions.items()]
    if item.by_webhook:
        payload |= {"webhook_id": str(APPLICATION), "application_id": str(APPLICATION)}
    if item.interaction:
        payload |= _interaction_fields(item.interaction)
    if item.thread_id in world.channels:
        payload["thread"] = channel(world, world.channels[item.thread_id])
    if item.poll:
        payload["poll"] = item.poll
    if item.snapshots:
        payload["message_snapshots"] = item.snapshots
        payload["message_reference"] = item.reference
    elif item.reference and not nested:
        payload["message_reference"] = item.reference
        payload["referenced_message"] = _referenced(world, item.reference)
    return payload


def snapshot(item: Message) -> Json:
    """A forwarded message inside `message_snapshots`: without ids and author."""
    return {
        "message": {
            "type": item.kind,
            "content": item.content,
            "mentions": [],
            "mention_roles": [],
            "attachments": item.attachments,
            "embeds": item.embeds,
            "timestamp": iso(snowflake_time(item.id)),
            "edited_timestamp": iso(item.edited) if item.edited else None,
            "flags": item.flags,
            "components": item.components,
        }
    }


def poll(question: str, answers: list[str], created: float) -> Json:
    """A poll object that runs for 24 hours and has no votes."""
    return {
        "question": {"text": question},
        "answers": [
            {"answer_id": number, "poll_media": {"text": text}} for number, text in enumerate(answers, start=1)
        ],
        "expiry": iso(created + 86_400),
        "allow_multiselect": False,
        "layout_type": 1,
        "results": {"answer_counts": [], "is_finalized": False},
    }


def _reaction(emoji: str, people: list[int]) -> Json:
    return {
        "emoji": {"id": None, "name": emoji},
        "count": len(people),
        "me": APPLICATION in people,
        "count_details": {"normal": len(people), "burst": 0},
        "me_burst": False,
        "burst_colors": [],
    }


def _interaction_fields(source: Json) -> Json:
    old_form = {key: source[key] for key in ("id", "type", "user")} | {"name": source["name"]}
    new_form = {key: value for key, value in source.items() if key != "name"}
    return {"interaction_metadata": new_form} | ({"interaction": old_form} if source["type"] == 2 else {})


def _referenced(world: World, reference: Json) -> Json | None:
    where = world.channels.get(int(reference["channel_id"]))
    found = where.messages.get(int(reference["message_id"])) if where else None
    return message(world, found, nested=True) if found else None


def permissions_in(world: World, where: Channel, user_id: int) -> int:
    """What somebody may do in a channel; a thread goes by its parent, a direct conversation allows nearly all."""
    if where.guild_id is None:
        return ALL & ~permission_bits("manage_messages", "manage_channels", "manage_threads")
    item = world.guild(where.guild_id)
    if user_id not in item.members:
        return 0
    place = world.channels.get(where.parent_id or 0, where)
    return channel_permissions(item, place, user_id)


def member_in(world: World, where: Channel, user_id: int) -> Json:
    """A member as an interaction carries it: with its user and its permissions in that channel."""
    item = world.guild(where.guild_id or 0)
    allowed = permissions_in(world, where, user_id)
    return member(world, item, user_id) | {"permissions": str(allowed)}


def application(world: World, operator_id: int, flags: int) -> Json:
    """The application, owned by the operator."""
    return {
        "id": str(APPLICATION),
        "name": world.users[APPLICATION].display,
        "icon": None,
        "description": "",
        "type": None,
        "bot": user(world.users[APPLICATION]),
        "owner": user(world.users[operator_id]),
        "team": None,
        "bot_public": True,
        "bot_require_code_grant": False,
        "verify_key": "0" * 64,
        "flags": flags,
        "flags_new": str(flags),
        "approximate_guild_count": len(world.guilds),
        "integration_types_config": {"0": {}},
        "redirect_uris": [],
        "tags": [],
        "interactions_endpoint_url": None,
        "role_connections_verification_url": None,
        "approximate_user_install_count": 0,
        "approximate_user_authorization_count": 0,
        "explicit_content_filter": 0,
        "eligible_oauth2_scopes": [],
    }


def guild_permissions(item: Guild, user_id: int) -> str:
    """A member's permissions in a server, as the list of one's servers shows them."""
    return str(member_permissions(item, user_id))
