"""Leases: which process does a piece of work that several could do.

A lease runs out by the database's clock, so processes whose clocks differ agree. Its holder renews it.
"""

from typing import Any

from sqlalchemy import Float, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from bot.storage.database import Database, in_transaction
from bot.storage.tables import LEASES


class DatabaseTime(FunctionElement[float]):
    """The database's clock, in seconds since 1970."""

    type = Float()
    inherit_cache = True


@compiles(DatabaseTime, "sqlite")
def _sqlite(*_: object, **__: object) -> str:
    return "(julianday('now') - 2440587.5) * 86400.0"


@compiles(DatabaseTime, "postgresql")
def _postgresql(*_: object, **__: object) -> str:
    return "extract(epoch FROM clock_timestamp())::double precision"


@in_transaction
async def acquire(connection: AsyncConnection, name: str, holder: str, seconds: float) -> bool:
    """Take or renew the lease `name` for `seconds`. False where another holder has it."""
    until: Any = DatabaseTime() + seconds
    free = (LEASES.c.holder == holder) | (LEASES.c.until < DatabaseTime())
    taken = await connection.execute(
        update(LEASES).where(LEASES.c.name == name, free).values(holder=holder, until=until)
    )
    if taken.rowcount:
        return True
    if await connection.scalar(select(LEASES.c.name).where(LEASES.c.name == name)) is not None:
        return False
    await connection.execute(insert(LEASES).values(name=name, holder=holder, until=until))
    return True


async def release(database: Database, name: str, holder: str) -> None:
    """Give a lease back before it runs out."""
    await database.execute(LEASES.delete().where(LEASES.c.name == name, LEASES.c.holder == holder))


async def delete_expired(database: Database) -> None:
    """Delete the leases that ran out, such as those of processes that were killed."""
    await database.execute(LEASES.delete().where(LEASES.c.until < DatabaseTime()))


async def is_any_held(database: Database, prefix: str) -> bool:
    """Whether anybody holds a lease whose name begins with `prefix`."""
    held = LEASES.c.name.startswith(prefix, autoescape=True) & (LEASES.c.until >= DatabaseTime())
    return await database.fetch_value(select(LEASES.c.name).where(held).limit(1)) is not None
