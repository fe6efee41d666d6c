"""Tuned models, what they answered when they were scored, and which of them answer people."""

from collections.abc import Mapping
from dataclasses import dataclass
from time import time
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import Database
from bot.storage.tuning_tables import PROMOTIONS, SCORE_ANSWERS, TUNED_MODELS


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A tuned model by the name it is asked by; `scorecard` is JSON, empty until it is scored."""

    name: str
    corpus: str
    provider: str
    base: str
    parent: str
    dataset_id: str
    job_id: str
    lesson: str = ""
    at: float = 0.0
    gone: bool = False
    scorecard: str = ""


@dataclass(frozen=True, slots=True)
class PromotionRow:
    """From `at` on, `model` answers for `corpus`; `reason` is why it was forced, if it was."""

    id: int
    corpus: str
    model: str
    user_id: int
    at: float
    reason: str


async def add(database: Database, row: ModelRow) -> None:
    """Keep a model; one of that name that is there already stays as it is."""

    async def work(connection: AsyncConnection) -> None:
        query = select(TUNED_MODELS.c.name).where(TUNED_MODELS.c.name == row.name)
        if (await connection.execute(query)).first() is None:
            values = {name: getattr(row, name) for name in ModelRow.__slots__}
            await connection.execute(TUNED_MODELS.insert(), {**values, "at": row.at or time()})

    await database.transact(work)


async def get(database: Database, name: str) -> ModelRow | None:
    """The model of that name."""
    found = await _models(database, TUNED_MODELS.c.name == name)
    return found[0] if found else None


async def of_corpus(database: Database, corpus: str | None = None) -> list[ModelRow]:
    """Models, of one corpus where it is given, newest first; those of lessons are not among them."""
    mine = TUNED_MODELS.c.lesson == ""
    return await _models(database, mine if corpus is None else mine & (TUNED_MODELS.c.corpus == corpus))


async def _models(database: Database, condition: Any) -> list[ModelRow]:
    columns = [TUNED_MODELS.c[name] for name in ModelRow.__slots__]
    async with database.read() as connection:
        rows = await connection.execute(select(*columns).where(condition).order_by(TUNED_MODELS.c.at.desc()))
        return [ModelRow(*row) for row in rows]


async def change(database: Database, name: str, **values: Any) -> None:
    """Change a model; durable when this returns."""
    query = update(TUNED_MODELS).where(TUNED_MODELS.c.name == name).values(**values)
    await database.transact(lambda connection: connection.execute(query))


async def answers(database: Database, model: str) -> dict[str, str]:
    """What a model answered so far when it was scored, by the digest of what it was asked."""
    query = select(SCORE_ANSWERS.c.asked, SCORE_ANSWERS.c.answer).where(SCORE_ANSWERS.c.model == model)
    async with database.read() as connection:
        rows = await connection.execute(query)
        return {row[0]: row[1] for row in rows}


async def keep_answers(database: Database, model: str, said: Mapping[str, str]) -> None:
    """Keep answers of a model, each for good."""

    async def work(connection: AsyncConnection) -> None:
        mine = (SCORE_ANSWERS.c.model == model) & SCORE_ANSWERS.c.asked.in_(said)
        there = set((await connection.execute(select(SCORE_ANSWERS.c.asked).where(mine))).scalars())
        rows = [{"model": model, "asked": a, "answer": text} for a, text in said.items() if a not in there]
        if rows:
            await connection.execute(SCORE_ANSWERS.insert(), rows)

    await database.transact(work)


async def promotions(database: Database, corpus: str) -> list[PromotionRow]:
    """The promotions of a corpus that hold, newest first: the first is the active one."""
    columns = [PROMOTIONS.c[name] for name in PromotionRow.__slots__]
    query = select(*columns).where(PROMOTIONS.c.corpus == corpus, PROMOTIONS.c.undone.is_(False))
    async with database.read() as connection:
        return [PromotionRow(*row) for row in await connection.execute(query.order_by(PROMOTIONS.c.id.desc()))]


async def promote(database: Database, corpus: str, model: str, user_id: int, reason: str) -> None:
    """Let `model` answer for `corpus` from now on; nothing changes where it does already."""

    async def work(connection: AsyncConnection) -> None:
        holds = (PROMOTIONS.c.corpus == corpus) & PROMOTIONS.c.undone.is_(False)
        newest = select(PROMOTIONS.c.model).where(holds).order_by(PROMOTIONS.c.id.desc()).limit(1)
        if (await connection.execute(newest)).scalar_one_or_none() != model:
            row = {"corpus": corpus, "model": model, "user_id": user_id, "at": time(), "reason": reason}
            await connection.execute(PROMOTIONS.insert(), {**row, "undone": False})

    await database.transact(work)


async def undo(database: Database, promotion_id: int) -> None:
    """Take a promotion back, so that the one before it holds again."""
    query = update(PROMOTIONS).where(PROMOTIONS.c.id == promotion_id).values(undone=True)
    await database.transact(lambda connection: connection.execute(query))
