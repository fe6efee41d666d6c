"""Fixtures and hooks for all tests."""

import gc
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
from xdist.remote import Producer

from tests.compiled import share_compiled_statements
from tests.distribution import Scheduler, order, processes
from tests.forked import share_server
from tests.migrated import migrated
from tests.simulated import Simulated, simulated

if TYPE_CHECKING:
    from tests.postgresql import PostgresServer


# Reference counting frees nearly all objects. Python's own thresholds take a tenth of the CPU time of the tests.
GC_THRESHOLDS = (50_000, 20, 100)
# A busy machine may need any time for an example.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")
# Importing and collecting the tests makes next to no garbage.
gc.disable()
# A file system in memory, which needs no waiting for a disk at every commit, and how much room a run must find there.
IN_MEMORY, ROOM = "/dev/shm", 4 * 2**30
if "TMPDIR" not in os.environ and Path(IN_MEMORY).is_dir() and shutil.disk_usage(IN_MEMORY).free > ROOM:
    os.environ["TMPDIR"] = IN_MEMORY
    tempfile.tempdir = None  # read TMPDIR again


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "settings(**options): settings of the bot in the `sim` fixture")
    share_compiled_statements()
    if config.getoption("numprocesses", None):
        share_server()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """The number of processes for `-n auto`."""
    return processes()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduler | None:
    """The scheduler for `--dist loadfile`."""
    return Scheduler(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests with the mark `both_databases` on SQLite and on PostgreSQL."""
    if "database_url" in metafunc.fixturenames and metafunc.definition.get_closest_marker("both_databases"):
        databases = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]
        metafunc.parametrize("database_url", databases, indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest files first."""
    items.sort(key=lambda item: order(item.nodeid))


def pytest_collection_finish() -> None:
    """Exclude everything imported so far from garbage collection, and collect the garbage of the tests rarely."""
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    gc.enable()


@pytest.fixture
async def sim(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Simulated]:
    """The bot in a simulated Discord; see `tests/simulated.py`."""
    mark = request.node.get_closest_marker("settings")
    async with simulated(tmp_path / "data", **(mark.kwargs if mark else {})) as running:
        yield running


@pytest.fixture(scope="session")
def postgresql() -> "Iterator[PostgresServer]":
    """A PostgreSQL server, started by the first test of the process that needs it."""
    from tests.postgresql import NoServerError, postgres_server

    try:
        with postgres_server() as server:
            yield server
    except NoServerError as error:
        pytest.skip(f"no PostgreSQL server: {error}")


@pytest.fixture
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database of the newest version, on SQLite unless the test runs on both databases."""
    if getattr(request, "param", "sqlite") == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgresql")
        return await server.migrated()
    url = f"sqlite+aiosqlite:///{tmp_path / 'fewshot.sqlite3'}"
    await migrated(url)
    return url
