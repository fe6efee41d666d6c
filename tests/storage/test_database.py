"""What was acknowledged is there; whoever reads before writing reads what is true; a failure is its own."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.pool import NullPool

from bot.core.errors import FewshotError, StorageError
from bot.storage import database as database_module
from bot.storage import group_commit
from bot.storage.database import Database, engine, file_of, open_database
from bot.storage.key_value import get_value, set_value
from bot.storage.migrations import backup, upgrade
from bot.storage.tables import KEY_VALUES
from tests.migrated import migrated

pytestmark = pytest.mark.both_databases

INSERT = KEY_VALUES.insert()
# Writes numbered marks as fast as it can and says which of them are kept.
WRITING = """
import asyncio, sys
from bot.storage.database import open_database
from bot.storage.tables import KEY_VALUES
INSERT = KEY_VALUES.insert()

async def write(database, number):
    await database.write(INSERT, {"name": str(number), "value": "x" * 500})
    print(number, flush=True)

async def main():
    async with open_database(sys.argv[1]) as database:
        for start in range(0, 10**6, 20):
            await asyncio.gather(*(write(database, start + n) for n in range(20)))

asyncio.run(main())
"""

# Copies a database and is killed after the first page.
KILLED = """
import asyncio, functools, os, sqlite3, sys
from pathlib import Path
from bot.storage.migrations import backup

class Connection(sqlite3.Connection):
    def backup(self, target):
        super().backup(target, pages=1, progress=lambda *_: os.kill(os.getpid(), 9))

sqlite3.connect = functools.partial(sqlite3.connect, factory=Connection)
asyncio.run(backup(sys.argv[1], Path(sys.argv[2])))
"""

# Copies and opens databases where files cannot become larger than some pages, as on a full disk.
FULL_DISK = """
import asyncio, resource, signal, sys
from pathlib import Path
from bot.core.errors import StorageError
from bot.storage.migrations import backup, upgrade

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
for work in (backup(sys.argv[1], Path(sys.argv[2])), upgrade(sys.argv[3])):
    try:
        asyncio.run(work)
    except StorageError as error:
        print(error)
"""


def row(name: str, value: str = "") -> dict[str, str]:
    return {"name": name, "value": value}


async def names(database: Database) -> set[str]:
    async with database.read() as connection:
        return set((await connection.execute(select(KEY_VALUES.c.name))).scalars())


async def test_400_read_then_write_increments_at_once_end_at_400(database: Database) -> None:
    await set_value(database, "count", "0")

    async def increment(connection: AsyncConnection) -> None:
        value = (await connection.execute(select(KEY_VALUES.c.value).where(KEY_VALUES.c.name == "count"))).scalar_one()
        await asyncio.sleep(0)
        await connection.execute(
            KEY_VALUES.update().where(KEY_VALUES.c.name == "count").values(value=str(int(value) + 1))
        )

    await asyncio.gather(*(database.transact(increment) for _ in range(400)))
    assert await get_value(database, "count") == "400"


async def test_a_group_of_writes_is_kept_whole_and_in_order(database: Database) -> None:
    await asyncio.gather(*(set_value(database, f"m{number % 3}", str(number)) for number in range(700)))
    assert [await get_value(database, f"m{number}") for number in range(3)] == ["699", "697", "698"]
    await asyncio.gather(*(database.write(INSERT, row(f"n{number}")) for number in range(1200)))
    assert len(await names(database)) == 1203


async def test_a_failing_job_fails_alone(database: Database) -> None:
    async def fails(connection: AsyncConnection) -> None:
        await connection.execute(INSERT, row("half"))
        raise FewshotError("This one changed its mind.")

    jobs = [database.write(INSERT, row(f"n{number}")) for number in range(5)]
    jobs += [database.write(INSERT, row("n3")), database.transact(fails)]
    jobs += [database.write(INSERT, row(f"n{number}")) for number in range(5, 10)]
    results = await asyncio.gather(*jobs, return_exceptions=True)
    assert [type(result) for result in results if result is not None] == [StorageError, FewshotError]
    assert str(results[6]) == "This one changed its mind."
    assert await names(database) == {f"n{number}" for number in range(10)}


async def test_a_cancelled_caller_does_not_cancel_other_writes(database: Database) -> None:
    going = asyncio.create_task(database.write(INSERT, row("going")))
    staying = asyncio.create_task(database.write(INSERT, row("staying")))
    await asyncio.sleep(0)
    going.cancel()
    await staying
    assert going.cancelled()
    assert "staying" in await names(database)


async def test_closing_writes_what_is_queued_and_takes_nothing_new(url: str) -> None:
    await migrated(url)
    async with open_database(url) as opened:
        writing = [asyncio.create_task(opened.write(INSERT, row(f"n{number}"))) for number in range(600)]
        await asyncio.sleep(0)
    await asyncio.gather(*writing)
    with pytest.raises(StorageError, match="closing"):
        await opened.write(INSERT, row("late"))
    async with open_database(url) as again:
        assert len(await names(again)) == 600


async def test_deferred_writes_are_written(url: str, caplog: pytest.LogCaptureFixture) -> None:
    await migrated(url)
    async with open_database(url) as opened:
        opened.write_later(INSERT, row("first"))
        await opened.transact(lambda connection: connection.execute(INSERT, row("second")))
        assert await names(opened) == {"first", "second"}
        opened.write_later(INSERT, row("third"))
        opened.write_later(INSERT, row("first"))
    opened.write_later(INSERT, row("late"))
    await asyncio.sleep(0)
    assert caplog.text.count("a deferred write failed") == 2
    async with open_database(url) as again:
        assert await names(again) == {"first", "second", "third"}


async def test_a_flush_waits_for_the_deferred_writes_and_only_logs_their_failures(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await database.flush()
    database.write_later(INSERT, row("first"))
    await database.flush()
    assert await names(database) == {"first"}
    database.write_later(INSERT, row("first"))
    database.write_later(INSERT, row("second"))
    await asyncio.gather(database.flush(), database.write(INSERT, row("third")), database.flush())
    assert await names(database) == {"first", "second", "third"}
    assert caplog.text.count("a deferred write failed") == 1


async def test_foreign_keys_hold(database: Database) -> None:
    async def tables(connection: AsyncConnection) -> None:
        await connection.exec_driver_sql("CREATE TABLE parents (id INTEGER PRIMARY KEY)")
        await connection.exec_driver_sql("CREATE TABLE children (parent INTEGER NOT NULL REFERENCES parents (id))")

    async def orphan(connection: AsyncConnection) -> None:
        await connection.exec_driver_sql("INSERT INTO children VALUES (7)")

    await database.transact(tables)
    with pytest.raises(StorageError):
        await database.transact(orphan)


async def test_reads_do_not_wait_for_the_writer(database: Database) -> None:
    reading = asyncio.Event()

    async def slow(connection: AsyncConnection) -> None:
        await connection.execute(INSERT, row("slow"))
        await reading.wait()

    writing = asyncio.create_task(database.transact(slow))
    await asyncio.sleep(0.05)
    assert "slow" not in await names(database)
    reading.set()
    await writing
    assert "slow" in await names(database)


async def test_a_lock_of_another_program_gives_a_sentence_and_the_writer_goes_on(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrated(url)
    monkeypatch.setattr(database_module, "PRAGMAS", ("busy_timeout = 50",))
    async with open_database(url) as opened:
        with closing(sqlite3.connect(str(file_of(url)), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            jobs = (opened.write(INSERT, row(f"n{number}")) for number in range(5))
            results = await asyncio.gather(*jobs, return_exceptions=True)
            other.execute("ROLLBACK")
        assert [type(result) for result in results] == [StorageError] * 5
        await opened.write(INSERT, row("after"))
        assert await names(opened) == {"after"}


async def test_deferred_writes_wait_until_the_database_can_be_written(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """They are bounded in number, and the bot does not wait for them when it stops."""
    await migrated(url)
    monkeypatch.setattr(database_module, "PRAGMAS", ("busy_timeout = 50",))
    monkeypatch.setattr(group_commit, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(group_commit, "MAX_KEPT", 3)
    with closing(sqlite3.connect(str(file_of(url)), isolation_level=None)) as other:
        async with open_database(url) as opened:
            other.execute("BEGIN IMMEDIATE")
            for number in range(3):
                opened.write_later(INSERT, row(f"n{number}"))
            await opened.flush()
            opened.write_later(INSERT, row("one too many"))
            await opened.flush()
            assert caplog.text.count("a deferred write failed") == 4
            opened.write_later(INSERT, row("kept"))
            await opened.flush()
            other.execute("ROLLBACK")
            async with asyncio.timeout(10):
                while await names(opened) != {"kept"}:  # noqa: ASYNC110 - the writer writes it
                    await asyncio.sleep(0.02)
            other.execute("BEGIN IMMEDIATE")
            opened.write_later(INSERT, row("late"))
        assert caplog.text.count("a deferred write failed") == 5


async def test_a_copy_made_while_others_write_is_whole(url: str, tmp_path: Path) -> None:
    await migrated(url)
    writing = True

    async def write_on() -> None:
        number = 0
        while writing:
            await opened.write(INSERT, row(f"during{number}", "x" * 1000))
            number += 1

    async with open_database(url) as opened:
        await asyncio.gather(*(opened.write(INSERT, row(f"before{number}")) for number in range(200)))
        others = asyncio.create_task(write_on())
        size = await backup(url, tmp_path / "copy.sqlite3")
        writing = False
        await others
    assert size == (tmp_path / "copy.sqlite3").stat().st_size
    with closing(sqlite3.connect(tmp_path / "copy.sqlite3")) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert copy.execute("SELECT count(*) FROM key_values WHERE name LIKE 'before%'").fetchone() == (200,)


async def test_a_copy_never_replaces_a_file_and_a_failed_one_leaves_none(url: str, tmp_path: Path) -> None:
    target = tmp_path / "copy.sqlite3"
    with pytest.raises(StorageError, match="no database yet"):
        await backup(url, target)
    Path(str(file_of(url))).write_bytes(b"no database" * 1000)
    with pytest.raises(StorageError, match="failed"):
        await backup(url, target)
    assert not target.exists()
    with pytest.raises(StorageError, match="failed"):
        await backup(url, tmp_path / "nowhere" / "copy.sqlite3")
    target.write_text("mine", encoding="utf-8")
    with pytest.raises(StorageError, match="exists already"):
        await backup(url, target)
    assert target.read_text(encoding="utf-8") == "mine"
    assert list(tmp_path.glob("*.part")) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
async def test_a_copy_whose_process_is_killed_is_not_there(url: str, tmp_path: Path) -> None:
    await migrated(url)
    target = tmp_path / "copy.sqlite3"
    ended = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", KILLED, url, str(target)])
    assert ended.returncode == -9
    assert not target.exists()
    await backup(url, target)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit for the size of files")
async def test_a_full_disk_is_a_sentence_and_leaves_no_part_of_a_copy(url: str, tmp_path: Path) -> None:
    await migrated(url)
    folder = tmp_path / "full"
    folder.mkdir()
    target, new = str(folder / "copy.sqlite3"), f"sqlite+aiosqlite:///{tmp_path / 'new.sqlite3'}"
    command = [sys.executable, "-c", FULL_DISK, url, target, new]
    ended = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    failed, full = ended.stdout.splitlines()
    assert failed.startswith("The copy failed: ")
    assert full == "The database cannot be used: the disk is full. Free some space on it."
    assert list(folder.iterdir()) == []


async def test_only_sqlite_can_be_copied(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="Only an SQLite"):
        await backup("postgresql+asyncpg://user@host/x", tmp_path / "copy")


async def test_check_reports_a_database_that_does_not_answer(url: str) -> None:
    await migrated(url)
    async with open_database(url) as opened:
        await opened.check()
    Path(str(file_of(url))).write_bytes(b"no database" * 1000)
    with pytest.raises(StorageError, match="cannot be used"):
        async with open_database(url):
            pass


async def test_what_was_acknowledged_survives_kill_9(url: str, tmp_path: Path) -> None:
    await migrated(url)
    process = subprocess.Popen([sys.executable, "-c", WRITING, url], stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(300)]
    process.kill()
    told += process.stdout.readlines()
    process.wait()
    acknowledged = {line.strip() for line in told if line.endswith("\n")}
    async with open_database(url) as database:
        kept = await names(database)
        async with database.read() as connection:
            assert (await connection.exec_driver_sql("PRAGMA integrity_check")).scalar_one() == "ok"
            rows = (await connection.execute(select(func.count()).select_from(KEY_VALUES))).scalar_one()
    assert len(acknowledged) >= 300
    assert acknowledged <= kept
    assert rows == len(kept)


@pytest.mark.parametrize("fails", [False, True], ids=["cancelled", "failed"])
async def test_a_file_that_is_not_opened_leaves_no_thread_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    """A thread that outlives the event loop raises an exception, which Python prints."""
    opens: Callable[..., sqlite3.Connection] = sqlite3.connect

    def slow(*arguments: Any, **options: Any) -> sqlite3.Connection:
        sleep(0.1)
        if fails:
            raise sqlite3.OperationalError("unable to open database file")
        return opens(*arguments, **options)

    def running() -> int:
        return sum("_connection_worker_thread" in thread.name for thread in threading.enumerate())

    monkeypatch.setattr(sqlite3, "connect", slow)
    one = engine(f"sqlite+aiosqlite:///{tmp_path / 'a.sqlite3'}", poolclass=NullPool)
    opening = asyncio.create_task(one.connect().start())
    await asyncio.sleep(0)
    assert running() == 1
    if not fails:
        opening.cancel()
    await asyncio.wait([opening])
    assert running() == 0
    assert opening.cancelled() or opening.exception()


def test_a_read_that_is_cancelled_at_the_end_does_not_hang_the_process(tmp_path: Path) -> None:
    """A program may cancel a task that reads and close the database at once. Without waiting, one in 150 runs hung."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'a.sqlite3'}"
    asyncio.run(upgrade(url))

    async def cancel_while_reading(delay: float) -> None:
        async with open_database(url) as database:

            async def read_for_ever() -> None:
                while True:
                    await database.check()

            reading = asyncio.create_task(read_for_ever())
            await asyncio.sleep(delay)
            reading.cancel()

    for number in range(60):
        asyncio.run(cancel_while_reading(number / 5_000))
