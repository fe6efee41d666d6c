"""What admins set for their servers: read once at start, held in memory, written through.

An admin may lower the operator's limits and never raise them; the lower of the two holds (`bot.server.ledger`).
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from bot.core.errors import InputError, NotAllowedError
from bot.core.i18n import LANGUAGES, N_
from bot.storage import guilds as rows
from bot.storage.database import Database

# Whether the answers of a command are for the asker alone, where neither the server nor the person says so.
PRIVATE: Mapping[str, bool] = MappingProxyType(
    {
        "translate": True,
        "rewrite": True,
        "sentiment": True,
        "compare": True,
        "facts": False,
        "ask": False,
        "trick": False,
        "racing": False,
    }
)

# What is said to a limit below one token, and to one above the operator's.
FOR_A_PERSON = (
    N_("A limit is at least 1 token a day for each person; {n:,} would be none at all."),
    N_("The operator allows a person {n:,} tokens a day; a server can lower that, and not raise it."),
)
FOR_A_SERVER = (
    N_("A limit is at least 1 token a day for each server; {n:,} would be none at all."),
    N_("The operator allows a server {n:,} tokens a day; a server can lower that, and not raise it."),
)


@dataclass(frozen=True, slots=True)
class GuildSettings:
    """A server's settings. None means that the admins left it: the language is the server's own with Discord,
    the limits (tokens a UTC day) are the operator's, reports go nowhere.

    `menus` says whether Translate and Rewrite… may send other people's messages to a model, `adult` whether
    age-restricted channels may hold what the operator's moderation keeps from the others.
    """

    language: str | None = None
    adventure_channels: frozenset[int] = frozenset()
    report_channel: int | None = None
    user_tokens: int | None = None
    guild_tokens: int | None = None
    private: Mapping[str, bool] = field(default_factory=dict)
    menus: bool = True
    adult: bool = False


UNSET = GuildSettings()


class Guilds:
    """Every server's settings; made by `open_guilds`, one for the process."""

    def __init__(self, database: Database, most_user_tokens: int, most_guild_tokens: int) -> None:
        self._database = database
        self.most_user_tokens, self.most_guild_tokens = most_user_tokens, most_guild_tokens
        self._settings: dict[int, GuildSettings] = {}
        self._changing = asyncio.Lock()

    async def load(self) -> None:
        """Read everything."""
        for row in await rows.all_guilds(self._database):
            values = {name: getattr(row, name) for name in GuildSettings.__slots__}
            self._settings[row.guild_id] = GuildSettings(**values)

    def of(self, guild_id: int | None) -> GuildSettings:
        """The settings of a server; those of one that set nothing for direct messages (None) and strangers."""
        return self._settings.get(guild_id, UNSET) if guild_id is not None else UNSET

    def private(self, guild_id: int | None, command: str, chosen: bool | None = None) -> bool:
        """Whether an answer of `command` is its asker's alone: as chosen, else as the server has it, else as usual."""
        if chosen is not None:
            return chosen
        return self.of(guild_id).private.get(command, PRIVATE[command])

    def allow_menu(self, guild_id: int | None, user_id: int, author_id: int) -> None:
        """Raises `NotAllowedError` where the server keeps others' messages from being sent to a model."""
        if user_id != author_id and not self.of(guild_id).menus:
            raise NotAllowedError(
                "This server does not let me send other people's messages to a model; its admins can allow it with "
                "/settings privacy."
            )

    async def change(
        self,
        guild_id: int,
        *,
        language: str | None = None,
        report_channel: int | None = None,
        add_channel: int | None = None,
        drop_channel: int | None = None,
        private: Mapping[str, bool] | None = None,
        menus: bool | None = None,
        adult: bool | None = None,
    ) -> GuildSettings:
        """Change what is given and leave the rest; the settings after it. A language of "" is the server's own again.

        A dropped channel serves neither adventures nor reports any more.
        """
        if language and language not in LANGUAGES:
            raise InputError("I speak {languages}, and no other language yet.", languages=", ".join(LANGUAGES.values()))
        async with self._changing:
            new = self.of(guild_id)
            if language is not None:
                new = replace(new, language=language or None)
            if report_channel is not None:
                new = replace(new, report_channel=report_channel)
            if add_channel is not None:
                new = replace(new, adventure_channels=new.adventure_channels | {add_channel})
            if drop_channel is not None:
                reports = None if new.report_channel == drop_channel else new.report_channel
                new = replace(new, adventure_channels=new.adventure_channels - {drop_channel}, report_channel=reports)
            if private is not None:
                new = replace(new, private={**new.private, **private})
            if menus is not None:
                new = replace(new, menus=menus)
            if adult is not None:
                new = replace(new, adult=adult)
            return await self._put(guild_id, new)

    async def limit(self, guild_id: int, *, user: int | None, guild: int | None) -> GuildSettings:
        """Set both daily limits, in tokens; None leaves one to the operator. The settings after it.

        Raises `InputError` below 1 and above what the operator allows.
        """
        _within(user, self.most_user_tokens, *FOR_A_PERSON)
        _within(guild, self.most_guild_tokens, *FOR_A_SERVER)
        async with self._changing:
            return await self._put(guild_id, replace(self.of(guild_id), user_tokens=user, guild_tokens=guild))

    def forget(self, guild_id: int) -> None:
        """Its settings are no longer kept."""
        self._settings.pop(guild_id, None)

    async def _put(self, guild_id: int, new: GuildSettings) -> GuildSettings:
        """Durable first, then in memory, so that nobody acts on what a failed write leaves behind."""
        values = {name: getattr(new, name) for name in GuildSettings.__slots__}
        await rows.put(self._database, rows.GuildRow(guild_id, **{**values, "private": dict(new.private)}))
        self._settings[guild_id] = new
        return new


def _within(tokens: int | None, most: int, too_low: str, too_high: str) -> None:
    if tokens is None:
        return
    if tokens < 1:
        raise InputError(too_low, n=tokens)
    if tokens > most:
        raise InputError(too_high, n=most)


async def open_guilds(database: Database, most_user_tokens: int, most_guild_tokens: int) -> Guilds:
    """The settings of all servers, read."""
    guilds = Guilds(database, most_user_tokens, most_guild_tokens)
    await guilds.load()
    return guilds
