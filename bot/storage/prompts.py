"""Stored prompts and answers, for the Prompt button, until their retention ends."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import Database, in_transaction
from bot.storage.rows import columns_of, values_of
from bot.storage.tables import PROMPT_AUTHORS, PROMPTS


@dataclass(frozen=True, slots=True)
class StoredPrompt:
    """A prompt and its answer. `body` is the JSON of `bot.server.prompts`.

    `source_id` is the message that it was made from, and `author_id` that message's author. `parent_id` is the prompt
    of the answer that it follows.
    """

    id: str
    at: float
    user_id: int
    guild_id: int | None
    channel_id: int | None
    message_id: int | None
    source_id: int | None
    author_id: int | None
    body: str
    parent_id: str | None = None


_COLUMNS = columns_of(PROMPTS, StoredPrompt)
_INSERT, _INSERT_AUTHOR = PROMPTS.insert(), PROMPT_AUTHORS.insert()
_SET_MESSAGE = update(PROMPTS).where(PROMPTS.c.id == bindparam("prompt_id")).values(message_id=bindparam("shown_in"))
_DELETE = delete(PROMPTS).where(PROMPTS.c.id == bindparam("prompt_id"))


def add(database: Database, prompt: StoredPrompt, authors: Iterable[int] = ()) -> None:
    """Store `prompt`, which is new, with the next group of writes. `authors` are the others whose words it holds."""
    database.write_later(_INSERT, values_of(prompt))
    for author in authors:
        database.write_later(_INSERT_AUTHOR, {"prompt_id": prompt.id, "user_id": author})


def set_message(database: Database, prompt_id: str, message_id: int) -> None:
    """Store the message that shows a prompt's answer, with the next group of writes."""
    database.write_later(_SET_MESSAGE, {"prompt_id": prompt_id, "shown_in": message_id})


def discard(database: Database, prompt_id: str) -> None:
    """Delete a prompt with the next group of writes."""
    database.write_later(_DELETE, {"prompt_id": prompt_id})


@in_transaction
async def replace(connection: AsyncConnection, prompt: StoredPrompt, authors: Iterable[int] = ()) -> None:
    """Store `prompt` in place of an earlier version of it, if there is one."""
    await connection.execute(delete(PROMPTS).where(PROMPTS.c.id == prompt.id))
    await connection.execute(_INSERT, values_of(prompt))
    for author in authors:
        await connection.execute(_INSERT_AUTHOR, {"prompt_id": prompt.id, "user_id": author})


async def find(database: Database, prompt_id: str) -> StoredPrompt | None:
    """The stored prompt with this id."""
    return await database.fetch_row(select(*_COLUMNS).where(PROMPTS.c.id == prompt_id), StoredPrompt)


async def of_message(database: Database, message_id: int) -> list[StoredPrompt]:
    """The stored prompts of the answers in a message."""
    query = select(*_COLUMNS).where(PROMPTS.c.message_id == message_id)
    return await database.fetch_rows(query, StoredPrompt)


async def drop_before(database: Database, at: float) -> int:
    """Delete the prompts made before `at` (seconds since 1970); returns their number."""
    return await database.execute(delete(PROMPTS).where(PROMPTS.c.at < at))


async def drop_of_message(database: Database, message_ids: list[int]) -> int:
    """Delete the prompts of the answers in these messages, those made from them, and the follow-ups to all of them.

    Returns their number.
    """
    of_messages = PROMPTS.c.message_id.in_(message_ids) | PROMPTS.c.source_id.in_(message_ids)
    doomed = select(PROMPTS.c.id).where(of_messages).cte(recursive=True)
    doomed = doomed.union(select(PROMPTS.c.id).where(PROMPTS.c.parent_id == doomed.c.id))
    query = delete(PROMPTS).where(PROMPTS.c.id.in_(select(doomed.c.id)))
    return await database.execute(query)
