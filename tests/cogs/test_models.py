"""Several chat models, as people meet them: a list of the operator, narrowed by servers, with defaults for channels."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.core.settings import ListedModel
from tests.fake_model import FakeModel
from tests.simulated import Simulated, simulated


@asynccontextmanager
async def two_models(folder: Path) -> AsyncIterator[tuple[Simulated, FakeModel]]:
    """A bot with two models at two addresses, and the second server."""
    async with FakeModel(token="other-token") as other:
        listed = (
            ListedModel(name="fake-model", label="Luna"),
            ListedModel(name="second", label="Qwen", base_url=other.url, key=other.token),
        )
        async with simulated(folder, chat_models=listed) as sim:
            sim.model.says("from Luna")
            other.says("from Qwen")
            yield sim, other


async def test_a_request_goes_to_the_server_of_its_model_and_the_footer_names_it(tmp_path: Path) -> None:
    async with two_models(tmp_path) as (sim, other):
        first = await sim.member.slash(sim.general, "translate", text="Good morning")
        assert sim.text(first.response).startswith("from Luna\n-# Luna · zero-shot")
        await sim.services.guilds.change(sim.guild.id, channel_models={str(sim.general.id): "second"})
        second = await sim.member.slash(sim.general, "translate", text="Good morning")
        assert sim.text(second.response).startswith("from Qwen\n-# Qwen · zero-shot")
        assert [body["model"] for body in other.requests] == ["second"]
        assert other.calls[0].headers["Authorization"] == "Bearer other-token"
        assert not sim.errors
