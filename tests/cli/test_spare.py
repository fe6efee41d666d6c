"""A process that waits for a slot: what probes see, and how it ends."""

import signal
from pathlib import Path

import pytest

from bot.storage.slots import open_slot
from tests.cli.conftest import KEY, ended, started
from tests.postgresql import PostgresServer
from tests.server.test_health import free_port, probe

pytestmark = pytest.mark.postgresql


async def no_shards() -> int:
    return 0


async def test_a_spare_is_ready_and_ends_at_sigterm(
    environment: dict[str, str], tmp_path: Path, postgresql: PostgresServer
) -> None:
    url, port = await postgresql.migrated(), free_port()
    environment |= {"DISCORD_TOKEN": KEY, "DATABASE_URL": url, "HEALTH_PORT": str(port), "LOG_FORMAT": "json"}
    async with open_slot(url, 1, None, no_shards):
        process = await started(environment, tmp_path, "run")
        assert process.stderr is not None
        assert b"this process waits as a spare: all 1 slots are taken" in await process.stderr.readline()
        assert await probe(port, "/livez") == (200, {"alive": True})
        assert await probe(port, "/readyz") == (200, {"spare": True, "database": True})
        process.send_signal(signal.SIGTERM)
        done = await ended(process)
    assert (done.code, done.out) == (143, "")
