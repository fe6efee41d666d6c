"""Of a person who wants to be forgotten nothing remains, and of others everything does."""

import asyncio
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.core.caller import Caller, SourceMessage
from bot.core.errors import StorageError
from bot.llm.completion import Answer
from bot.server import privacy as privacy_module
from bot.server.guilds import GuildSettingsStore, open_guild_settings
from bot.server.privacy import CALLS_DAYS, GRACE_DAYS, OLD_DAYS, Privacy
from bot.server.prompts import ERASURE_GRACE, Prompts
from bot.storage import prompts as prompts_rows
from bot.storage.database import Database, open_database
from bot.storage.erasure import NOT_PERSONAL, PER_SERVER, PERSONAL
from bot.storage.key_value import WATCHED, set_value
from bot.storage.tables import METADATA
from tests.migrated import migrated
from tests.server.conftest import Clock
from tests.server.rows import dump, fill, told
from tests.server.test_prompts import kept, prompt

pytestmark = pytest.mark.both_databases

ANN, BEN = 777_000_777, 888_000_888
MAX_BYTES = 10_000_000
# Numbers that are no person's: servers, channels, messages, events of Discord's, our own rows.
NOT_PEOPLE = {"guild_id", "channel_id", "message_id", "report_channel", "event_id", "source_id", "id", "parent_id"}
NOT_PEOPLE |= {"turn_id", "head", "nanodollars", "user_tokens", "guild_tokens", "amount"}


@pytest.fixture
async def guilds(database: Database) -> GuildSettingsStore:
    return await open_guild_settings(database, 1_000, 1_000)


@pytest.fixture
def prompts(database: Database, clock: Clock) -> Prompts:
    return Prompts(database, 7, clock)


@pytest.fixture
def privacy(database: Database, prompts: Prompts, guilds: GuildSettingsStore, clock: Clock) -> Privacy:
    return Privacy(database, prompts, guilds, clock)


async def is_no_member(_guild_id: int) -> bool:
    """What Discord says of a server that the bot has left."""
    return False


async def live(privacy: Privacy, clock: Clock, days: int) -> None:
    """Let the bot run for so many days, and delete what is expired twice a day."""
    for _ in range(2 * days):
        clock.move(hours=12)
        await privacy.delete_expired()


def unpacked(data: bytes) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name.removesuffix(".json"): json.loads(archive.read(name)) for name in archive.namelist()}


async def exported(privacy: Privacy, user_id: int) -> dict[str, Any]:
    (data,) = (await privacy.export(user_id, max_bytes=MAX_BYTES)).files
    return unpacked(data)


def test_every_table_says_what_it_holds_of_people() -> None:
    """Whoever adds a table names it in `bot.storage.erasure`."""
    assert PERSONAL.keys() | NOT_PERSONAL.keys() == METADATA.tables.keys()
    assert not PERSONAL.keys() & NOT_PERSONAL.keys()
    assert all(NOT_PERSONAL.values())


def test_every_number_that_may_be_a_persons_is_known_as_one_or_as_none() -> None:
    for table in METADATA.tables.values():
        known = {place.by for place in PERSONAL.get(table.name, ())}
        numbers = {column.name for column in table.columns if isinstance(column.type, sa.BigInteger)}
        assert numbers - known <= NOT_PEOPLE, table.name


def test_every_table_with_a_server_says_what_becomes_of_it() -> None:
    assert PER_SERVER.keys() == {table.name for table in METADATA.tables.values() if "guild_id" in table.c}


async def test_erasure_removes_everything_of_one_person_and_nothing_of_another(
    database: Database, privacy: Privacy
) -> None:
    await fill(database, BEN, "quuxly", 2)
    before = await dump(database)
    await fill(database, ANN, "xyzzy", 1)
    assert "xyzzy" in told([row for rows in (await dump(database)).values() for row in rows])
    assert await privacy.erase(ANN) > 0
    after = await dump(database)
    for table, rows in after.items():
        assert "xyzzy" not in told(rows).lower(), table
        assert str(ANN) not in told(rows), table
        assert all(row in rows for row in before[table]), table


async def test_an_erased_person_is_in_no_byte_of_the_files(tmp_path: Path, clock: Clock) -> None:
    """Neither in free pages, nor in the log of changes, while the bot goes on running."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'fewshot.sqlite3'}"
    await migrated(url)
    async with open_database(url) as database:
        await fill(database, BEN, "quuxly", 2)
        await fill(database, ANN, "xyzzy", 1)
        assert any(b"xyzzy" in path.read_bytes() for path in tmp_path.iterdir())
        await Privacy(database, Prompts(database, 7, clock), await open_guild_settings(database, 1, 1), clock).erase(
            ANN
        )
        for path in tmp_path.iterdir():
            assert b"xyzzy" not in path.read_bytes().lower(), path.name
        assert any(b"quuxly" in path.read_bytes() for path in tmp_path.iterdir())


async def test_an_export_holds_everything_and_after_the_deletion_nothing(
    database: Database, privacy: Privacy, prompts: Prompts, clock: Clock
) -> None:
    await fill(database, ANN, "xyzzy", 1)
    await fill(database, BEN, "quuxly", 2)
    held = replace(prompt(clock()), caller=Caller(ANN))
    prompts.cache(held)
    first = await exported(privacy, ANN)
    assert first.keys() == PERSONAL.keys() | {"summary", "prompts_in_memory"}
    assert first["summary"]["entries"]["turns"] == 1
    assert first["turns"][0]["words"] == "xyzzy"
    assert first["prompts"][0]["body"]["messages"] == [{"content": "xyzzy"}]
    assert [one["id"] for one in first["prompts_in_memory"]] == [held.id]
    assert "quuxly" not in json.dumps(first)
    await privacy.erase(ANN)
    assert await exported(privacy, ANN) == {"summary": {"entries": {}, "note": "Nothing is kept about you."}}
    assert (await exported(privacy, BEN))["turns"][0]["words"] == "quuxly"


async def test_somebody_who_never_came_gets_a_file_that_says_so(privacy: Privacy) -> None:
    assert await exported(privacy, 4711) == {"summary": {"entries": {}, "note": "Nothing is kept about you."}}
    assert await privacy.erase(4711) == 0


async def test_an_export_beyond_an_uploads_size_comes_in_several_files(
    database: Database, privacy: Privacy, prompts: Prompts, clock: Clock
) -> None:
    for _ in range(20):
        await prompts.persist(replace(prompt(clock()), caller=Caller(ANN)))
    assert await kept(database) == 20
    whole = await exported(privacy, ANN)
    parts = (await privacy.export(ANN, max_bytes=700)).files
    assert len(parts) > 1
    assert all(len(part) <= 700 for part in parts)
    assert [row for part in parts for row in unpacked(part)["prompts"]] == whole["prompts"]


async def test_a_prompt_made_from_a_message_is_deleted_with_its_author_and_with_the_message(
    database: Database, privacy: Privacy, prompts: Prompts, clock: Clock
) -> None:
    quoting = replace(prompt(clock()), caller=Caller(BEN, 10, 100, SourceMessage(55, ANN)))
    others = replace(prompt(clock()), caller=Caller(BEN, 10, 100, SourceMessage(56, BEN)))
    for one in (quoting, others):
        prompts.cache(one)
        await prompts.persist(one)
    assert await kept(database) == 2
    found = await Prompts(database, 7, clock).find(quoting.id)
    assert found is not None
    assert found.caller.source == SourceMessage(55, ANN)
    await privacy.erase(ANN)
    assert await prompts.find(quoting.id) is None
    assert await prompts.find(others.id) is not None
    await prompts.forget_message(56)
    assert await prompts.find(others.id) is None
    assert await kept(database) == 0


async def test_an_answer_in_progress_during_an_erasure_stores_no_prompt(
    database: Database, privacy: Privacy, prompts: Prompts, clock: Clock
) -> None:
    """Asked before the deletion and answered after it; what is asked later is kept as ever."""
    late = replace(prompt(clock()), caller=Caller(ANN))
    clock.move(seconds=1)
    await privacy.erase(ANN)
    prompts.cache(late)
    await prompts.persist(late)
    assert await prompts.find(late.id) is None
    clock.move(seconds=ERASURE_GRACE + 1)
    new = replace(prompt(clock()), caller=Caller(ANN))
    await prompts.persist(new)
    assert await kept(database) == 1


async def test_expired_data_is_deleted_and_the_rest_stays(database: Database, privacy: Privacy, clock: Clock) -> None:
    await fill(database, ANN, "xyzzy", 1)
    async with database.read() as connection:
        day = (await connection.execute(sa.text("SELECT day FROM calls"))).scalar_one()
    assert day == clock.at.date().isoformat()

    async def touch(connection: Any) -> None:
        await connection.execute(sa.text("UPDATE calls SET settled = true"))
        times = {"stories": "touched", "trick_suggestions": "at", "trick_runs": "at", "prompts": "at"}
        for table, column in times.items():
            await connection.execute(sa.text(f"UPDATE {table} SET {column} = :at"), {"at": clock()})
        await connection.execute(sa.text("UPDATE stories SET state = 'ended'"))

    await database.transact(touch)
    names = ("calls", "stories", "turns", "trick_suggestions", "trick_runs", "trick_cells", "prompts")
    old = ["stories", "turns", "trick_suggestions", "trick_runs", "trick_cells"]
    for days, gone in ((7, []), (1, ["prompts"]), (OLD_DAYS - 7, old)):
        before = await dump(database)
        await live(privacy, clock, days)
        after = await dump(database)
        assert [name for name in names if before[name] and not after[name]] == sorted(gone, key=names.index)
    await live(privacy, clock, CALLS_DAYS)
    assert not (await dump(database))["calls"]


async def test_a_server_joined_during_the_reconciliation_is_not_marked_as_left(
    database: Database, privacy: Privacy
) -> None:
    """The server joins, and has rows, at the very moment at which the counting begins."""
    servers = {1}

    async def come() -> None:
        servers.add(2)
        await fill(database, BEN, "quuxly", 2)

    await fill(database, ANN, "xyzzy", 1)
    coming = asyncio.create_task(come())
    await privacy.reconcile_servers(lambda: servers, is_no_member)
    await coming
    assert not any(row["name"].startswith("left:") for row in (await dump(database))["key_values"])


async def test_a_left_server_is_erased_after_the_grace_period_unless_the_bot_returns(
    database: Database, privacy: Privacy, guilds: GuildSettingsStore, clock: Clock
) -> None:
    await fill(database, ANN, "xyzzy", 1)
    await fill(database, BEN, "quuxly", 2)
    await guilds.change(1, menus=False)
    for guild in (1, 2):
        await set_value(database, f"{WATCHED}{guild}", "{}")
    await privacy.reconcile_servers(lambda: [2], is_no_member)
    await privacy.reconcile_servers(lambda: [2], is_no_member)
    await live(privacy, clock, GRACE_DAYS - 1)
    await privacy.reconcile_servers(lambda: [1, 2], is_no_member)
    await live(privacy, clock, GRACE_DAYS)
    assert not guilds.of(1).menus
    await privacy.mark_left(1)
    await live(Privacy(database, Prompts(database, 7, clock), guilds, clock), clock, GRACE_DAYS)
    assert not guilds.of(1).menus, "a process that does not know yet where it is forgets no server"
    await privacy.reconcile_servers(lambda: [2], is_no_member)
    await privacy.delete_expired()
    after = await dump(database)
    for table in PER_SERVER:
        assert {row["guild_id"] for row in after[table]} <= {None, 2}, table
    assert guilds.of(1).menus
    assert len(after["turns"]) == len(after["tricks"]) == len(after["trick_examples"]) == 1
    names = {row["name"] for row in after["key_values"] if row["name"].startswith(("left:", WATCHED))}
    assert names == {f"{WATCHED}2"}
    assert len(after["calls"]) == 2


async def test_a_clock_that_jumps_ahead_and_comes_back_deletes_nothing(
    database: Database, privacy: Privacy, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    await fill(database, ANN, "xyzzy", 1)

    async def touch(connection: Any) -> None:
        for table, column in (("stories", "touched"), ("trick_suggestions", "at"), ("prompts", "at"), ("turns", "at")):
            await connection.execute(sa.text(f"UPDATE {table} SET {column} = :at"), {"at": clock()})
        await connection.execute(sa.text("UPDATE stories SET state = 'ended'"))

    await database.transact(touch)
    await privacy.delete_expired()
    before = await dump(database)
    for days in (2, 400, 20_000):
        clock.move(days=days)
        for _ in range(5):
            await privacy.delete_expired()
            clock.move(hours=1)
        clock.move(days=-days)
        await privacy.delete_expired()
    after = await dump(database)
    assert {name: rows for name, rows in after.items() if name != "key_values"} == {
        name: rows for name, rows in before.items() if name != "key_values"
    }
    assert "is it right?" in caplog.text


async def test_after_a_long_pause_of_the_bot_deletions_start_a_day_later(
    database: Database, privacy: Privacy, clock: Clock
) -> None:
    await privacy.delete_expired()
    await fill(database, ANN, "xyzzy", 1)
    clock.move(days=60)
    again = Privacy(database, Prompts(database, 7, clock), await open_guild_settings(database, 1, 1), clock)
    await again.delete_expired()
    assert (await dump(database))["prompts"]
    await live(again, clock, 1)
    assert not (await dump(database))["prompts"]


async def test_a_deletion_that_a_locked_database_refuses_is_tried_again(
    database: Database, privacy: Privacy, prompts: Prompts, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(privacy_module, "RETRY_PAUSE", 0.01)
    answers = [replace(prompt(clock()), caller=Caller(BEN, 10, 100, SourceMessage(message, BEN))) for message in (5, 6)]
    for one in answers:
        prompts.cache(one)
        await prompts.persist(one)
    assert await kept(database) == 2
    real, refusals = prompts_rows.drop_of_message, iter([True] * 5)

    async def locked(database: Database, message_ids: list[int]) -> int:
        if next(refusals, False):
            raise StorageError("The database could not keep this. Try again in a moment.")
        return await real(database, message_ids)

    monkeypatch.setattr(prompts_rows, "drop_of_message", locked)
    await privacy.messages_deleted(5)
    await privacy.messages_deleted(6)
    assert await prompts.find(answers[0].id) is not None, "it is still in the database"
    async with asyncio.timeout(10):
        while await kept(database):  # noqa: ASYNC110 - the database counts
            await asyncio.sleep(0.01)
    await privacy.close()


async def test_prompts_of_others_in_the_channel_of_a_story_stay_unless_they_quote_the_person(
    database: Database, privacy: Privacy, prompts: Prompts, clock: Clock
) -> None:
    await fill(database, ANN, "xyzzy and plugh", 1)

    async def touch(connection: Any) -> None:
        await connection.execute(sa.text("UPDATE turns SET at = :at"), {"at": clock()})
        await connection.execute(sa.text("UPDATE notes SET at = :at"), {"at": clock()})

    await database.transact(touch)

    def asked(text: str, name: str = "translate", channel: int = 1, later: float = 1.0) -> Answer:
        made = prompt(clock() + later, name=name)
        request = replace(made.request, messages=({"role": "user", "content": text},))
        return replace(made, request=request, caller=Caller(BEN, 1, channel))

    kept_ones = [
        asked("Guten Tag"),
        asked("and"),
        asked("xyzzy and nothing else"),
        asked("> go north", "adventure", later=-5.0),
        asked("xyzzy and plugh", channel=2),
        asked("> go north", "adventure", channel=2),
    ]
    quoting = [asked("He said: Xyzzy and plugh!"), asked("> go north", "adventure"), asked("xyzzy and plugh")]
    for one in (*kept_ones, *quoting):
        prompts.cache(one)
        await prompts.persist(one)
    await privacy.erase(ANN)
    assert [await prompts.find(one.id) is not None for one in kept_ones] == [True] * 6
    assert [await prompts.find(one.id) is not None for one in quoting] == [False] * 3


async def test_a_server_that_another_process_serves_is_not_marked_as_left(
    database: Database, privacy: Privacy, clock: Clock
) -> None:
    """It is not in this process's list, and Discord says that the bot is in it."""
    await fill(database, ANN, "xyzzy", 1)
    await fill(database, BEN, "quuxly", 2)

    async def is_member(guild_id: int) -> bool:
        return guild_id == 1

    await privacy.reconcile_servers(list, is_member)
    left = {row["name"] for row in (await dump(database))["key_values"] if row["name"].startswith("left:")}
    assert left == {"left:2"}
