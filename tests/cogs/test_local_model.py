"""**Get a model** as an operator meets it: a list, a licence, a progress card, and the answer to the first question."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from unittest import mock

import discord
import pytest

from bot.core.errors import NotAllowedError
from bot.engine.llama import download, service
from bot.engine.llama.catalog import Recommended
from cogs.local_model import LocalModelCog
from tests.cogs.operating import NO_MODEL, OPERATORS
from tests.fake_hub import FakeHub
from tests.local_engine import engine_in
from tests.simulated import Person, Simulated, simulated
from tests.smollm2 import smollm2
from tests.waiting import until

ROW = Recommended(
    name="smollm2",
    label="SmolLM2 135M",
    repo="owner/smol",
    file="Smol.gguf",
    revision="main",
    size=98_362_432,
    memory=400_000_000,
    languages="English",
    license="Apache-2.0",
    sha256=None,
    purpose="for tests",
)
# Seconds that fetching, checking, loading and answering may take on a busy machine.
TIMEOUT = 120.0
QUESTION = {"text": "Good morning", "to": "French"}


@pytest.fixture
async def hub(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeHub]:
    """A hub with SmolLM2, and a table that recommends it."""
    # So small a model seldom stops by itself.
    monkeypatch.setattr("bot.engine.llama.models.MAX_TOKENS", 24)
    for module in (download, service):
        monkeypatch.setattr(module, "recommended", lambda: {ROW.name: ROW})
    async with FakeHub({"owner/smol/Smol.gguf": smollm2().read_bytes()}) as hub:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
        monkeypatch.setattr(
            "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE",
            hub.url + "/{repo_id}/resolve/{revision}/{filename}",
        )
        yield hub


@pytest.fixture
async def bot(tmp_path: Path) -> AsyncIterator[Simulated]:
    """The bot without a model; the admin operates it."""
    folder = tmp_path / "data"
    async with engine_in(folder), simulated(folder, **NO_MODEL, operator_ids=OPERATORS) as sim:
        sim.env.settle_timeout = TIMEOUT
        yield sim


async def test_a_model_is_fetched_and_the_first_question_answered(bot: Simulated, hub: FakeHub) -> None:
    asked = await bot.admin.slash(bot.general, "translate", **QUESTION)
    assert "No model connected" in bot.text(asked.response)
    offered = await bot.admin.click(asked.response, label="Get a model")
    assert offered.response is not None
    assert "SmolLM2 135M" in str(offered.response.components)
    chosen = await bot.admin.select(offered.response, [ROW.name])
    assert "Apache-2.0" in bot.text(chosen.response)
    fetched = await bot.admin.click(chosen.response, label="Accept the licence and fetch")
    answer = bot.text(fetched.response)
    assert "SmolLM2 135M · on this machine" in answer
    assert bot.services.gateway.model == f"{ROW.name} (local)"
    again = await bot.member.slash(bot.general, "translate", **QUESTION)
    assert "SmolLM2 135M · on this machine" in bot.text(again.response)
    prompt = await bot.member.click(again.response, label="Prompt")
    assert "SmolLM2 135M · on this machine" in bot.text(prompt.response)
    assert "free" in bot.text(prompt.response)
    assert not bot.errors


async def test_members_cannot_fetch_a_model(bot: Simulated, hub: FakeHub) -> None:
    asked = await bot.member.slash(bot.general, "translate", **QUESTION, private=False)
    refused = await bot.member.click(asked.response, label="Get a model")
    assert "Only those who operate this bot" in bot.text(refused.response)
    assert hub.ranges == []


async def test_a_missing_package_is_named(bot: Simulated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "NEEDED", ("a_package_that_nobody_has",))
    asked = await bot.admin.slash(bot.general, "translate", **QUESTION)
    refused = await bot.admin.click(asked.response, label="Get a model")
    assert "pip install -e '.[local]'" in bot.text(refused.response)


async def test_a_download_that_breaks_says_so_and_nothing_changes(bot: Simulated, hub: FakeHub) -> None:
    hub.files.clear()
    asked = await bot.admin.slash(bot.general, "translate", **QUESTION)
    offered = await bot.admin.click(asked.response, label="Get a model")
    chosen = await bot.admin.select(offered.response, [ROW.name])
    failed = await bot.admin.click(chosen.response, label="Accept the licence and fetch")
    shown = bot.text(failed.response)
    assert "No model was fetched" in shown
    assert "The hub has no hf:owner/smol/Smol.gguf" in shown
    assert "Fetching" not in shown
    assert not failed.followups
    assert bot.services.gateway.model == "stand-in"
    assert not await asyncio.to_thread(list, (Path(bot.services.settings.data_dir) / "models").glob("*/manifest.json"))


async def test_a_stopped_download_goes_on_where_it_was(bot: Simulated, hub: FakeHub) -> None:
    asked = await bot.admin.slash(bot.general, "translate", **QUESTION)
    offered = await bot.admin.click(asked.response, label="Get a model")
    chosen = await bot.admin.select(offered.response, [ROW.name])
    cog = bot.bot.get_cog("Local models")
    assert isinstance(cog, LocalModelCog)

    async def press_stop() -> None:
        # SimCord presses no button while another press is handled.
        await until(lambda: "Fetching" in bot.text(chosen.response))
        assert bot.buttons(chosen.response) == ["Stop"]
        with pytest.raises(NotAllowedError):
            await cog.stop(pressed_by(bot.member), "")
        await cog.stop(pressed_by(bot.admin), "")

    hub.at_middle = press_stop
    stopped = await bot.admin.click(chosen.response, label="Accept the licence and fetch")
    assert "The download was stopped. What was fetched is kept" in bot.text(stopped.response)
    assert bot.services.gateway.model == "stand-in"
    again = await bot.admin.click(stopped.response, label="Try again")
    assert "SmolLM2 135M · on this machine" in bot.text(again.response)
    assert hub.ranges[-1].startswith("bytes=")


def pressed_by(person: Person) -> Any:
    """What the handler of a button reads of its interaction."""
    interaction = mock.create_autospec(discord.Interaction, instance=True)
    interaction.user, interaction.guild_id = mock.Mock(id=person.id), person.guild.id
    interaction.response = mock.create_autospec(discord.InteractionResponse, instance=True)
    return interaction
