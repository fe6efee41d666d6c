"""A prompt is there while it is kept, and gone when its time, its message or its room in memory ends."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.caller import Caller
from bot.llm.completion import Answer
from bot.llm.conversation import follow_up
from bot.llm.request import Conversation, Request
from bot.llm.template import ChatTemplate
from bot.llm.usage import Usage
from bot.server.guilds import open_guild_settings
from bot.server.privacy import Privacy
from bot.server.prompts import DAY, HOUR, MAX_CACHED, Prompts, new_id
from bot.storage.database import Database
from bot.storage.tables import PROMPTS
from bot.ui.actions import ActionButton
from bot.ui.views import View
from tests.server.conftest import Clock
from tests.simulated import simulated

pytestmark = pytest.mark.both_databases


def prompt(at: float = 0.0, message_id: int | None = None, name: str = "translate") -> Answer:
    messages = ({"role": "user", "content": "Grüße {{text}}"},)
    return Answer(
        text="Greetings",
        reply="Greetings",
        model="gpt-6-luna",
        request=Request(messages, {"temperature": 0}, name),
        parameters={"temperature": 0},
        usage=Usage(5, 1, 2),
        seconds=0.5,
        price=Decimal("0.0000014"),
        id=new_id(),
        caller=Caller(1, 10, 100),
        at=at,
        message_id=message_id,
    )


async def kept(database: Database) -> int:
    async def work(connection: AsyncConnection) -> int:
        return int((await connection.execute(select(func.count()).select_from(PROMPTS))).scalar_one())

    return await database.transact(work)


async def test_a_kept_prompt_is_the_same_after_a_restart(database: Database, clock: Clock) -> None:
    made = prompt(clock(), message_id=7)
    await Prompts(database, 7, clock).persist(made)
    assert await kept(database) == 1
    assert await Prompts(database, 7, clock).find(made.id) == made


async def test_a_private_prompt_is_in_memory_alone_until_its_asker_wants_it(database: Database, clock: Clock) -> None:
    prompts, made = Prompts(database, 7, clock), prompt(clock())
    prompts.cache(made)
    assert await prompts.find(made.id) == made
    assert await kept(database) == 0
    await prompts.persist(made, new=False)
    await prompts.persist(replace(made, message_id=9), new=False)
    assert await kept(database) == 1
    assert await Prompts(database, 7, clock).find(made.id) == replace(made, message_id=9)


async def test_an_operator_who_keeps_none_has_none_in_the_database(database: Database, clock: Clock) -> None:
    prompts, made = Prompts(database, 0, clock), prompt(clock())
    prompts.cache(made)
    await prompts.persist(made)
    await prompts.persist(made, new=False)
    assert await kept(database) == 0
    assert await prompts.find(made.id) == made
    clock.move(seconds=HOUR + 1)
    await prompts.forget_old()
    assert await prompts.find(made.id) is None


@pytest.mark.parametrize("days", [1, 7, 30])
async def test_what_is_older_than_its_retention_goes_from_memory_and_database(
    database: Database, clock: Clock, days: int
) -> None:
    prompts = Prompts(database, days, clock)
    old, young = prompt(clock() - days * DAY - 1), prompt(clock() - days * DAY + 1)
    for made in (old, young):
        prompts.cache(made)
        await prompts.persist(made)
    assert await prompts.forget_old() == 1
    assert await prompts.find(old.id) is None
    assert await prompts.find(young.id) == young
    assert await kept(database) == 1


async def test_a_deleted_message_takes_its_prompt_along(database: Database, clock: Clock) -> None:
    prompts = Prompts(database, 7, clock)
    gone, stays = prompt(clock(), message_id=1), prompt(clock(), message_id=2)
    for made in (gone, stays):
        prompts.cache(made)
        await prompts.persist(made)
    await prompts.forget_message(1, 3)
    assert await prompts.find(gone.id) is None
    assert await prompts.find(stays.id) == stays
    assert await kept(database) == 1


def follow_up_of(earlier: Answer, user_id: int, message_id: int) -> Answer:
    """An answer that follows another one, asked by somebody else."""
    request = follow_up(earlier, "Shorter!", user_id, 6_000)
    caller = Caller(user_id, 10, 100)
    return replace(earlier, id=new_id(), request=request, caller=caller, at=earlier.at + 1, message_id=message_id)


@pytest.mark.parametrize("restarted", [False, True])
async def test_follow_ups_go_with_a_message_before_them_and_with_each_person_in_them(
    database: Database, clock: Clock, restarted: bool
) -> None:
    prompts = Prompts(database, 7, clock)
    first = prompt(clock(), message_id=7)
    second = follow_up_of(first, 2, 8)
    third, branch = follow_up_of(second, 3, 9), follow_up_of(first, 4, 10)
    for answer in (first, second, third, branch):
        prompts.cache(answer)
        await prompts.persist(answer)
    assert await kept(database) == 4
    if restarted:
        prompts = Prompts(database, 7, clock)
    assert await prompts.find(third.id) == third
    assert third.request.conversation == Conversation(second.id, 4, 0, frozenset({1, 2}))
    await Privacy(database, prompts, await open_guild_settings(database, 1, 1), clock).erase(2)
    assert [await prompts.find(one.id) is not None for one in (first, second, third, branch)] == [
        True,
        False,
        False,
        True,
    ]
    await prompts.forget_message(7)
    assert await prompts.find(branch.id) is None
    assert await kept(database) == 0
    late = follow_up_of(branch, 5, 11)
    await prompts.persist(late)
    assert await kept(database) == 0


async def test_memory_holds_a_bounded_number_and_the_oldest_goes_first(database: Database, clock: Clock) -> None:
    prompts = Prompts(database, 7, clock)
    made = [prompt(clock()) for _ in range(MAX_CACHED + 1)]
    for each in made:
        prompts.cache(each)
    assert await prompts.find(made[0].id) is None
    assert await prompts.find(made[1].id) == made[1]
    assert await prompts.find(made[-1].id) == made[-1]


def test_ids_are_short_and_never_the_same() -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert max(map(len, ids)) <= 16


async def test_an_unknown_id_finds_nothing(database: Database) -> None:
    assert await Prompts(database, 7).find("nobody-knows") is None


async def test_a_stored_template_whose_schema_may_take_long_is_not_used_again(database: Database, clock: Clock) -> None:
    """An earlier version imported tricks with any schema. The prompt itself still opens, at once."""
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}}
    data = {"reply": "json", "schema": schema, "messages": [{"role": "user", "content": "{{text}}"}]}
    template = ChatTemplate.from_dict(data, name="mine")
    made = replace(prompt(clock()), text='{"a": "' + "a" * 60 + '!"}', request=template.fill({"text": "x"}))
    await Prompts(database, 7, clock).persist(made)
    assert await kept(database) == 1
    async with asyncio.timeout(5):
        found = await Prompts(database, 7, clock).find(made.id)
    assert found is not None
    assert found.template is None
    assert found.text == made.text


async def test_a_stored_prompt_with_half_an_emoji_can_be_shown(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with simulated(folder) as sim:
        await sim.member.slash(sim.general, "translate", text="Good morning", to="Greek", private=False)
    with closing(sqlite3.connect(folder / "fewshot.sqlite3", isolation_level=None)) as database:
        database.execute("UPDATE prompts SET body = replace(body, 'Good morning', ?)", (r"Good \ud83d morning",))
        (prompt_id,) = database.execute("SELECT id FROM prompts").fetchone()
    async with simulated(folder) as sim:
        channel: Any = sim.bot.get_channel(sim.general.id)
        await channel.send("Here", view=View(ActionButton("prompt", prompt_id, label="Prompt")))
        shown = await sim.member.click(sim.general.history()[-1], label="Prompt")
        assert "Good \ufffd morning" in sim.text(shown.response)
