"""Who may do what in a channel: each route asks here before it acts for the bot."""

from tests.wire import payloads, seeds
from tests.wire.form import refusal
from tests.wire.permissions import bits
from tests.wire.state import State
from tests.wire.world import Channel, Message


def see(state: State, channel_id: int) -> Channel:
    """The channel, if the bot may see it; else 10003 or 50001."""
    channel = state.world.channel(channel_id)
    if not may(state, channel, "view_channel"):
        raise refusal("missing_access")
    return channel


def need(state: State, channel: Channel, *names: str) -> None:
    """Raises 50013 unless the bot has all of these permissions there."""
    if not may(state, channel, *names):
        raise refusal("missing_permissions")


def may(state: State, channel: Channel, *names: str, user_id: int = seeds.APPLICATION) -> bool:
    """Whether somebody, by default the bot, has all of these permissions in a channel."""
    wanted = bits(*names)
    return payloads.permissions_in(state.world, channel, user_id) & wanted == wanted


def visible(state: State, channel_id: int, message_id: int) -> Message:
    """A message as the bot's token sees it: what one person alone sees is unknown to it (10008)."""
    see(state, channel_id)
    message = state.world.message(channel_id, message_id)
    if message.audience is not None:
        raise refusal("unknown_message")
    return message


def need_to_write(state: State, channel: Channel, *, files: bool) -> None:
    """Raises unless the bot may write there: 50083 in an archived locked thread, else 50013."""
    if channel.is_thread and channel.archived and channel.locked:
        raise refusal("archived")
    need(state, channel, "send_messages_in_threads" if channel.is_thread else "send_messages")
    if files:
        need(state, channel, "attach_files")
