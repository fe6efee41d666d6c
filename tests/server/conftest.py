"""A migrated database, and a clock that a test moves."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from bot.storage.database import Database, open_database


@dataclass
class Clock:
    """Noon of the last day of a month, until it is moved."""

    at: datetime = datetime(2026, 11, 30, 12, tzinfo=UTC)

    def __call__(self) -> float:
        return self.at.timestamp()

    def move(self, **by: float) -> None:
        self.at += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as opened:
        yield opened
