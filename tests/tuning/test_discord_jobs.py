"""Jobs by `/finetune` at a provider that refuses, prices, deploys, fails, forgets and never ends."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import cast

import pytest
import simcord

from bot.tuning.profiles import PROFILES, Profile, Tunable
from tests.cogs.operating import card, shown
from tests.tuning.fake_provider import FakeProvider
from tests.tuning.simulated_tuning import CORPUS, estimate, said, simulated_tuning, start, trained

ASK, QUESTION = f"{CORPUS} ask", "Name the bread of baker 3."


@pytest.fixture(autouse=True)
def _quick_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cogs.finetune.job_cards.UPDATE_INTERVAL", 0.3)


async def test_a_refusal_to_create_is_told_on_the_card_with_the_ways_out_and_nothing_stays_uploaded(
    tmp_path: Path, corpus: Path, provider: FakeProvider
) -> None:
    provider.faults["POST jobs"] = [403]
    async with simulated_tuning(tmp_path, corpus, provider) as sim:
        await start(sim)
        text = shown(await card(sim, f"Training {CORPUS} · failed"))
        assert "does not let this account do that (403)" in text
        assert "trains a small model on this machine" in text
        assert "price" not in text
        assert provider.calls["POST files"] == 2
        assert provider.files == {}
        assert not sim.errors


async def test_a_provider_that_must_deploy_a_model_is_made_to_and_the_model_answers(
    tmp_path: Path, corpus: Path, provider: FakeProvider
) -> None:
    provider.needs_deploy = True
    async with simulated_tuning(tmp_path, corpus, provider, tuning_provider="nebius") as sim:
        await trained(sim)
        (name,) = provider.deployed
        answer = await sim.member.slash(sim.general, ASK, question=QUESTION)
        assert sim.text(answer.response).startswith("bread3\n-# ")
        assert name in [key.split()[0] for key in provider.asked]
        about = await sim.member.slash(sim.general, f"{CORPUS} model")
        assert f"`{name}`" in sim.text(about.response)
        assert not sim.errors


async def test_the_price_is_on_the_button_confirmed_once_and_by_the_operator_alone(
    tmp_path: Path, corpus: Path, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    priced = Tunable("base-8b", "custom", Decimal(30), Decimal(1), Decimal(2))
    custom = replace(PROFILES["custom"], models=(priced,))
    monkeypatch.setitem(cast(dict[str, Profile], PROFILES), "custom", custom)
    provider.way = ("running",)
    async with simulated_tuning(tmp_path, corpus, provider, monthly_usd=100) as sim:
        offered = await sim.admin.slash(sim.general, ASK, question=QUESTION)
        told = await sim.member.click(offered.response, label="Train it now")
        assert "Only those who operate this bot can do that." in said(sim, told)
        cards = [await estimate(sim), await estimate(sim)]
        (label,) = sim.buttons(cards[0])
        assert label.startswith("Start: about $0.")
        with pytest.raises(simcord.SetupError):
            await sim.member.click(cards[0], label=label)
        assert await sim.services.tuning.jobs.all() == []
        await sim.admin.click(cards[0], label=label)
        told = await sim.admin.click(cards[1], label=label)
        assert f"A job of {CORPUS} is going on already" in said(sim, told)
        (job,) = await sim.services.tuning.jobs.all()
        with pytest.raises(simcord.SetupError):
            await sim.admin.click(cards[0], label=label)
        await card(sim, "steps")
        provider.way = ("succeeded",)
        # A million tokens were counted, at thirty dollars.
        assert "1,000,000 tokens · $30.00" in shown(await card(sim, "· done"))
        assert [body["metadata"] for body in provider.creating] == [{"fewshot_run": job.id}]


async def test_a_job_that_fails_vanishes_is_cancelled_elsewhere_or_never_ends_has_its_end_on_its_card(
    tmp_path: Path, corpus: Path, provider: FakeProvider
) -> None:
    async with simulated_tuning(tmp_path, corpus, provider) as sim:
        provider.way = ("running", "failed")
        await start(sim)
        assert "The data is not good." in shown(await card(sim, "· failed"))

        provider.way = ("running",)
        await start(sim)
        await card(sim, "steps")
        provider.vanished.update(provider.jobs)
        assert "does not know this any more. The job is counted as failed." in shown(await card(sim, "· failed"))

        await start(sim)
        await card(sim, "steps")
        list(provider.jobs.values())[-1]["ended"] = "cancelled"
        assert "took " in shown(await card(sim, "· cancelled"))

        await start(sim)
        cancelled = await sim.admin.click(await card(sim, "steps"), label="Cancel")
        assert "is cancelled" in sim.text(cancelled.response)
        await card(sim, "· cancelled")
        assert list(provider.jobs.values())[-1]["ended"] == "cancelled"
        assert await sim.services.tuning.models.all() == []


async def test_a_promoted_model_that_its_provider_deleted_is_named_with_the_way_back_which_works(
    tmp_path: Path, corpus: Path, provider: FakeProvider
) -> None:
    async with simulated_tuning(tmp_path, corpus, provider) as sim:
        await trained(sim)
        first = set(provider.jobs)
        await trained(sim)
        provider.vanished.update(set(provider.jobs) - first)
        gone = said(sim, await sim.member.slash(sim.general, ASK, question=QUESTION))
        assert f"The model that answered for {CORPUS} is not there any more." in gone
        assert "/finetune rollback" in gone
        assert "🪦 deleted by its provider" in said(sim, await sim.admin.slash(sim.general, "finetune models"))
        assert "again, in place of" in said(sim, await sim.admin.slash(sim.general, "finetune rollback", corpus=CORPUS))
        back = await sim.member.slash(sim.general, ASK, question=QUESTION)
        assert sim.text(back.response).startswith("bread3\n")
