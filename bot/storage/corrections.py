"""Corrections: what people say is wrong with answers of tuned models, and what an operator decided about it."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import Database, in_transaction
from bot.storage.rows import columns_of, values_of
from bot.storage.tables import CORRECTIONS

OPEN, CONFIRMED, REJECTED = "open", "confirmed", "rejected"
# `known`: the answer has a correction already. `full`: the person has too many open ones.
Outcome = Literal["added", "known", "full"]


@dataclass(frozen=True, slots=True)
class CorrectionRow:
    """A correction of `answer`, by the person who asked `question`. An empty one says that the texts do not say it."""

    prompt_id: str
    corpus: str
    model: str
    user_id: int
    guild_id: int | None
    at: float
    question: str
    answer: str
    correction: str
    state: str = OPEN
    id: int = 0


_COLUMNS = columns_of(CORRECTIONS, CorrectionRow)


@in_transaction
async def add(connection: AsyncConnection, row: CorrectionRow, *, limit: int) -> Outcome:
    """Store an open correction. A person has up to `limit` open ones, and an answer has one."""
    same = select(CORRECTIONS.c.id).where(CORRECTIONS.c.prompt_id == row.prompt_id)
    if await connection.scalar(same) is not None:
        return "known"
    theirs = (CORRECTIONS.c.user_id == row.user_id) & (CORRECTIONS.c.state == OPEN)
    if (await connection.execute(select(func.count()).where(theirs))).scalar_one() >= limit:
        return "full"
    values = values_of(row)
    del values["id"]  # given by the insert
    await connection.execute(CORRECTIONS.insert(), values)
    return "added"


async def find(database: Database, correction_id: int) -> CorrectionRow | None:
    """The correction with this id."""
    return await database.fetch_row(select(*_COLUMNS).where(CORRECTIONS.c.id == correction_id), CorrectionRow)


async def of_corpus(database: Database, corpus: str, state: str) -> list[CorrectionRow]:
    """The corrections of a corpus in this state, oldest first."""
    mine = (CORRECTIONS.c.corpus == corpus) & (CORRECTIONS.c.state == state)
    return await database.fetch_rows(select(*_COLUMNS).where(mine).order_by(CORRECTIONS.c.id), CorrectionRow)


async def decide(database: Database, correction_id: int, state: str, correction: str) -> bool:
    """Close an open correction, with its text as the operator left it. False where it is not open any more."""
    query = update(CORRECTIONS).where(CORRECTIONS.c.id == correction_id, CORRECTIONS.c.state == OPEN)
    return await database.execute(query.values(state=state, correction=correction)) > 0
