"""A PostgreSQL server that is away, full or another's is a sentence, and the bot goes on when it is back."""

import asyncio
import os
import shutil
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.errors import StorageError
from bot.storage import database as database_module
from bot.storage.database import Database, engine, open_database
from bot.storage.errors import AWAY, FAILED, FULL, IN_DOUBT
from bot.storage.group_commit import WRITE_LOCK
from bot.storage.key_value import get_value, set_value
from bot.storage.migrations import upgrade, version
from bot.storage.tables import KEY_VALUES, METADATA
from tests.postgresql import WITH_PASSWORD, PostgresServer, free_port

pytestmark = pytest.mark.postgresql
INSERT = KEY_VALUES.insert()
# Makes every insert of a value with this name fail, as a server with a full disk does.
FULL_DISK = """
CREATE FUNCTION full_disk() RETURNS trigger AS $$ BEGIN
    RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full';
END $$ LANGUAGE plpgsql;
CREATE TRIGGER full_disk BEFORE INSERT ON key_values FOR EACH ROW WHEN (NEW.name = 'large') EXECUTE FUNCTION full_disk()
"""
# Ends the other connections; those of its own process are named by their database alone.
TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"


@pytest.fixture
async def url(postgresql: PostgresServer) -> str:
    return await postgresql.migrated()


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    async with open_database(url) as opened:
        yield opened


def row(name: str) -> dict[str, str]:
    return {"name": name, "value": ""}


async def test_a_server_that_is_stopped_is_a_sentence_and_the_bot_goes_on_when_it_is_back(
    postgresql: PostgresServer, database: Database, url: str
) -> None:
    await set_value(database, "before", "1")
    postgresql.stop()
    writes = [database.write(INSERT, row(f"n{number}")) for number in range(5)]
    work = [set_value(database, "work", "1"), get_value(database, "before")]
    database.write_later(INSERT, row("deferred"))
    failures = await asyncio.gather(*writes, *work, return_exceptions=True)
    assert [str(failure) for failure in failures] == [AWAY] * 7
    with pytest.raises(StorageError, match=AWAY):
        await database.check()
    for opening in (upgrade(url), version(url), open_database(url).__aenter__()):
        with pytest.raises(StorageError, match="The server in DATABASE_URL cannot be reached: "):
            await opening
    await database.flush()
    postgresql.start()
    await database.write(INSERT, row("after"))
    await database.check()
    assert await get_value(database, "before") == "1"
    await database.flush()
    assert await get_value(database, "deferred") == "", "what nobody waits for is written when the server is back"


async def test_a_group_whose_connection_the_server_ends_is_written_again(database: Database) -> None:
    tries = 0

    async def work(connection: AsyncConnection) -> None:
        nonlocal tries
        tries += 1
        await connection.execute(INSERT, row("work"))
        if tries == 1:
            own = await connection.scalar(text("SELECT pg_backend_pid()"))
            async with database.read() as other:
                await other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": own})

    await asyncio.gather(database.transact(work), database.write(INSERT, row("beside")))
    assert tries == 2
    assert await get_value(database, "work") == await get_value(database, "beside") == ""


async def test_a_commit_that_the_server_does_not_confirm_is_not_repeated(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    async def work(connection: AsyncConnection) -> None:
        nonlocal tries
        tries += 1
        # Ends the connection when the transaction is committed.
        await connection.exec_driver_sql("""
            CREATE FUNCTION end_it() RETURNS trigger AS $$ BEGIN
                PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL;
            END $$ LANGUAGE plpgsql""")
        await connection.exec_driver_sql(
            "CREATE CONSTRAINT TRIGGER end_it AFTER INSERT ON key_values DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION end_it()"
        )
        await connection.execute(INSERT, row("work"))

    with pytest.raises(StorageError, match=IN_DOUBT):
        await database.transact(work)
    assert tries == 1
    await database.write(INSERT, row("after"))


async def test_reads_after_the_server_ended_all_connections_succeed(database: Database) -> None:
    await asyncio.gather(*(get_value(database, "any") for _ in range(4)))
    await database.transact(lambda connection: connection.exec_driver_sql(f"{TERMINATE} AND pid <> pg_backend_pid()"))
    await asyncio.sleep(0.05)
    assert await asyncio.gather(*(get_value(database, "any") for _ in range(8))) == [None] * 8


async def test_a_connection_that_the_server_ends_as_soon_as_it_is_made_is_a_sentence(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a server does that begins to stop."""
    connect, ending = asyncpg.connect, 1

    async def made(*args: Any, **options: Any) -> Any:
        nonlocal ending
        connection = await connect(*args, **options)
        if ending:
            ending -= 1
            connection.terminate()
        return connection

    async with open_database(url) as opened:
        await get_value(opened, "any")
        monkeypatch.setattr(asyncpg, "connect", made)
        reads = [get_value(opened, "any") for _ in range(8)]
        results = await asyncio.gather(*reads, return_exceptions=True)
        assert sorted(map(str, results)) == [AWAY, *["None"] * 7]
        ending = 100
        await opened.transact(lambda writing: writing.exec_driver_sql(f"{TERMINATE} AND pid <> pg_backend_pid()"))
        with pytest.raises(StorageError, match=AWAY):
            await get_value(opened, "any")
        ending = 0
        assert await get_value(opened, "any") is None
    ending = 100
    with pytest.raises(StorageError, match=r"^The (server|database) .*: "):
        await upgrade(url)


async def test_a_full_disk_of_the_server_is_a_sentence(database: Database, postgresql: PostgresServer) -> None:
    async with postgresql.new_database() as url:
        await upgrade(url)
        await postgresql.run(FULL_DISK, url.rpartition("/")[2])
        async with open_database(url) as opened:
            with pytest.raises(StorageError, match=FULL):
                await opened.write(INSERT, row("large"))
            await opened.write(INSERT, row("small"))


async def test_a_process_that_keeps_the_lock_is_a_sentence_for_the_others(
    url: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(database_module.SERVER_SETTINGS, "lock_timeout", "50ms")
    async with open_database(url) as other:

        async def keep(connection: AsyncConnection) -> None:
            with pytest.raises(StorageError, match=FAILED):
                await set_value(other, "a", "b")
            # Rows need no lock, so no process waits for another's transaction with them.
            await other.write(INSERT, row("beside"))

        await database.transact(keep)
        await set_value(other, "a", "b")


async def test_what_the_server_refuses_is_a_sentence_without_the_password(postgresql: PostgresServer) -> None:
    await postgresql.run(f"CREATE ROLE {WITH_PASSWORD} LOGIN PASSWORD 'right'")
    address = f"127.0.0.1:{postgresql.port}"
    refused = {
        f"{WITH_PASSWORD}:hunter2@{address}/postgres": "refuses the password",
        f"nobody:hunter2@{address}/postgres": "does not let the user",
        f"fewshot:hunter2@{address}/nowhere": "no database of the name",
        "fewshot:hunter2@127.0.0.1:1/postgres": "Connect call failed",
    }
    for url, reason in refused.items():
        with pytest.raises(StorageError, match=reason) as caught:
            await upgrade(f"postgresql+asyncpg://{url}")
        assert "hunter2" not in str(caught.value)
        assert str(caught.value).count("\n") == 0


async def test_pgbouncer_is_a_sentence_that_says_what_to_name_instead() -> None:
    """PgBouncer refuses settings of a connection that it does not know, in all its modes."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)  # The client asks for TLS first.
        writer.write(b"N")
        await reader.readexactly(int.from_bytes(await reader.readexactly(4)) - 4)
        fields = b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: jit\0\0"
        writer.write(b"E" + (len(fields) + 4).to_bytes(4) + fields)
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(StorageError, match=r"PgBouncer does not pass .* name the PostgreSQL server"):
            await upgrade(f"postgresql+asyncpg://fewshot@127.0.0.1:{port}/fewshot")


@asynccontextmanager
async def pgbouncer(server: PostgresServer, folder: Path, mode: str) -> AsyncIterator[str]:
    """PgBouncer before the server, told to drop the settings that it does not pass on; the address of its server."""
    port, file = free_port(), folder / f"{mode}.ini"
    lines = f"[databases]\n* = host=127.0.0.1 port={server.port} user=fewshot\n[pgbouncer]\npool_mode={mode}\n"
    lines += f"listen_addr=127.0.0.1\nlisten_port={port}\nauth_type=any\nunix_socket_dir=\n"
    file.write_text(lines + f"ignore_startup_parameters={','.join(database_module.SERVER_SETTINGS)}\n")
    command = ["pgbouncer", *(["-u", "nobody"] if os.getuid() == 0 else []), str(file)]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    try:
        async with asyncio.timeout(10):
            while not await _is_open(port):  # noqa: ASYNC110 - another process opens it
                await asyncio.sleep(0.02)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def _is_open(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


@pytest.mark.skipif(shutil.which("pgbouncer") is None, reason="no pgbouncer is on the PATH")
async def test_a_pooler_that_gives_each_transaction_another_session_is_refused(
    postgresql: PostgresServer, url: str, tmp_path: Path
) -> None:
    direct = f"127.0.0.1:{postgresql.port}"
    async with pgbouncer(postgresql, tmp_path, "transaction") as address:
        with pytest.raises(StorageError, match="set its pool_mode to session"):
            await upgrade(url.replace(direct, address))
    async with pgbouncer(postgresql, tmp_path, "session") as address:
        await upgrade(url.replace(direct, address))
        async with open_database(url.replace(direct, address)) as database:
            await asyncio.gather(*(set_value(database, f"n{number}", "1") for number in range(9)))
            assert await get_value(database, "n8") == "1"


def differences(connection: Connection) -> list[object]:
    """What the migrations make otherwise than `bot.storage.tables` says."""
    options = {"compare_type": True, "compare_server_default": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), METADATA))


async def test_upgrades_at_once_run_one_after_another_and_a_newer_schema_is_refused(postgresql: PostgresServer) -> None:
    async with postgresql.new_database() as url:
        assert (await version(url))[0] is None
        newest = await asyncio.gather(*(upgrade(url) for _ in range(4)))
        assert len(set(newest)) == 1
        assert await version(url) == (newest[0], newest[0])
        made = engine(url)
        async with made.connect() as connection:
            assert await connection.run_sync(differences) == []
        await made.dispose()
        await postgresql.run("UPDATE alembic_version SET version_num = '9999'", url.rpartition("/")[2])
        with pytest.raises(StorageError, match="newer than this program"):
            await upgrade(url)


async def test_two_processes_never_read_what_the_other_is_about_to_write(url: str, database: Database) -> None:
    """Each takes the value, and adds one, as two processes of a bot would."""
    await set_value(database, "count", "0")

    async def increment(connection: AsyncConnection) -> None:
        value = (await connection.execute(KEY_VALUES.select().where(KEY_VALUES.c.name == "count"))).one().value
        changed = KEY_VALUES.update().where(KEY_VALUES.c.name == "count").values(value=str(int(value) + 1))
        await connection.execute(changed)

    async with open_database(url) as other:
        await asyncio.gather(*(one.transact(increment) for _ in range(100) for one in (database, other)))
    assert await get_value(database, "count") == "200"
    assert WRITE_LOCK < 2**31
