"""What all tests may use."""

import gc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from xdist.remote import Producer

from tests.sharing import Sharing, turn, workers
from tests.simulated import Simulated, simulated


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "settings(**options): settings of the bot in the `sim` fixture")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """For `-n auto`."""
    return workers()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Sharing | None:
    """For `--dist loadfile`."""
    return Sharing(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first."""
    items.sort(key=lambda item: turn(item.nodeid))


def pytest_collection_finish() -> None:
    """What was imported stays to the end: the garbage collector need not look through it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture
async def sim(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Simulated]:
    """The bot in a simulated Discord; `tests/simulated.py` tells how to use it."""
    mark = request.node.get_closest_marker("settings")
    async with simulated(tmp_path / "data", **(mark.kwargs if mark else {})) as running:
        yield running
