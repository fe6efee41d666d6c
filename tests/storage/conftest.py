"""A real SQLite file for each test, migrated and open."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.storage.database import Database, open_database
from tests.migrated import migrated


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path / 'fewshot.sqlite3'}"


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    await migrated(url)
    async with open_database(url) as opened:
        yield opened
