"""Marks: small named values that one process leaves for the next."""

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import Database
from bot.storage.tables import MARKS


async def mark(database: Database, name: str) -> str | None:
    """The value of the mark `name`."""
    async with database.read() as connection:
        return (await connection.execute(select(MARKS.c.value).where(MARKS.c.name == name))).scalar_one_or_none()


async def set_mark(database: Database, name: str, value: str) -> None:
    """Set the mark `name`."""

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(delete(MARKS).where(MARKS.c.name == name))
        await connection.execute(MARKS.insert().values(name=name, value=value))

    await database.transact(work)


async def marks(database: Database, prefix: str) -> list[str]:
    """The names of all marks that begin with `prefix`."""
    query = select(MARKS.c.name).where(MARKS.c.name.startswith(prefix, autoescape=True)).order_by(MARKS.c.name)
    async with database.read() as connection:
        return list((await connection.execute(query)).scalars())


async def drop_mark(database: Database, name: str) -> None:
    """Forget the mark `name`."""
    await database.transact(lambda connection: connection.execute(delete(MARKS).where(MARKS.c.name == name)))
