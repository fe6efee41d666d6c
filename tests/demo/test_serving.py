"""`fewshot demo` as a process and as a server, without a browser."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from bot.core.errors import ConfigError
from bot.core.settings import Settings
from bot.demo.serving import opened
from tests.browser import ROOT
from tests.fake_model import FakeModel


def settings(folder: Path, model: FakeModel) -> Settings:
    """The demo on a model that says what it is told."""
    return Settings(_env_file=None, data_dir=folder, openai_base_url=model.url, openai_api_key=model.token)


async def looked_at(url: str, channel: str = "", person: str = "") -> dict[str, Any]:
    """What a tab of that channel and person gets: places, page and commands."""
    site, _, secret = url.partition("/#")
    key = {"X-Simcord-Capability": f"{secret}.{channel}.{person}"}
    async with aiohttp.ClientSession(site, headers=key, raise_for_status=True) as client:
        async with client.get("/places") as answer:
            places = await answer.json()
        async with client.post("/api/pages", json={}) as answer:
            page = await answer.json()
        async with client.get("/api/commands", headers={"X-Simcord-Context": page["context"]["id"]}) as answer:
            commands = await answer.json()
    return {"places": places, "page": page, "commands": {entry["invocation"] for entry in commands["entries"]}}


@dataclass
class Tab:
    """A tab of the page, over its HTTP interface."""

    client: aiohttp.ClientSession
    page: dict[str, Any]
    sequence: int = 0

    async def act(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Send an action as the page does, and read the page anew."""
        self.sequence += 1
        context = self.page["context"]
        body = {
            "protocol_version": 3,
            "sequence": self.sequence,
            "request_id": str(self.sequence),
            "generation": context["generation"],
            "bot_generation": self.page["botGeneration"],
            "published_revision": self.page["publishedRevision"],
            "kind": kind,
        }
        headers = {"X-Simcord-Context": context["id"]}
        async with self.client.post("/api/action", json=body | fields, headers=headers) as answer:
            receipt: dict[str, Any] = await answer.json()
        self.sequence = receipt["expectedSequence"]
        async with self.client.get("/api/state", headers=headers) as answer:
            self.page = await answer.json()
        return receipt

    async def menu(self, message: str, name: str) -> dict[str, Any]:
        """Choose a menu of a message."""
        return await self.act("click", target_id=message, control_key=f"message:{message}:component:menu:{name}")


@asynccontextmanager
async def tab(url: str, channel: str, person: str, language: str = "en-GB") -> AsyncIterator[Tab]:
    """A tab on that channel as that person, in a browser with that language."""
    site, _, secret = url.partition("/#")
    key = {"X-Simcord-Capability": f"{secret}.{channel}.{person}", "Accept-Language": f"{language},en;q=0.5"}
    async with aiohttp.ClientSession(site, headers=key, raise_for_status=True) as client:
        async with client.post("/api/pages", json={}) as answer:
            page = await answer.json()
        yield Tab(client, page)


async def test_a_menu_of_a_message_reaches_the_bot_as_from_discord(tmp_path: Path) -> None:
    async with FakeModel() as model, opened(settings(tmp_path, model), 0) as (url, _):
        model.says("Bon départ.")
        places = (await looked_at(url))["places"]
        channel, (admin, member) = places["channels"][0]["id"], (person["id"] for person in places["people"])
        members_menus = (await looked_at(url, channel, member))["places"]["menus"]
        assert set(members_menus) == {"Rewrite…", "Translate", "Use a trick…"}
        assert places["menus"] == sorted([*members_menus, "Teach from this…"])
        async with tab(url, channel, member) as ben, tab(url, channel, admin, "de-AT") as ada:
            sent = (await ben.act("send_message", content="A good start."))["outcomes"][0]["messageId"]
            answer = (await ben.menu(sent, "Translate"))["outcomes"][0]["messageId"]
            while "Bon départ." not in ben.page["messages"][answer]["content"]:
                await ben.act("refresh")
            assert "A good start." in model.requests[-1]["messages"][-1]["content"]
            assert (await ben.menu(sent, "Teach from this…"))["rejected"]
            assert (await ada.menu(sent, "Teach from this…"))["outcomes"] == [{"kind": "modal"}]
            assert "A good start." in str(ada.page["modal"])
            assert "Was hereinkommt" in str(ada.page["modal"]), "a window has the language of the browser"


async def test_a_second_start_has_the_same_ids_and_all_commands(tmp_path: Path) -> None:
    async with FakeModel() as model:
        seen = []
        for _ in range(2):
            async with opened(settings(tmp_path, model), 0) as (url, _):
                seen.append(await looked_at(url))
    first, second = seen
    assert first["places"] == second["places"]
    assert [channel["name"] for channel in first["places"]["channels"]] == ["general", "adventures"]
    assert first["commands"] == second["commands"]
    assert {"translate", "rewrite", "facts", "sentiment", "ask", "help"} <= first["commands"]


async def test_a_tab_shows_the_channel_and_the_person_in_its_address(tmp_path: Path) -> None:
    async with FakeModel() as model, opened(settings(tmp_path, model), 0) as (url, _):
        places = (await looked_at(url))["places"]
        channel, person = places["channels"][1]["id"], places["people"][1]["id"]
        page = (await looked_at(url, channel, person))["page"]
        assert (page["channel"]["id"], page["viewerId"]) == (channel, person)
        assert page["timeline"] == []
        elsewhere = (await looked_at(url, "1", "1"))["page"]
        assert elsewhere["channel"]["name"] == "general"
        assert len(elsewhere["timeline"]) == 1


async def test_without_the_key_in_the_address_nothing_is_shown(tmp_path: Path) -> None:
    async with FakeModel() as model, opened(settings(tmp_path, model), 0) as (url, _):
        with pytest.raises(aiohttp.ClientResponseError, match="401"):
            await looked_at(url.partition("#")[0] + "#wrong")


async def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    async with FakeModel() as model:
        with pytest.raises(ConfigError, match=f"Port {model.port} is in use"):
            async with opened(settings(tmp_path, model), model.port):
                pass


async def test_the_admin_of_the_demo_operates_it_and_has_data_of_its_own(tmp_path: Path) -> None:
    async with FakeModel() as model, opened(settings(tmp_path, model), 0) as (url, bot):
        people = (await looked_at(url))["places"]["people"]
        assert bot.services.settings.operator_ids == {int(people[0]["id"])}
        assert bot.services.settings.data_dir == tmp_path / "demo"


@pytest.mark.skipif(os.name == "nt", reason="a console's Ctrl-C cannot be sent to one process here")
async def test_ctrl_c_ends_the_demo_and_its_engine(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "demo", "--port", "0", "--no-browser"),
        cwd=ROOT,
        env=os.environ | {"DATA_DIR": str(tmp_path), "PYTHONUNBUFFERED": "1", "OPENAI_API_KEY": ""},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert b"http://127.0.0.1" in await process.stdout.readline()
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    process.send_signal(signal.SIGINT)
    _, errors = await process.communicate()
    assert process.returncode == 0
    assert b"Traceback" not in errors
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive


async def test_the_tour_offers_a_prompt_a_training_and_a_game(tmp_path: Path) -> None:
    async with FakeModel() as model, opened(settings(tmp_path, model), 0) as (url, _):
        page = (await looked_at(url))["page"]
    labels = [part["label"] for message in page["messages"].values() for part in _buttons(message["components"])]
    assert labels == ["Show me a prompt", "Train a model (30 s)", "Play"]


def _buttons(components: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = [part for part in components if part.get("type") == 2]
    return found + [button for part in components for button in _buttons(part.get("components", []))]
