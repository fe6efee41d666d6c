"""The settings of servers: one JSON object for each server that set anything."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import Database, in_transaction
from bot.storage.notices import announce
from bot.storage.tables import GUILD_SETTINGS

# The subject of the notice about a server's settings; the text is its id.
CHANGED = "guild settings"


async def all_settings(database: Database) -> dict[int, dict[str, Any]]:
    """The settings of all servers, by server id."""
    rows = await database.fetch_all(select(GUILD_SETTINGS.c.guild_id, GUILD_SETTINGS.c.settings))
    return {guild_id: json.loads(settings) for guild_id, settings in rows}


async def settings_of(database: Database, guild_id: int) -> dict[str, Any] | None:
    """The settings of a server; None where it set nothing."""
    query = select(GUILD_SETTINGS.c.settings).where(GUILD_SETTINGS.c.guild_id == guild_id)
    found = await database.fetch_value(query)
    return json.loads(found) if found else None


@in_transaction
async def put_settings(connection: AsyncConnection, guild_id: int, settings: Mapping[str, Any]) -> None:
    """Store a server's `settings` in place of the earlier ones, and announce it; durable on return."""
    row = {"guild_id": guild_id, "settings": json.dumps(settings, sort_keys=True)}
    await connection.execute(delete(GUILD_SETTINGS).where(GUILD_SETTINGS.c.guild_id == guild_id))
    await connection.execute(GUILD_SETTINGS.insert(), row)
    await announce(connection, CHANGED, str(guild_id))
