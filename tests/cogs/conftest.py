"""What the tests of commands share."""

from pathlib import Path

import pytest
from filelock import FileLock

from tests.cogs.operating import trained_data


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder with a small corpus and a data folder in which a model of it answers; copy it, do not use it.

    The processes of pytest-xdist share it.
    """
    if worker_id == "master":
        return trained_data(tmp_path_factory.mktemp("trained"))
    folder = tmp_path_factory.getbasetemp().parent / "trained"
    with FileLock(f"{folder}.lock"):
        return folder if folder.exists() else trained_data(folder)
