"""The settings of servers: read once at start, held in memory, written through.

A new setting is one field of `GuildSettings`. Its `Setting` says which option of which `/settings` command changes it,
and how the card shows it. It is stored as a member of a JSON object, so it needs no migration.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeVar

from bot.core.caller import Caller
from bot.core.errors import InputError, NotAllowedError
from bot.core.i18n import LANGUAGES, N_
from bot.storage import guilds as stored
from bot.storage.database import Database

_T = TypeVar("_T")
# Whether only the asker sees a command's answers, unless the server or the asker chooses otherwise.
PRIVATE = {
    "translate": True,
    "rewrite": True,
    "sentiment": True,
    "compare": True,
    "facts": False,
    "ask": False,
    "trick": False,
    "racing": False,
}


@dataclass(frozen=True, slots=True)
class Setting:
    """How a field of `GuildSettings` is changed and shown.

    `option` of `/settings` changes it; `about` describes the option. A `switch` shows `on` or `off`. Every other kind
    shows `on` with the value as `{value}`, or `off` where there is none. `tokens` is a daily limit that the operator
    bounds; `below` and `above` refuse a value outside of 1 to that bound. A `channels` option adds a channel.
    """

    kind: Literal["switch", "channel", "channels", "tokens"]
    option: str
    about: str
    on: str
    off: str
    below: str = ""
    above: str = ""
    needs_moderation: bool = False

    @property
    def command(self) -> str:
        """The command below `/settings` that has the option."""
        return {"switch": "privacy", "tokens": "limits"}.get(self.kind, "channels")


def _setting(default: _T, setting: Setting) -> _T:
    return field(default=default, metadata={"setting": setting})


@dataclass(frozen=True, slots=True)
class GuildSettings:
    """A server's settings. None means that the admins set nothing.

    Without a `language`, the server's language in Discord is used. `private` says by command whether only the asker
    sees its answers. `models` may be chosen (all where it is empty), and `model` answers where nobody chose one; in the
    channels of `channel_models` another one does. Limits are tokens a UTC day; the lower of the server's and the
    operator's limit applies. `role_limits` are multiples of a person's limit. Blocked people and roles may ask no
    model. Ids that are keys are texts, as in JSON.
    """

    language: str | None = None
    private: Mapping[str, bool] = field(default_factory=dict)
    models: frozenset[str] = frozenset()
    model: str | None = None
    channel_models: Mapping[str, str] = field(default_factory=dict)
    role_limits: Mapping[str, float] = field(default_factory=dict)
    blocked_users: frozenset[int] = frozenset()
    blocked_roles: frozenset[int] = frozenset()
    adventure_channels: frozenset[int] = _setting(
        frozenset(),
        Setting(
            "channels",
            "adventure",
            N_("A channel for adventures: stories are played in it and not in a new thread"),
            N_("**Adventures** {value}"),
            N_("**Adventures** in threads, wherever they are started"),
        ),
    )
    quiet_channels: frozenset[int] = _setting(
        frozenset(),
        Setting(
            "channels",
            "quiet",
            N_("A channel without conversations: no follow-ups, and no answers to mentions"),
            N_("**Channels without conversations** {value}"),
            N_("**Channels without conversations** none"),
        ),
    )
    report_channel: int | None = _setting(
        None,
        Setting(
            "channel",
            "reports",
            N_("A channel that moderators read, for what members report"),
            N_("**Reports** {value}"),
            N_("**Reports** no channel is set"),
        ),
    )
    user_tokens: int | None = _setting(
        None,
        Setting(
            "tokens",
            "person",
            N_("Tokens a person may use here in a day (UTC)"),
            N_("**Tokens a day for a person** {value}"),
            N_("**Tokens a day for a person** {value} (the operator's)"),
            N_("A limit is at least 1 token a day for each person; {n:,} is too low."),
            N_("The operator allows a person {n:,} tokens a day; a server can lower that, and not raise it."),
        ),
    )
    guild_tokens: int | None = _setting(
        None,
        Setting(
            "tokens",
            "server",
            N_("Tokens all of this server may use in a day (UTC)"),
            N_("**Tokens a day for the server** {value}"),
            N_("**Tokens a day for the server** {value} (the operator's)"),
            N_("A limit is at least 1 token a day for each server; {n:,} is too low."),
            N_("The operator allows a server {n:,} tokens a day; a server can lower that, and not raise it."),
        ),
    )
    menus: bool = _setting(
        True,
        Setting(
            "switch",
            "menus",
            N_("Let menus and follow-ups send other people's messages and answers to a model"),
            N_("**Menus and follow-ups** may send other people's messages and answers to a model"),
            N_("**Menus and follow-ups** do not send other people's messages and answers to a model"),
        ),
    )
    conversations: bool = _setting(
        True,
        Setting(
            "switch",
            "conversations",
            N_("Let people follow up on answers, and talk to me by mentioning me"),
            N_("**Conversations** on: people follow up on answers, and talk to me by mentioning me"),
            N_("**Conversations** off: no follow-ups, and no answers to mentions"),
        ),
    )
    adult: bool = _setting(
        False,
        Setting(
            "switch",
            "adult",
            N_("Allow adult content in age-restricted channels, where the operator's moderation would block it"),
            N_("**Age-restricted channels** texts for adults are allowed there"),
            N_("**Age-restricted channels** moderated like all others"),
            needs_moderation=True,
        ),
    )

    def tokens_of(self, roles: Collection[int], most: int) -> int | None:
        """Tokens a day for a member with these `roles`; None where the server sets no limit for them.

        The highest multiple of the roles counts. `most` is the operator's limit for a person.
        """
        multiples = [times for role, times in self.role_limits.items() if int(role) in roles]
        if not multiples:
            return self.user_tokens
        return min(int((self.user_tokens or most) * max(multiples)), most)

    def to_json(self) -> dict[str, Any]:
        """The values that differ from the defaults, as JSON has them."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        changed = {name: value for name, value in values.items() if value != getattr(UNSET, name)}
        return {name: _plain(value) for name, value in changed.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "GuildSettings":
        """The settings in `data`. An unknown name is ignored, as another version of the bot may have stored it."""
        known = {item.name for item in fields(cls)}
        values: dict[str, Any] = {
            name: frozenset(value) if isinstance(value, list) else value
            for name, value in data.items()
            if name in known
        }
        return cls(**values)


UNSET = GuildSettings()
SETTINGS: Mapping[str, Setting] = {
    item.name: item.metadata["setting"] for item in fields(GuildSettings) if "setting" in item.metadata
}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return sorted(value) if isinstance(value, frozenset) else value


class GuildSettingsStore:
    """The settings of all servers; made by `open_guild_settings`, one for the process.

    `max_tokens` are the operator's limits by the name of the setting that may lower them.
    """

    def __init__(self, database: Database, max_user_tokens: int, max_guild_tokens: int) -> None:
        self._database = database
        self.max_tokens = {"user_tokens": max_user_tokens, "guild_tokens": max_guild_tokens}
        self.private_by_default = dict(PRIVATE)
        self._settings: dict[int, GuildSettings] = {}
        self._changing = asyncio.Lock()
        # Called with the id of a server whose settings were changed, here or in another process.
        self.on_change: Callable[[int], None] | None = None

    async def load(self) -> None:
        """Read all settings."""
        for guild_id, data in (await stored.all_settings(self._database)).items():
            self._settings[guild_id] = GuildSettings.from_json(data)

    async def reload(self, guild_id: str) -> None:
        """Read the settings of a server again, which another process may have changed; of all servers where empty."""
        if not guild_id:
            await self.load()
            return
        data = await stored.settings_of(self._database, int(guild_id))
        self._settings[int(guild_id)] = UNSET if data is None else GuildSettings.from_json(data)
        self._tell(int(guild_id))

    def of(self, guild_id: int | None) -> GuildSettings:
        """The settings of a server; the defaults for direct messages (None) and for servers that set nothing."""
        return self._settings.get(guild_id, UNSET) if guild_id is not None else UNSET

    def private(self, guild_id: int | None, command: str, chosen: bool | None = None) -> bool:
        """Whether only the asker sees the answer: as they chose, else as the server set, else the default."""
        if chosen is not None:
            return chosen
        return self.of(guild_id).private.get(command, self.private_by_default[command])

    def allow_menu(self, guild_id: int | None, user_id: int, author_id: int) -> None:
        """Raises `NotAllowedError` where the server does not let other people's messages be sent to a model."""
        if user_id != author_id and not self.of(guild_id).menus:
            raise NotAllowedError(
                "This server does not let me send other people's messages to a model; its managers can allow it with "
                "/settings privacy."
            )

    def has_conversations(self, caller: Caller) -> bool:
        """Whether there are conversations where `caller` is; always in direct messages."""
        own = self.of(caller.guild_id)
        return own.conversations and not {caller.channel_id, caller.parent_id} & own.quiet_channels

    def refuse_blocked(self, caller: Caller) -> None:
        """Raises `NotAllowedError` where the server's managers do not let `caller` ask a model."""
        own = self.of(caller.guild_id)
        if caller.user_id in own.blocked_users or not own.blocked_roles.isdisjoint(caller.roles):
            raise NotAllowedError("The managers of this server do not let you ask me anything here.")

    async def change(
        self, guild_id: int, update: Callable[[GuildSettings], GuildSettings] | None = None, /, **values: Any
    ) -> GuildSettings:
        """Replace the settings by `update(settings)` with `values` by name; returns them.

        Raises `InputError` for a changed value that is not allowed. Changes at the same time do not overwrite each
        other.
        """
        async with self._changing:
            old = self.of(guild_id)
            new = replace(update(old) if update else old, **values)
            self._check(old, new)
            # The database is written first, so that a failed write changes nothing in memory.
            await stored.put_settings(self._database, guild_id, new.to_json())
            self._settings[guild_id] = new
        self._tell(guild_id)
        return new

    def _tell(self, guild_id: int) -> None:
        if self.on_change is not None:
            self.on_change(guild_id)

    def forget(self, guild_id: int) -> None:
        """Remove a server from memory, after its rows are deleted."""
        self._settings.pop(guild_id, None)

    def _check(self, old: GuildSettings, new: GuildSettings) -> None:
        if new.language is not None and new.language not in LANGUAGES:
            raise InputError("I speak {languages}, and no other language yet.", languages=", ".join(LANGUAGES.values()))
        for name, maximum in self.max_tokens.items():
            tokens = getattr(new, name)
            if tokens is None or tokens == getattr(old, name):
                continue
            if tokens < 1:
                raise InputError(SETTINGS[name].below, n=tokens)
            if tokens > maximum:
                raise InputError(SETTINGS[name].above, n=maximum)


async def open_guild_settings(database: Database, max_user_tokens: int, max_guild_tokens: int) -> GuildSettingsStore:
    """The settings of all servers, read."""
    store = GuildSettingsStore(database, max_user_tokens, max_guild_tokens)
    await store.load()
    return store
