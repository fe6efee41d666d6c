"""Fixtures and hooks for all tests."""

import gc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from xdist.remote import Producer

from tests.distribution import Scheduler, order, processes
from tests.simulated import Simulated, simulated


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "settings(**options): settings of the bot in the `sim` fixture")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """The number of processes for `-n auto`."""
    return processes()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduler | None:
    """The scheduler for `--dist loadfile`."""
    return Scheduler(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest files first."""
    items.sort(key=lambda item: order(item.nodeid))


def pytest_collection_finish() -> None:
    """Exclude everything imported so far from garbage collection."""
    gc.collect()
    gc.freeze()


@pytest.fixture
async def sim(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Simulated]:
    """The bot in a simulated Discord; see `tests/simulated.py`."""
    mark = request.node.get_closest_marker("settings")
    async with simulated(tmp_path / "data", **(mark.kwargs if mark else {})) as running:
        yield running
