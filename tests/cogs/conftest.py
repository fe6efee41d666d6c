"""What the tests of commands share."""

from pathlib import Path

import pytest

from tests.cogs.operating import trained_data


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small corpus and a data folder in which a model of it answers; copy it, do not use it."""
    return trained_data(tmp_path_factory.mktemp("trained"))
