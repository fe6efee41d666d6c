"""`fewshot db` and `fewshot doctor`: what is there, what is missing, and what to do about it."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import Run, ended, started
from tests.fake_model import FakeModel
from tests.postgresql import PostgresServer


async def test_a_database_is_made_told_and_copied(fewshot: Run, tmp_path: Path) -> None:
    assert "no database yet" in (await fewshot("db", "status")).out
    made = await fewshot("db", "upgrade")
    assert (made.code, made.err) == (0, "")
    assert (await fewshot("db", "upgrade")).out == made.out
    assert "the newest" in (await fewshot("db", "status")).out
    copied = await fewshot("db", "backup", "copy.sqlite3")
    assert copied.code == 0
    with closing(sqlite3.connect(tmp_path / "copy.sqlite3")) as copy:
        assert copy.execute("SELECT count(*) FROM calls").fetchone() == (0,)
    again = await fewshot("db", "backup", "copy.sqlite3")
    assert again.code == 1
    assert "exists already" in again.err


@pytest.mark.postgresql
async def test_a_database_moves_to_a_server_and_its_backups_are_made_there(
    fewshot: Run, environment: dict[str, str], postgresql: PostgresServer
) -> None:
    await fewshot("db", "upgrade")
    file = f"sqlite+aiosqlite:///{environment['DATA_DIR']}/fewshot.sqlite3"
    with closing(sqlite3.connect(Path(environment["DATA_DIR"]) / "fewshot.sqlite3")) as connection:
        connection.execute("INSERT INTO key_values VALUES ('a', 'b')")
        connection.commit()
    async with postgresql.new_database() as url:
        copied = await fewshot("db", "copy", file, url)
        assert copied.code == 0
        assert " 1 key_values\n" in copied.out
        assert copied.out.endswith("Copied 1 rows.\n")
        environment["DATABASE_URL"] = url
        assert "the newest" in (await fewshot("db", "status")).out
        assert (await fewshot("db", "upgrade")).code == 0
        assert "✓ Database: version" in (await fewshot("doctor")).out
        backup, again = await fewshot("db", "backup", "copy.sqlite3"), await fewshot("db", "copy", file, url)
    assert (backup.code, again.code) == (1, 1)
    assert "pg_dump" in backup.err
    assert "key_values has rows" in again.err


async def test_there_is_nothing_to_copy_before_the_first_start(fewshot: Run, tmp_path: Path) -> None:
    done = await fewshot("db", "backup", "copy.sqlite3")
    assert done.code == 1
    assert "nothing to copy" in done.err
    assert not (tmp_path / "copy.sqlite3").exists()


async def test_a_newer_database_is_refused(fewshot: Run, environment: dict[str, str]) -> None:
    await fewshot("db", "upgrade")
    with closing(sqlite3.connect(Path(environment["DATA_DIR"]) / "fewshot.sqlite3")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    done = await fewshot("db", "upgrade")
    assert done.code == 1
    assert "newer than this program" in done.err


@pytest.mark.parametrize("url", ["nonsense", "sqlite:///x", "postgresql+asyncpg://me:hunter2@127.0.0.1:1/x"])
@pytest.mark.parametrize("command", ["status", "upgrade"])
async def test_an_address_of_no_database_is_one_sentence_without_its_password(
    fewshot: Run, environment: dict[str, str], url: str, command: str
) -> None:
    environment["DATABASE_URL"] = url
    done = await fewshot("db", command)
    assert (done.code, done.out) == (1, "")
    assert "DATABASE_URL" in done.err
    assert "hunter2" not in done.err
    assert done.err.count("\n") == 1


async def test_the_doctor_names_what_is_missing_and_what_is_well(fewshot: Run) -> None:
    done = await fewshot("doctor")
    assert (done.code, done.err) == (1, "")
    assert "✗ Discord: DISCORD_TOKEN is not set" in done.out
    assert "· Model: no model is connected" in done.out
    assert "· Database: does not exist yet" in done.out
    assert "✓ Templates: " in done.out
    assert " styles, 5 adventures" in done.out
    assert "✓ Data: " in done.out


async def test_the_doctor_asks_the_model(fewshot: Run, fake: FakeModel, environment: dict[str, str]) -> None:
    assert "✓ Model: fake-model at 127.0.0.1" in (await fewshot("doctor")).out
    environment["CHAT_MODEL"] = "another"
    assert "✗ Model: 127.0.0.1 does not list another. Set CHAT_MODEL: fake-model." in (await fewshot("doctor")).out
    environment["OPENAI_API_KEY"] = "sk-wrong-0123456789abcdef"
    assert "✗ Model: The model's server did not accept the bot's credentials" in (await fewshot("doctor")).out


async def test_the_doctor_looks_at_database_and_corpora(
    fewshot: Run, environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "one.txt").write_text("Once.", encoding="utf-8")
    environment["CORPORA"] = "tales=texts,lost=nowhere"
    await fewshot("db", "upgrade")
    done = await fewshot("doctor")
    assert "✓ Database: version" in done.out
    assert "✓ Corpora: tales: 1 texts" in done.out
    assert "✗ Corpora: lost: nowhere contains no" in done.out


async def test_the_doctor_lives_through_broken_things(fewshot: Run, environment: dict[str, str]) -> None:
    environment["DATABASE_URL"] = "nonsense"
    assert "✗ Database: DATABASE_URL" in (await fewshot("doctor")).out
    environment["LOG_LEVEL"] = "hunter2"
    done = await fewshot("doctor")
    assert done.code == 1
    assert "✗ Settings: " in done.out
    assert "LOG_LEVEL" in done.out
    assert "hunter2" not in done.out


async def test_discord_is_reached_through_the_proxy_that_the_environment_names(
    fewshot: Run, environment: dict[str, str], tmp_path: Path
) -> None:
    asked: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.write(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    environment["DISCORD_TOKEN"] = "a.b.c"
    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as proxy:
        environment["HTTPS_PROXY"] = f"http://me:hunter2@127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
        done, run = await fewshot("doctor"), await ended(await started(environment, tmp_path, "run"))
    assert asked[0].startswith(b"CONNECT discord.com:443 ")
    assert (run.code, run.err) == (1, "fewshot: Discord cannot be reached: a proxy on the way answered 403.\n")
    assert "✗ Discord: Discord cannot be reached" in done.out
    environment["HTTPS_PROXY"] = "socks5://me:hunter2@127.0.0.1"
    again = await fewshot("doctor")
    assert "✗ Discord: The environment names a proxy that cannot be used" in again.out
    assert "hunter2" not in done.out + again.out + done.err + again.err


async def test_status_and_copy_work_beside_a_writer(fewshot: Run, environment: dict[str, str]) -> None:
    await fewshot("db", "upgrade")
    path = Path(environment["DATA_DIR"]) / "fewshot.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO key_values VALUES ('open', '1')")
        status, copied = await asyncio.gather(fewshot("db", "status"), fewshot("db", "backup", "copy.sqlite3"))
        writer.execute("ROLLBACK")
    assert (status.code, copied.code) == (0, 0)
