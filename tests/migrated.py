"""An empty database of the newest version, migrated once per test process and copied for each test.

Migrating takes most of the time of a short test. `tests/storage/test_migrations.py` tests the migrations themselves.
"""

import tempfile
from pathlib import Path

from bot.core.settings import Settings
from bot.storage.database import file_of
from bot.storage.migrations import upgrade

_template: list[bytes] = []


async def migrated(url: str) -> None:
    """Copy it to the SQLite database at `url`, unless that file exists."""
    path = Path(str(file_of(url)))
    if path.exists():
        return
    if not _template:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "empty.sqlite3"
            await upgrade(f"sqlite+aiosqlite:///{file}")
            _template.append(file.read_bytes())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_template[0])


async def migrated_in(data_dir: Path) -> None:
    """Copy it into a bot's DATA_DIR."""
    await migrated(Settings(_env_file=None, data_dir=data_dir).database)
