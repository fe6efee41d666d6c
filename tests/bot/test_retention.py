"""What the running bot keeps, as Discord's own events tell it: deleted messages, servers that are left; and health."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing

import aiohttp
import pytest

from tests.bot.harness import BotHarness, is_final
from tests.wire.exchange import Message

# The bots of this folder live in one loop.
pytestmark = pytest.mark.asyncio(loop_scope="package")

NOTED = "SELECT name FROM key_values WHERE name LIKE 'left:%'"
FROM = "SELECT source_id, author_id FROM prompts WHERE source_id = ?"
NOT_STORED = "The prompt of this answer is no longer stored."


async def until(found: Callable[[], bool]) -> None:
    """Wait until the bot has done something that nobody is told of."""
    async with asyncio.timeout(15):
        for _ in range(1_500):
            if found():
                return
            await asyncio.sleep(0.01)
    raise AssertionError("it did not do it")


async def translated(harness: BotHarness) -> tuple[Message, Message]:
    """Somebody's message, and its translation for another, whose prompt was opened and so is kept."""
    said = await harness.wire.say("Guten Morgen", user="admin", channel=harness.place)
    answer = await (await harness.wire.menu("Translate", said)).answer(is_final)
    await harness.press(answer, "Prompt")
    await until(lambda: bool(harness.rows(FROM, said.id)))
    return said, answer


async def test_a_deleted_message_takes_the_prompts_along_that_were_made_from_it(harness: BotHarness) -> None:
    said, answer = await translated(harness)
    assert harness.rows(FROM, said.id) == [(said.id, harness.wire.people["admin"])]
    await harness.wire.remove_message(said)
    await until(lambda: not harness.rows(FROM, said.id))
    assert (await harness.press(answer, "Prompt")).text == NOT_STORED


async def test_a_server_is_noted_when_it_is_left(harness: BotHarness) -> None:
    guild = await harness.wire.create_guild("Elsewhere", "talk")
    await harness.wire.remove_guild(guild["id"])
    await until(lambda: (f"left:{guild['id']}",) in harness.rows(NOTED))


async def test_a_start_notes_the_server_that_was_left_meanwhile_and_no_more_the_one_that_the_bot_is_back_in(
    fresh: BotHarness,
) -> None:
    """The one that it is back in was noted by an earlier process."""
    async with fresh.bot():
        guild = await fresh.wire.create_guild("Elsewhere", "talk")
        await fresh.answer("translate", text="x", to="Greek", channel=guild["channels"]["talk"])
        assert fresh.rows(NOTED) == []
    await fresh.wire.remove_guild(guild["id"])
    note = ("left:" + str(fresh.wire.guild_id), "1.0")
    with closing(sqlite3.connect(fresh.folder / "fewshot.sqlite3")) as connection, connection:
        connection.execute("INSERT INTO key_values VALUES (?, ?)", note)
    async with fresh.bot():
        await until(lambda: fresh.rows(NOTED) == [(f"left:{guild['id']}",)])


async def test_health_knows_the_gateway_the_database_and_the_model(harness: BotHarness) -> None:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{harness.port}") as session:
        async with session.get("/readyz") as ready:
            assert await ready.json() == {"gateway": True, "database": True, "model": True}
            assert ready.status == 200
        async with session.get("/livez") as alive:
            assert alive.status == 200
