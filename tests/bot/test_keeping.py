"""What the running bot keeps, as Discord's own events tell it: deleted messages, servers that are left; and health."""

import asyncio
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing

import aiohttp
import pytest

from tests.bot.town import Town, final
from tests.wire.views import Message

# The bots of this folder live in one loop.
pytestmark = pytest.mark.asyncio(loop_scope="package")

NOTED = "SELECT name FROM marks WHERE name LIKE 'left:%'"
GONE = "The prompt behind this answer is not kept any more."


async def until(found: Callable[[], bool]) -> None:
    """Wait until the bot has done something that nobody is told of."""
    async with asyncio.timeout(15):
        for _ in range(1_500):
            if found():
                return
            await asyncio.sleep(0.01)
    raise AssertionError("it did not do it")


async def translated(town: Town) -> tuple[Message, Message]:
    """Somebody's message, and its translation for another, whose prompt was opened and so is kept."""
    said = await town.wire.say("Guten Morgen", user="admin", channel=town.place)
    answer = await (await town.wire.menu("Translate", said)).answer(final)
    await town.presses(answer, "Prompt")
    await until(lambda: bool(town.rows("SELECT id FROM prompts")))
    return said, answer


async def test_a_deleted_message_takes_the_prompts_along_that_were_made_from_it(fresh: Town) -> None:
    async with fresh.bot():
        said, answer = await translated(fresh)
        assert fresh.rows("SELECT source_id, author_id FROM prompts") == [(said.id, fresh.wire.people["admin"])]
        await fresh.wire.remove_message(said)
        await until(lambda: not fresh.rows("SELECT id FROM prompts"))
        assert (await fresh.presses(answer, "Prompt")).text == GONE


async def test_a_server_is_noted_when_it_is_left(fresh: Town) -> None:
    async with fresh.bot():
        guild = await fresh.wire.create_guild("Elsewhere", "talk")
        await fresh.wire.remove_guild(guild["id"])
        await until(lambda: fresh.rows(NOTED) == [(f"left:{guild['id']}",)])


async def test_a_server_that_the_bot_is_back_in_is_noted_no_more(fresh: Town) -> None:
    """It was noted by an earlier process."""
    async with fresh.bot():
        assert fresh.rows(NOTED) == []
    note = ("left:" + str(fresh.wire.guild_id), "1.0")
    with closing(sqlite3.connect(fresh.folder / "fewshot.sqlite3")) as connection, connection:
        connection.execute("INSERT INTO marks VALUES (?, ?)", note)
    async with fresh.bot():
        await until(lambda: fresh.rows(NOTED) == [])


async def test_a_server_that_was_left_while_the_bot_was_away_is_noted_at_its_start(fresh: Town) -> None:
    async with fresh.bot():
        guild = await fresh.wire.create_guild("Elsewhere", "talk")
        await fresh.answer("translate", text="x", to="Greek", channel=guild["channels"]["talk"])
        assert fresh.rows(NOTED) == []
    await fresh.wire.remove_guild(guild["id"])
    async with fresh.bot():
        await until(lambda: fresh.rows(NOTED) == [(f"left:{guild['id']}",)])


async def test_health_knows_the_gateway_the_database_and_the_model(fresh: Town) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    async with aiohttp.ClientSession() as session, fresh.bot(HEALTH_PORT=str(port)):
        async with session.get(f"http://127.0.0.1:{port}/readyz") as ready:
            assert await ready.json() == {"gateway": True, "database": True, "model": True}
            assert ready.status == 200
        async with session.get(f"http://127.0.0.1:{port}/livez") as alive:
            assert alive.status == 200
