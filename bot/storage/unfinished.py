"""The answers that are being written."""

from dataclasses import dataclass

from sqlalchemy import bindparam, delete, select

from bot.storage.database import Database
from bot.storage.rows import columns_of, values_of
from bot.storage.tables import UNFINISHED_ANSWERS


@dataclass(frozen=True, slots=True)
class UnfinishedAnswer:
    """An answer that the process with `slot` has been writing since `at` (seconds since 1970).

    `id` is that of the interaction or message that is answered. `token` is the interaction's, empty for a message.
    """

    id: int
    at: float
    slot: int
    token: str
    channel_id: int | None
    locale: str


_INSERT = UNFINISHED_ANSWERS.insert()
_DELETE = delete(UNFINISHED_ANSWERS).where(UNFINISHED_ANSWERS.c.id == bindparam("answer"))


def add(database: Database, answer: UnfinishedAnswer) -> None:
    """Store `answer` with the next group of writes: at the latest with the reservation of its first call."""
    database.write_later(_INSERT, values_of(answer))


def remove(database: Database, answer_id: int) -> None:
    """Delete an answer that is finished, with the next group of writes."""
    database.write_later(_DELETE, {"answer": answer_id})


async def left_behind(database: Database, slot: int, count: int, since: float) -> list[UnfinishedAnswer]:
    """The answers since that time that the process before this one in `slot` left unfinished; older ones are deleted.

    Where fewer processes run than before, slot 0 gets the answers of slots that are not among the `count`.
    """
    mine = UNFINISHED_ANSWERS.c.slot == slot
    if slot == 0:
        mine |= UNFINISHED_ANSWERS.c.slot >= count
    old = delete(UNFINISHED_ANSWERS).where(UNFINISHED_ANSWERS.c.at < since)
    query = select(*columns_of(UNFINISHED_ANSWERS, UnfinishedAnswer)).where(mine)
    rows = await database.fetch_rows(query, UnfinishedAnswer)
    if any(row.at < since for row in rows):
        await database.execute(old)
    return [row for row in rows if row.at >= since]
