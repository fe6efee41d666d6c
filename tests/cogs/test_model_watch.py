"""The model watch: the tests of a server run once when its model changes, and a card says what broke."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.core.settings import ListedModel
from bot.server import shipped_tests
from bot.server.evaluation import Case
from bot.storage.key_value import WATCHED, get_value
from cogs.trick import watch
from tests.cogs.operating import TIMEOUT, shown
from tests.cogs.test_trick_runs import CSV, imported, ran, taught
from tests.simulated import Simulated, simulated

MODELS = (ListedModel(name="fake-model", label="Luna"), ListedModel(name="model-b", label="Mini"))


def answer(body: dict[str, Any]) -> str:
    """Both models refuse politely and know bad reviews, but Mini would dance, and finds the good ones bad."""
    asked = body["messages"][-1]["content"]
    if asked.endswith(" review."):
        return "4: good" if asked.startswith("A good") and body["model"] == "fake-model" else "1: bad"
    return "With pleasure!" if body["model"] == "model-b" and "Dance" in asked else "Alas, no."


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until the watch has come to that."""
    async with asyncio.timeout(TIMEOUT):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.02)


async def watched(sim: Simulated) -> None:
    """A trick with three tests that Luna passes, and a channel for reports."""
    await a_trick(sim)
    await ran(sim)
    await known(sim)


async def a_trick(sim: Simulated) -> None:
    """A trick with three tests."""
    sim.model.says(answer)
    await taught(sim, ("Sing?", "Alas, no."))
    await imported(sim, CSV)


async def known(sim: Simulated) -> None:
    """A channel for reports, and a first look at the models."""
    await sim.admin.slash(sim.general, "settings channels", reports=sim.adventures)

    async def is_known() -> bool:
        return await get_value(sim.services.database, f"{WATCHED}{sim.guild.id}") is not None

    await until(is_known)
    sim.model.calls.clear()


async def joined(sim: Simulated, channel_id: int) -> bool:
    """Whether the bot knows a channel."""
    return sim.bot.get_channel(channel_id) is not None


async def reported(sim: Simulated) -> bool:
    """Whether the card is in the channel for reports."""
    return bool(sim.adventures.history())


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the models all the time, and let two reviews ship."""
    monkeypatch.setattr(watch, "CHECK_INTERVAL", 0.02)
    reviews = [Case("A good review.", "4"), Case("A bad review.", "1")]
    monkeypatch.setattr(shipped_tests, "shipped_cases", lambda name: reviews if name == "sentiment" else [])


async def test_a_regression_is_found_once_although_the_bot_restarts_and_a_button_goes_back(tmp_path: Path) -> None:
    async with simulated(tmp_path, chat_models=MODELS, chat_model=None, model_watch_usd=1) as sim:
        await watched(sim)
        # After the reviews, one of three answers does not arrive before the bot stops.
        sim.model.once(answer, times=6)
        sim.model.hangs()
        await sim.admin.slash(sim.general, "settings models", default="Mini")

        async def two_are_stored() -> bool:
            runs = await sim.services.trick_runs.running()
            return bool(runs) and len((await sim.services.trick_runs.results(runs[0])).cells) == 2

        await until(two_are_stored)
        trick = sim.bot.cogs["trick"]
        await trick.cog_unload()
        await trick.cog_load()
        await until(lambda: reported(sim))
        (card,) = sim.adventures.history()
        text = shown(card)
        assert "Mini answers here now, and not Luna" in text
        assert "**/sentiment** of 2 tests, 2 right before → 1 right now" in text
        assert "**refuse** of 3 tests, 3 right before → 2 right now" in text
        assert "❌ Dance with me? → Alas, no.\n-# The answer was: With pleasure!" in text
        refused = await sim.member.click(card, label="Use Luna again")
        assert "Only those who may manage this server" in sim.said(refused)
        assert "Luna answers here now." in sim.said(await sim.admin.click(card, label="Use Luna again"))
        await asyncio.sleep(0.2)
        # The answers of Luna to the trick's tests were there, and those to the reviews were not.
        assert Counter(body["model"] for body in sim.model.requests) == {"model-b": 6, "fake-model": 2}
        assert len(sim.adventures.history()) == 1
        used = await sim.member.slash(sim.general, "trick use", name="refuse", text="Dance?")
        assert "Luna" in sim.text(used.response)


async def test_a_channels_model_is_watched_and_the_old_model_asked_what_it_never_was(tmp_path: Path) -> None:
    async with simulated(tmp_path, chat_models=MODELS, chat_model=None, model_watch_usd=1) as sim:
        await a_trick(sim)
        await known(sim)
        await sim.admin.slash(sim.general, "settings models", default="Mini", channel=sim.general)
        await until(lambda: reported(sim))
        (card,) = sim.adventures.history()
        text = shown(card)
        assert f"Mini answers in <#{sim.general.id}> now, and not Luna" in text
        assert "**refuse** of 3 tests, 3 right before → 2 right now" in text
        assert "❌ A good review. → 4\n-# The answer was: 1: bad" in text
        assert Counter(body["model"] for body in sim.model.requests) == {"model-b": 5, "fake-model": 5}
        assert "Luna answers here now." in sim.said(await sim.admin.click(card, label="Use Luna again"))
        own = sim.services.guilds.of(sim.guild.id)
        assert (own.model, own.channel_models) == (None, {str(sim.general.id): "fake-model"})
        again = await sim.admin.click(card, label="Use Luna again")
        assert "The model that this report is about answers nowhere here any more." in sim.said(again)
        # The same change in the whole server: the reviews are answered already, and so is all that Luna was asked.
        sim.model.calls.clear()
        await sim.admin.slash(sim.general, "settings models", default="Mini")

        async def told() -> bool:
            return len(sim.adventures.history()) == 2

        await until(told)
        text = shown(sim.adventures.history()[-1])
        assert "Mini answers here now, and not Luna" in text
        assert "**/sentiment** of 2 tests, 2 right before → 1 right now" in text
        assert [body["model"] for body in sim.model.requests] == ["model-b"] * 3
        assert not sim.errors[1:]


async def test_a_server_is_looked_at_when_its_settings_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "CHECK_INTERVAL", 3_600.0)
    async with simulated(tmp_path, chat_models=MODELS, chat_model=None, model_watch_usd=1) as sim:
        await watched(sim)
        await sim.admin.slash(sim.general, "settings models", default="Mini")
        await until(lambda: reported(sim))
        assert "Mini answers here now, and not Luna" in shown(sim.adventures.history()[0])


async def test_settings_that_change_all_the_time_keep_no_other_server_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "CHECK_INTERVAL", 0.3)
    async with simulated(tmp_path, chat_models=MODELS, chat_model=None, model_watch_usd=1) as sim:
        looked = Counter[int]()
        check = sim.services.model_watch.check

        async def counted(guild_id: int, channel_id: int) -> Any:
            looked[guild_id] += 1
            return await check(guild_id, channel_id)

        monkeypatch.setattr(sim.services.model_watch, "check", counted)
        quiet = sim.env.create_guild("Quiet")
        channel = quiet.create_text_channel("reports")
        await until(lambda: joined(sim, channel.id))
        await sim.services.guilds.change(quiet.id, report_channel=channel.id)
        for _ in range(20):
            await sim.services.guilds.change(sim.guild.id, report_channel=sim.adventures.id)
            await asyncio.sleep(0.1)
        assert looked[quiet.id] >= 3


async def test_another_version_and_a_last_day_are_told_with_what_the_tests_say(tmp_path: Path) -> None:
    async with simulated(tmp_path, chat_models=MODELS, chat_model=None, model_watch_usd=1) as sim:
        sim.model.versions["fake-model"] = "fake-model-1"
        await watched(sim)
        sim.model.versions["fake-model"] = "fake-model-2"
        await sim.member.slash(sim.general, "trick use", name="refuse", text="Hum?")
        await until(lambda: reported(sim))
        text = shown(sim.adventures.history()[0])
        assert "Luna answers as another version: fake-model-2\n**/sentiment** 2 of 2 tests right; no earlier" in text
        assert "**refuse** 3 of 3 tests right; no earlier answer of this version is stored" in text
        day = sim.model.last_days["fake-model"] = (datetime.now(UTC) + timedelta(days=9)).date().isoformat()
        sim.services.model_watch._last_days.clear()  # As after a day.

        async def told() -> bool:
            return len(sim.adventures.history()) == 2

        await until(told)
        card = sim.adventures.history()[-1]
        text = shown(card)
        assert f"Luna will be shut down on {day}" in text
        assert "**refuse** of 3 tests, 3 right before → 2 right now" in text
        assert "Mini answers here now." in sim.said(await sim.admin.click(card, label="Use Mini"))
        assert not sim.errors


async def test_tests_above_the_budget_are_not_run_but_said(tmp_path: Path) -> None:
    async with simulated(
        tmp_path, chat_models=MODELS, chat_model=None, model_watch_usd=0.000001, unknown_price=100
    ) as sim:
        await watched(sim)
        await sim.admin.slash(sim.general, "settings models", default="Mini")
        await until(lambda: reported(sim))
        assert "⚠️ The tests were not run: 7 calls take about $" in shown(sim.adventures.history()[0])
        assert not sim.model.requests


async def test_the_tests_that_ship_are_asked_by_one_process_and_go_on_after_a_kill(sim: Simulated) -> None:
    judge = sim.services.templates.get("judge")
    first, second = (
        shipped_tests.ShippedTests(sim.services.database, sim.services.templates.templates, sim.services.gateway, judge)
        for _process in range(2)
    )
    async with first.alone() as mine, second.alone() as theirs:
        assert (mine, theirs) == (True, False)
    sim.model.once(answer)
    sim.model.hangs()
    plan = (await first.plans("fake-model"))["sentiment"]
    asking = asyncio.create_task(first.ask(plan, await first.answers("sentiment", "fake-model", "")))

    async def one_is_stored() -> bool:
        return len((await second.answers("sentiment", "fake-model", "")).cells) == 1

    await until(one_is_stored)
    asking.cancel()
    await asyncio.wait([asking])
    sim.model.says(answer)
    asked, problem = await second.ask(plan, await second.answers("sentiment", "fake-model", ""))
    assert (len(asked), problem) == (1, None)
    assert len(sim.model.calls) == 3
