"""What probes of the process are told."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.core.errors import ConfigError, ModelError, StorageError
from bot.core.metrics import open_metrics
from bot.server.health import REUSED_FOR, Health, open_health
from bot.storage import database as database_module
from bot.storage.database import Database
from bot.storage.key_value import delete_value, set_value
from tests.migrated import migrated_in
from tests.simulated import simulated


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Model:
    """Lists its models, or cannot be reached."""

    def __init__(self) -> None:
        self.asked, self.up = 0, True

    async def __call__(self) -> list[str]:
        self.asked += 1
        if not self.up:
            raise ModelError("The model cannot be reached.")
        return ["a-model"]


async def probe(port: int, path: str) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as response:
        return response.status, await response.json()


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
async def served(database: Database, model: Model) -> AsyncIterator[tuple[Health, int]]:
    port = free_port()
    async with open_health(database, model, open_metrics(enabled=True), port) as health:
        yield health, port


async def test_it_is_ready_when_gateway_database_and_model_are(served: tuple[Health, int]) -> None:
    health, port = served
    assert await probe(port, "/livez") == (200, {"alive": True})
    assert await probe(port, "/readyz") == (503, {"gateway": False, "database": True, "model": True})
    health.gateway = lambda: True
    assert await probe(port, "/readyz") == (200, {"gateway": True, "database": True, "model": True})


async def test_the_model_is_asked_seldom_however_many_probe(database: Database, model: Model) -> None:
    now = 100.0
    health = Health(database, model, lambda: now)
    await asyncio.gather(*(health.ready() for _ in range(20)))
    assert model.asked == 1
    model.up = False
    assert (await health.ready())["model"]
    now += REUSED_FOR
    assert not (await health.ready())["model"]
    assert model.asked == 2


async def test_a_port_in_use_is_named_in_a_sentence(database: Database, model: Model, served: Any) -> None:
    with pytest.raises(ConfigError, match=f"HEALTH_PORT {served[1]} cannot be used"):
        async with open_health(database, model, open_metrics(enabled=False), served[1]):
            pass


async def test_the_running_bot_serves_its_health_until_it_ends(tmp_path: Any) -> None:
    """The gateway's state is the client's own; the simulator has none that could break."""
    port = free_port()
    async with simulated(tmp_path, health_port=port) as sim:
        sim.services.health.gateway = sim.bot.is_ready
        assert await probe(port, "/readyz") == (200, {"gateway": True, "database": True, "model": True})
    with pytest.raises(aiohttp.ClientConnectionError):
        await probe(port, "/livez")


async def test_a_full_disk_is_told_to_the_person_and_the_operator_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await migrated_in(tmp_path)
    most = (tmp_path / "fewshot.sqlite3").stat().st_size // 4_096 + 30
    monkeypatch.setattr(database_module, "PRAGMAS", (*database_module.PRAGMAS, f"max_page_count = {most}"))
    port = free_port()
    async with simulated(tmp_path, health_port=port) as sim:
        sim.services.health.gateway = sim.bot.is_ready
        store = sim.services.database
        for number in range(100):
            with suppress(StorageError):
                await set_value(store, f"filler:{number}", "x" * 4_000)
        with pytest.raises(StorageError):
            await set_value(store, "filler:last", "x" * 20_000)
        opened = await sim.admin.slash(sim.general, "trick teach", name="refuse")
        typed = {"instruction": "x" * 4_000, "given": "y" * 2_000, "wanted": "z" * 2_000}
        refused = await sim.admin.submit_modal(opened, typed)
        assert "The disk of the machine that I run on is full" in sim.said(refused)
        assert "writing to the database fails: database or disk is full" in caplog.text
        assert (await probe(port, "/readyz"))[1]["database"] is False
        assert await sim.services.tricks.names(sim.guild.id) == []
        for number in range(100):
            await delete_value(store, f"filler:{number}")
        assert (await probe(port, "/readyz"))[1]["database"] is True
        opened = await sim.admin.slash(sim.general, "trick teach", name="refuse")
        await sim.admin.submit_modal(opened, typed)
        assert await sim.services.tricks.names(sim.guild.id) == ["refuse"]
