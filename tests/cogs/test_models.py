"""Several chat models, as people meet them: a list of the operator, narrowed by servers, with defaults for channels."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.core.settings import ListedModel
from tests.fake_model import FakeModel
from tests.simulated import Simulated, parts_of, simulated


@asynccontextmanager
async def two_models(folder: Path) -> AsyncIterator[tuple[Simulated, FakeModel]]:
    """A bot with two models at two addresses, and the second server."""
    async with FakeModel(token="other-token") as other:
        listed = (
            ListedModel(name="fake-model", label="Luna"),
            ListedModel(name="gpt-4o-mini", label="Mini", base_url=other.url, key=other.token),
        )
        async with simulated(folder, chat_models=listed) as sim:
            sim.model.says("from Luna")
            other.says("from Mini")
            yield sim, other


async def test_a_request_goes_to_the_server_of_its_model_and_the_footer_names_it(tmp_path: Path) -> None:
    async with two_models(tmp_path) as (sim, other):
        first = await sim.member.slash(sim.general, "translate", text="Good morning")
        assert sim.text(first.response).startswith("from Luna\n-# Luna · zero-shot")
        await sim.services.guilds.change(sim.guild.id, channel_models={str(sim.general.id): "gpt-4o-mini"})
        second = await sim.member.slash(sim.general, "translate", text="Good morning")
        assert sim.text(second.response).startswith("from Mini\n-# Mini · zero-shot")
        assert [body["model"] for body in other.requests] == ["gpt-4o-mini"]
        assert other.calls[0].headers["Authorization"] == "Bearer other-token"
        assert not sim.errors


async def test_as_many_models_are_offered_as_discord_shows(tmp_path: Path) -> None:
    """A full list, and CHAT_MODEL, which belongs to it in any case."""
    listed = tuple(ListedModel(name=f"model-{number}") for number in range(25))
    async with simulated(tmp_path, chat_models=listed) as sim:
        for command, option in (("translate", "model"), ("compare", "models")):
            assert len(await sim.member.autocomplete(sim.general, command, option, "")) == 25


async def test_every_command_that_asks_takes_a_model_and_what_follows_keeps_it(tmp_path: Path) -> None:
    async with two_models(tmp_path) as (sim, other):
        choices = await sim.member.autocomplete(sim.general, "translate", "model", "mi")
        assert [(choice["name"], choice["value"]) for choice in choices] == [("Mini", "gpt-4o-mini")]
        answer = await sim.member.slash(sim.general, "translate", text="Good morning", model="mini")
        assert "from Mini" in sim.text(answer.response)
        card = await sim.member.click(answer.response, label="Prompt")
        sim.services.prompts._cached.clear()  # As after a restart.
        again = await sim.member.click(card.response, label="0")
        assert "from Mini" in sim.text(again.response)
        other.says('{"template": "translate", "inputs": {"text": "Hi", "to": "French"}, "why": "it asks so"}', "Salut")
        asked = await sim.member.slash(sim.general, "ask", request="Say hi in French", model="gpt-4o-mini")
        assert "Salut\n-# Mini" in sim.text(asked.response)
        unknown = await sim.member.slash(sim.general, "translate", text="Good morning", model="gpt-7")
        assert "“gpt-7” cannot be chosen here; there are Luna, Mini" in sim.said(unknown)
        assert not sim.model.requests
        assert len(sim.errors) == 1


async def test_a_server_narrows_the_list_and_sets_defaults(tmp_path: Path) -> None:
    async with two_models(tmp_path) as (sim, _other):
        shown = await sim.admin.slash(sim.general, "settings models", default="Mini")
        assert "✅ **Mini** · answers where nobody chooses · $0.15 in and $0.60 out for a million tokens" in sim.text(
            shown.response
        )
        await sim.admin.slash(sim.general, "settings models", default="Luna", channel=sim.adventures)
        for channel, by in ((sim.general, "Mini"), (sim.adventures, "Luna")):
            answer = await sim.member.slash(channel, "translate", text="Good morning")
            assert f"-# {by} · zero-shot" in sim.text(answer.response)
        narrowed = await sim.admin.select(shown.response, ["gpt-4o-mini"])
        text = sim.text(narrowed.response)
        assert "🚫 **Luna**" in text
        assert "⚠️ Luna cannot be chosen any more; the default answers." in text
        fallen_back = await sim.member.slash(sim.adventures, "translate", text="Good morning")
        said = "from Mini\n-# Mini · zero-shot · in place of Luna, which cannot be asked here any more"
        assert said in sim.text(fallen_back.response)
        await sim.services.guilds.change(sim.guild.id, channel_models={str(sim.adventures.id): "left-the-list"})
        fallen_back = await sim.member.slash(sim.adventures, "translate", text="Good morning")
        assert "Mini · zero-shot · in place of left-the-list, which" in sim.text(fallen_back.response)
        refused = await sim.member.slash(sim.general, "translate", text="Good morning", model="fake-model")
        assert "“fake-model” cannot be chosen here; there are Mini." in sim.said(refused)
        assert await sim.member.autocomplete(sim.general, "ask", "model", "lu") == []
        used = sim.text((await sim.member.slash(sim.general, "usage")).response)
        assert re.search(r"\nLuna: [\d,]+ tokens, \$0\.0000\d+\nMini: [\d,]+ tokens, \$0\.0000\d+\n", used), used
        await sim.admin.slash(sim.general, "settings models", reset=True)
        answer = await sim.member.slash(sim.general, "translate", text="Good morning", model="fake-model")
        assert "-# Luna · zero-shot" in sim.text(answer.response)


async def test_models_are_compared_with_as_many_numbers_of_examples_as_fit_into_six_cells(tmp_path: Path) -> None:
    async with two_models(tmp_path) as (sim, other):
        sim.model.says("4: from Luna")
        other.says("2: from Mini")
        choices = await sim.member.autocomplete(sim.general, "compare", "models", "Luna, mi")
        assert [choice["value"] for choice in choices] == ["Luna, gpt-4o-mini"]
        given = {"trick": "sentiment", "text": "The lamp flickers.", "models": choices[0]["value"]}
        result = await sim.member.slash(sim.general, "compare", **given)
        text = sim.text(result.response)
        for model, price in (("Luna", "price not known"), ("Mini", r"\$0\.0000\d+")):
            for shots in ("no example", "one example", "all 3 examples"):
                cell = rf"\*\*{model} · {shots}\*\* .*\n.*\nfrom {model}\n-# \d+ tokens in, \d+ out · {price} · \d"
                assert re.search(cell, text), text
        assert (len(sim.model.requests), len(other.requests)) == (3, 3)
        assert result.response is not None
        assert len(list(parts_of(result.response.components))) <= 40
        prompt = await sim.member.click(result.response, label="Prompt: Mini · one example")
        assert "one-shot" in sim.text(prompt.response)
        for models, said in (("Luna,,gpt-7", "“gpt-7” cannot be chosen here"), ("Luna, luna, fake-model", "")):
            result = await sim.member.slash(sim.general, "compare", **(given | {"models": models}))
            assert said in sim.said(result)
        assert len(sim.model.requests) == 6


@pytest.mark.settings(privacy_url="https://bot.example/privacy")
async def test_help_links_to_the_privacy_policy_and_the_terms(sim: Simulated) -> None:
    assert sim.bot.application is not None
    sim.bot.application.terms_of_service_url = "https://bot.example/terms"  # As set in the developer portal.
    text = sim.text((await sim.member.slash(sim.general, "help")).response)
    assert "[Privacy policy](<https://bot.example/privacy>) · [Terms of service](<https://bot.example/terms>)" in text
