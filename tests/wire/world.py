"""The simulated state: users, servers, channels and messages."""

import asyncio
import itertools
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.wire.errors import Json, api_error

# Discord counts its ids' milliseconds from the first second of 2015.
DISCORD_EPOCH_MS = 1_420_070_400_000

TEXT, DM, PUBLIC_THREAD, PRIVATE_THREAD = 0, 1, 11, 12
EPHEMERAL, LOADING, COMPONENTS_V2 = 1 << 6, 1 << 7, 1 << 15
HAS_SNAPSHOT = 1 << 14


@dataclass(slots=True)
class User:
    """A person or the bot."""

    id: int
    name: str
    display: str
    bot: bool = False
    locale: str = "en-US"


@dataclass(slots=True)
class Role:
    """A role of a server; the one with the server's id is @everyone."""

    id: int
    name: str
    permissions: int


@dataclass(slots=True)
class Member:
    """A member of a server, with the ids of the roles beside @everyone."""

    user_id: int
    roles: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Overwrite:
    """What a channel allows and denies to one role (kind 0) or member (kind 1)."""

    kind: int
    allow: int
    deny: int


@dataclass(slots=True)
class Guild:
    """A server."""

    id: int
    name: str
    owner_id: int
    roles: dict[int, Role]
    members: dict[int, Member]
    locale: str = "en-US"


@dataclass(slots=True)
class Channel:
    """A text channel, a thread or a direct conversation, with its messages in order."""

    id: int
    kind: int
    name: str
    guild_id: int | None = None
    parent_id: int | None = None
    owner_id: int | None = None
    topic: str | None = None
    recipients: list[int] = field(default_factory=list)
    overwrites: dict[int, Overwrite] = field(default_factory=dict)
    messages: "dict[int, Message]" = field(default_factory=dict)
    thread_members: list[int] = field(default_factory=list)
    archived: bool = False
    locked: bool = False
    auto_archive: int = 1440
    typing: list[float] = field(default_factory=list)

    @property
    def is_thread(self) -> bool:
        """Whether this is a thread, public or private."""
        return self.kind in (PUBLIC_THREAD, PRIVATE_THREAD)


@dataclass(slots=True)
class Message:
    """A message. `audience` is the only person who sees an ephemeral one; `pings` whom it notified."""

    id: int
    channel_id: int
    author_id: int
    content: str = ""
    kind: int = 0
    flags: int = 0
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    mentions: list[int] = field(default_factory=list)
    pings: list[str] = field(default_factory=list)
    reference: Json | None = None
    interaction: Json | None = None
    by_webhook: bool = False
    audience: int | None = None
    edited: float | None = None
    edits: int = 0
    thread_id: int | None = None
    nonce: str | int | None = None
    reactions: dict[str, list[int]] = field(default_factory=dict)
    poll: Json | None = None
    snapshots: list[Json] = field(default_factory=list)


class World:
    """All users, servers, channels, messages and files. `version` counts the visible changes."""

    def __init__(self) -> None:
        self.clock_shift = 0.0
        self.version = 0
        self.users: dict[int, User] = {}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.files: dict[int, tuple[str, bytes]] = {}
        self._counter = itertools.count()
        self._changed = asyncio.Event()

    def now(self) -> float:
        """Seconds since 1970 by Discord's clock, which a test can shift."""
        return time.time() + self.clock_shift

    def snowflake(self) -> int:
        """A new id, greater than all before it, from which the time can be read."""
        return ((int(self.now() * 1000) - DISCORD_EPOCH_MS) << 22) | (next(self._counter) & 0x3FFFFF)

    def touch(self) -> None:
        """Count a change and wake `changed`."""
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed(self, after: int, timeout: float) -> None:
        """Wait until `version` is greater than `after`, at most `timeout` seconds."""
        if self.version > after:
            return
        try:
            await asyncio.wait_for(self._changed.wait(), timeout)
        except TimeoutError:
            return

    def channel(self, channel_id: int) -> Channel:
        """The channel with that id, or error 10003."""
        if channel_id not in self.channels:
            raise api_error("unknown_channel")
        return self.channels[channel_id]

    def guild(self, guild_id: int) -> Guild:
        """The server with that id, or error 10004."""
        if guild_id not in self.guilds:
            raise api_error("unknown_guild")
        return self.guilds[guild_id]

    def message(self, channel_id: int, message_id: int) -> Message:
        """The message with that id in that channel, or error 10008."""
        message = self.channel(channel_id).messages.get(message_id)
        if message is None:
            raise api_error("unknown_message")
        return message

    def channels_of(self, guild_id: int) -> list[Channel]:
        """A server's channels and threads."""
        return [channel for channel in self.channels.values() if channel.guild_id == guild_id]

    def channels_by_guild(self) -> dict[int | None, list[Channel]]:
        """The channels and threads of all servers: with thousands of servers, quicker than each on its own."""
        found: dict[int | None, list[Channel]] = {}
        for channel in self.channels.values():
            found.setdefault(channel.guild_id, []).append(channel)
        return found


def snowflake_time(snowflake: int) -> float:
    """The time in an id, in seconds since 1970."""
    return ((snowflake >> 22) + DISCORD_EPOCH_MS) / 1000


def iso(seconds: float) -> str:
    """A time as Discord writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()
