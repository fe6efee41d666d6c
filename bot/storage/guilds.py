"""What admins set for their servers, a row a server; those that set nothing have none."""

import json
from dataclasses import dataclass, field

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import Database
from bot.storage.tables import GUILDS


@dataclass(frozen=True, slots=True)
class GuildRow:
    """Settings of the server `guild_id`; None and empty mean that nothing was set.

    `private` says for a command by name whether its answers are for the asker alone; token limits are a UTC day's.
    """

    guild_id: int
    language: str | None = None
    adventure_channels: frozenset[int] = frozenset()
    report_channel: int | None = None
    user_tokens: int | None = None
    guild_tokens: int | None = None
    private: dict[str, bool] = field(default_factory=dict)
    menus: bool = True
    adult: bool = False


async def all_guilds(database: Database) -> list[GuildRow]:
    """Every server that has settings."""
    columns = [GUILDS.c[name] for name in GuildRow.__slots__]
    async with database.read() as connection:
        rows = (await connection.execute(select(*columns))).all()
    return [
        GuildRow(guild, language, frozenset(json.loads(channels)), report, user, server, json.loads(private), *switches)
        for guild, language, channels, report, user, server, private, *switches in rows
    ]


async def put(database: Database, row: GuildRow) -> None:
    """Store `row` in place of what the server had; durable when this returns."""
    values = {name: getattr(row, name) for name in GuildRow.__slots__}
    values["adventure_channels"] = json.dumps(sorted(row.adventure_channels))
    values["private"] = json.dumps(row.private, sort_keys=True)

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(delete(GUILDS).where(GUILDS.c.guild_id == row.guild_id))
        await connection.execute(GUILDS.insert(), values)

    await database.transact(work)
