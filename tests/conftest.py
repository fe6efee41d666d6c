"""What all tests may use."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.simulated import Simulated, simulated


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "settings(**options): settings of the bot in the `sim` fixture")


@pytest.fixture
async def sim(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Simulated]:
    """The bot in a simulated Discord; `tests/simulated.py` tells how to use it."""
    mark = request.node.get_closest_marker("settings")
    async with simulated(tmp_path / "data", **(mark.kwargs if mark else {})) as running:
        yield running
