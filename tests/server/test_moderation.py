"""Where a moderation is configured, nothing that it objects to is sent to a model or left standing as an answer."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.core.caller import Caller
from bot.core.errors import ConfigError, ModelError
from bot.core.settings import load
from bot.llm import ChatClient, ChatTemplate
from bot.llm.request import Request
from bot.server.guilds import GuildSettingsStore, open_guild_settings
from bot.server.ledger import Ledger, Limits
from bot.server.model_gateway import ModelGateway
from bot.server.moderation import BlockedError, Moderation
from bot.server.prompts import Prompts
from bot.storage.database import Database
from tests.fake_model import FakeModel
from tests.simulated import Simulated

ANN = Caller(1, 10, 100)
TEXT = ChatTemplate.from_dict({"messages": [{"role": "user", "content": "{{text}}"}]}, name="echo")
MODEL = "omni-moderation-latest"
ON = pytest.mark.settings(moderation_model=MODEL)


@pytest.fixture
async def fake() -> AsyncIterator[FakeModel]:
    async with FakeModel() as server:
        server.moderator.flags = {"knife": ["violence"], "slur": ["hate"], "minor": ["sexual", "sexual/minors"]}
        yield server


@pytest.fixture
async def guilds(database: Database) -> GuildSettingsStore:
    return await open_guild_settings(database, 1_000, 1_000)


@pytest.fixture
async def gateway(fake: FakeModel, database: Database, guilds: GuildSettingsStore) -> AsyncIterator[ModelGateway]:
    async with ChatClient(base_url=fake.url, api_key=fake.token, model="gpt-6-luna") as client:
        ledger = Ledger(database, Limits(5_000, 10**9, 10**9, 1.0))
        yield ModelGateway(client, ledger, Prompts(database, 7), Moderation(client, MODEL, guilds))


async def test_what_people_write_and_what_models_answer_passes_in_this_order(
    fake: FakeModel, gateway: ModelGateway
) -> None:
    fake.says("Bonjour")
    await gateway.ask(ANN, TEXT.fill({"text": "Good morning"}))
    await gateway.ask(
        ANN, Request(({"role": "system", "content": "Tell."}, {"role": "user", "content": "I look."}), {})
    )
    assert fake.moderator.seen == ["Good morning", "Bonjour", "I look.", "Bonjour"]
    assert set(fake.moderator.models) == {MODEL}


async def test_a_text_that_is_objected_to_reaches_no_model_and_costs_nothing(
    fake: FakeModel, gateway: ModelGateway
) -> None:
    with pytest.raises(BlockedError, match=r"does not let me send that to the model \(hate\)"):
        await gateway.ask(ANN, TEXT.fill({"text": "a slur"}))
    assert fake.requests == []


async def test_an_answer_that_is_objected_to_is_paid_for_and_not_given(fake: FakeModel, gateway: ModelGateway) -> None:
    fake.says("with a knife")
    with pytest.raises(BlockedError, match=r"answer was held back by this bot's moderation \(violence\)"):
        await gateway.ask(ANN, TEXT.fill({"text": "How?"}))
    assert len(fake.requests) == 1


async def test_where_the_moderation_cannot_be_asked_nothing_passes(fake: FakeModel, gateway: ModelGateway) -> None:
    fake.moderator.down = True
    with pytest.raises(ModelError, match="moderation model cannot be reached right now"):
        await gateway.ask(ANN, TEXT.fill({"text": "Good morning"}))
    assert fake.requests == []


@pytest.mark.parametrize(
    ("allowed", "restricted", "text", "passes"),
    [
        (True, True, "a knife", True),
        (False, True, "a knife", False),
        (True, False, "a knife", False),
        (True, True, "a slur", False),
        (True, True, "a minor", False),
    ],
)
async def test_what_is_for_adults_stands_in_age_restricted_channels_of_servers_that_allow_it(
    gateway: ModelGateway, guilds: GuildSettingsStore, allowed: bool, restricted: bool, text: str, passes: bool
) -> None:
    await guilds.change(10, adult=allowed)
    assert gateway.moderation is not None
    gateway.moderation.age_restricted = lambda channel: restricted and channel == 100
    if passes:
        await gateway.ask(ANN, TEXT.fill({"text": text}))
        return
    with pytest.raises(BlockedError):
        await gateway.ask(ANN, TEXT.fill({"text": text}))


def test_a_moderation_without_a_server_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="MODERATION_MODEL also needs"):
        load(moderation_model=MODEL)


@ON
@pytest.mark.parametrize("private", [True, False])
async def test_a_blocked_answer_is_taken_back_and_its_asker_reads_a_sentence(sim: Simulated, private: bool) -> None:
    """What was shown while it streamed is gone too."""
    sim.model.moderator.flags = {"knife": ["violence"]}
    sim.model.says("This is how to use a knife on somebody.", pieces=6, delay=0.3)
    result = await sim.member.slash(sim.general, "translate", text="Hallo", private=private)
    (told,) = result.followups
    assert told.ephemeral
    assert "held back by this bot's moderation (violence)" in sim.text(told)
    assert "knife" not in str([message.content for message in sim.general.history()])


@ON
async def test_a_blocked_turn_stays_open_with_the_reason(sim: Simulated) -> None:
    await sim.admin.slash(sim.general, "settings channels", adventure=sim.adventures)
    await sim.member.slash(sim.adventures, "adventure start", scenario="room")
    sim.model.moderator.flags = {"knife": ["violence"]}
    sim.model.says("You are hit by a knife.")
    await sim.member.slash(sim.adventures, "adventure act", text="look around")
    newest = sim.adventures.history()[-1]
    assert "held back by this bot's moderation" in newest.content
    assert "knife" not in newest.content
    sim.model.says("A lamp burns.")
    await sim.member.click(newest, label="Retry")
    assert "A lamp burns." in sim.adventures.history()[-1].content


@ON
async def test_admins_say_whether_age_restricted_channels_differ(sim: Simulated) -> None:
    shown = await sim.admin.slash(sim.general, "settings privacy", adult=True)
    assert "texts for adults are allowed there" in sim.text(shown.response)
    assert sim.services.guilds.of(sim.guild.id).adult


async def test_without_a_moderation_nothing_is_checked(sim: Simulated) -> None:
    await sim.member.slash(sim.general, "translate", text="Hallo")
    assert sim.model.moderator.seen == []
    shown = await sim.admin.slash(sim.general, "settings privacy")
    assert "Age-restricted" not in sim.text(shown.response)
