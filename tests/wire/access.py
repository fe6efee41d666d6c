"""Permission checks that the routes make before they act for the bot."""

from tests.wire import payloads, seeds
from tests.wire.errors import api_error
from tests.wire.permissions import permission_bits
from tests.wire.state import State
from tests.wire.world import Channel, Message


def visible_channel(state: State, channel_id: int) -> Channel:
    """The channel if the bot may see it; raises 10003 or 50001 otherwise."""
    channel = state.world.channel(channel_id)
    if not has_permissions(state, channel, "view_channel"):
        raise api_error("missing_access")
    return channel


def require(state: State, channel: Channel, *names: str) -> None:
    """Raise 50013 unless the bot has all of these permissions in the channel."""
    if not has_permissions(state, channel, *names):
        raise api_error("missing_permissions")


def has_permissions(state: State, channel: Channel, *names: str, user_id: int = seeds.APPLICATION) -> bool:
    """Whether a user, by default the bot, has all of these permissions in the channel."""
    wanted = permission_bits(*names)
    return payloads.permissions_in(state.world, channel, user_id) & wanted == wanted


def visible_message(state: State, channel_id: int, message_id: int) -> Message:
    """A message as the bot's token sees it; an ephemeral one is unknown (10008)."""
    visible_channel(state, channel_id)
    message = state.world.message(channel_id, message_id)
    if message.audience is not None:
        raise api_error("unknown_message")
    return message


def require_send(state: State, channel: Channel, *, files: bool) -> None:
    """Raise unless the bot may send there: 50083 in an archived and locked thread, else 50013."""
    if channel.is_thread and channel.archived and channel.locked:
        raise api_error("archived")
    require(state, channel, "send_messages_in_threads" if channel.is_thread else "send_messages")
    if files:
        require(state, channel, "attach_files")
