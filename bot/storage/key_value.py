"""Small named values that one process stores for the next."""

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import Database, in_transaction
from bot.storage.tables import KEY_VALUES

# Followed by a server's id: what its managers know of the model that answers there. Erased with the server.
WATCHED = "model-watch:"
# Followed by digests of a template, a model and its version: the answers of that model to the tests that ship.
SHIPPED = "shipped-tests:"


async def get_value(database: Database, name: str) -> str | None:
    """The value under `name`; None where there is none."""
    found: str | None = await database.fetch_value(select(KEY_VALUES.c.value).where(KEY_VALUES.c.name == name))
    return found


@in_transaction
async def set_value(connection: AsyncConnection, name: str, value: str) -> None:
    """Store `value` under `name`, in place of an earlier one."""
    await connection.execute(delete(KEY_VALUES).where(KEY_VALUES.c.name == name))
    await connection.execute(KEY_VALUES.insert().values(name=name, value=value))


async def names_with_prefix(database: Database, prefix: str) -> list[str]:
    """All names that start with `prefix`, in order."""
    query = select(KEY_VALUES.c.name).where(KEY_VALUES.c.name.startswith(prefix, autoescape=True))
    return await database.fetch_values(query.order_by(KEY_VALUES.c.name))


async def delete_value(database: Database, name: str) -> None:
    """Delete the value under `name`."""
    await database.execute(delete(KEY_VALUES).where(KEY_VALUES.c.name == name))
