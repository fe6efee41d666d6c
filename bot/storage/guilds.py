"""The settings of servers: one JSON object for each server that set anything."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import Database
from bot.storage.tables import GUILD_SETTINGS


async def all_settings(database: Database) -> dict[int, dict[str, Any]]:
    """The settings of all servers, by server id."""
    async with database.read() as connection:
        rows = (await connection.execute(select(GUILD_SETTINGS.c.guild_id, GUILD_SETTINGS.c.settings))).all()
    return {guild_id: json.loads(settings) for guild_id, settings in rows}


async def put_settings(database: Database, guild_id: int, settings: Mapping[str, Any]) -> None:
    """Store a server's `settings` in place of the earlier ones; durable on return."""
    row = {"guild_id": guild_id, "settings": json.dumps(settings, sort_keys=True)}

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(delete(GUILD_SETTINGS).where(GUILD_SETTINGS.c.guild_id == guild_id))
        await connection.execute(GUILD_SETTINGS.insert(), row)

    await database.transact(work)
