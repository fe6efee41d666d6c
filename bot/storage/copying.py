"""Copies all rows of a database to another, from SQLite to PostgreSQL or back."""

from typing import Any

from sqlalchemy import Table, bindparam, exists, func, select, text, update
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.errors import StorageError
from bot.storage import migrations
from bot.storage.database import check_address, engine
from bot.storage.errors import UnreachableError, is_of_database, sentence
from bot.storage.group_commit import EXCLUSIVE
from bot.storage.tables import METADATA

# Rows that are read and written together.
BATCH = 1_000
# Begins the reading: all tables as they are at one moment, also while a bot writes.
SNAPSHOT = {"sqlite": "BEGIN", "postgresql": "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"}


async def copy(source: str, target: str) -> dict[str, int]:
    """Copy the database at the address `source` to `target`, which has no rows; returns the rows by table.

    Creates the tables of `target`. All rows arrive or none. Raises `StorageError` where one of them cannot be used,
    `source` is not of the newest version, or `target` has rows.
    """
    check_address(source, "FROM")
    check_address(target, "TO")
    current, newest = await migrations.version(source)
    if current != newest:
        raise StorageError(
            f"The database to copy has version {current or 'none'}, and this program has {newest}. Set DATABASE_URL to "
            "its address and run: fewshot db upgrade"
        )
    await migrations.upgrade(target)
    reading, writing = engine(source), engine(target)
    try:
        async with reading.connect() as origin, writing.begin() as copied:
            await origin.exec_driver_sql(SNAPSHOT[origin.dialect.name])
            await copied.exec_driver_sql(EXCLUSIVE[copied.dialect.name])
            for table in METADATA.sorted_tables:
                if await copied.scalar(select(exists().select_from(table))):
                    raise StorageError(f"The database to copy to is not empty: {table.name} has rows.")
            return {table.name: await _copy_table(table, origin, copied) for table in METADATA.sorted_tables}
    except (SQLAlchemyError, UnreachableError) as error:
        raise StorageError(sentence(error)) from error
    finally:
        await reading.dispose()
        await writing.dispose()


async def _copy_table(table: Table, origin: AsyncConnection, copied: AsyncConnection) -> int:
    """Copy the rows of a table whose foreign keys are copied already; returns their number."""
    # A row may refer to one that comes later, so columns with keys of the same table are filled in at the end.
    own = [key.parent for key in table.foreign_keys if key.column.table is table]
    later: list[dict[str, Any]] = []
    count = 0
    rows = await origin.stream(select(table))
    async for batch in rows.mappings().partitions(BATCH):
        values = [{name: _storable(value) for name, value in row.items()} for row in batch]
        for column in own:
            later += [{"row": row["id"], "key": row[column.name]} for row in values if row[column.name] is not None]
            values = [row | {column.name: None} for row in values]
        try:
            await copied.execute(table.insert(), values)
        except DBAPIError as error:
            if is_of_database(error):
                raise
            raise StorageError(f"A row of {table.name} cannot be copied: {error.orig}.") from error
        count += len(values)
    for column in own:
        if later:
            refer = update(table).where(table.c.id == bindparam("row")).values({column: bindparam("key")})
            await copied.execute(refer, later)
    if copied.dialect.name == "postgresql" and table.autoincrement_column is not None:
        await _set_sequence(table, copied)
    return count


async def _set_sequence(table: Table, connection: AsyncConnection) -> None:
    """Let the next row's id be above all that were copied."""
    sequence = f"pg_get_serial_sequence('{table.name}', 'id')"
    newest = await connection.scalar(select(func.max(table.c.id)))
    if newest is not None:
        await connection.execute(text(f"SELECT setval({sequence}, :newest)"), {"newest": newest})


def _storable(value: Any) -> Any:
    """`value` without null characters, which PostgreSQL does not store in a text."""
    return value.replace("\0", "") if isinstance(value, str) else value
