"""An empty database of the newest version: migrated once for a process of tests, and copied for every test.

Migrating is most of what a database costs that is used for a moment. That a database is migrated from blank, from
every version and by every way in is the law of `tests/storage/test_migrations.py` and of the tests that start the
real `fewshot`.
"""

import tempfile
from pathlib import Path

from bot.core.settings import Settings
from bot.storage.database import file_of
from bot.storage.migrations import upgrade

_made: list[bytes] = []


async def migrated(url: str) -> None:
    """Puts it where the SQLite database at `url` belongs; one that stands there already stays as it is."""
    path = Path(str(file_of(url)))
    if path.exists():
        return
    if not _made:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "empty.sqlite3"
            await upgrade(f"sqlite+aiosqlite:///{file}")
            _made.append(file.read_bytes())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_made[0])


async def migrated_in(data_dir: Path) -> None:
    """Puts it into the data folder of a bot."""
    await migrated(Settings(_env_file=None, data_dir=data_dir).database)
