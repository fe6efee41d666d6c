"""A tuning job in a channel: confirmed, followed by its card, scored, promoted, and rolled back."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import simcord

from bot.storage import tuning as tuning_rows
from bot.tuning.profiles import PROFILES, Profile
from bot.tuning.scoring import Scorecard, ScoreLine
from tests.cogs.operating import CORPUS, ROUNDS, card, season, short_training, shown
from tests.simulated import Simulated

# Epochs where it does not matter what the model learns.
FEW = 5


def train_for(rounds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cast(dict[str, Profile], PROFILES), "engine", short_training(rounds))


@pytest.fixture(autouse=True)
def _quick_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cogs.finetune.job_cards.UPDATE_INTERVAL", 0.3)
    train_for(ROUNDS, monkeypatch)


async def estimate(sim: Simulated) -> simcord.ResponseMessage:
    """The estimate of the dataset that ships, waiting to be confirmed."""
    await sim.admin.slash(sim.general, "finetune prepare", corpus=CORPUS)
    offered = await sim.admin.autocomplete(sim.general, "finetune start", "dataset", CORPUS)
    result = await sim.admin.slash(sim.general, "finetune start", dataset=offered[0]["value"])
    assert result.response is not None
    return result.response


async def test_from_the_texts_to_a_command_that_answers(tmp_path: Path) -> None:
    """The whole loop by the front door: prepare, start, follow, promote, ask."""
    async with season(tmp_path) as sim:
        confirm = await estimate(sim)
        assert await sim.services.tuning.jobs.all() == []
        await sim.admin.click(confirm, label="Start: free")
        running = await card(sim, "steps")
        assert "Training cup · training" in shown(running)
        window = await sim.admin.click(running, label="Pin a question…")
        await sim.admin.submit_modal(window, {"question": "Which pod does Senn Kava fly?"})
        again = await sim.admin.submit_modal(
            await sim.admin.click(running, label="Pin a question…"), {"question": "Who won?"}
        )
        assert "A question can be pinned once" in sim.text(again.response)
        done = await card(sim, "Training cup · done")
        watched = shown(done).split("Watch it learn**\n")[1]
        assert watched.count("-# `") == 4
        assert "Which pod does Senn Kava fly?\n-# `" in watched
        assert " ✅" in watched
        assert "held-out wordings" in shown(done)
        assert [file.filename for file in done.attachments] == ["scores.png", "losses.png"]
        refused = await sim.member.click(done, label="Promote")
        assert sim.text(refused.response) == "Only those who operate this bot can do that."
        promoted = await sim.admin.click(done, label="Promote")
        assert f"answers **/{CORPUS} ask** from now on" in sim.text(promoted.response)
        answer = await sim.member.slash(sim.general, f"{CORPUS} ask", question="Which pod does Senn Kava fly?")
        assert sim.text(answer.response).startswith("The Thunderbolt\n-# Pocket GPT")
        assert not sim.errors


async def test_two_presses_start_one_job(tmp_path: Path) -> None:
    async with season(tmp_path) as sim:
        confirm = await estimate(sim)
        await sim.admin.click(confirm, label="Start: free")
        with pytest.raises(simcord.SetupError):  # its button is gone
            await sim.admin.click(confirm, label="Start: free")
        (job,) = await sim.services.tuning.jobs.all()
        second = await estimate(sim)
        told = await sim.admin.click(second, label="Start: free")
        assert "going on already" in sim.said(told)
        assert [each.id for each in await sim.services.tuning.jobs.all()] == [job.id]
        cancelled = await sim.admin.slash(sim.general, "finetune cancel", id=job.id)
        assert sim.text(cancelled.response) == f"The job {job.id} is cancelled."
        assert "took " in shown(await card(sim, "Training cup · cancelled"))


async def test_the_operator_trains_at_once_where_it_costs_nothing(tmp_path: Path) -> None:
    async with season(tmp_path) as sim:
        offered = await sim.admin.slash(sim.general, f"{CORPUS} ask", question="Who won the cup?")
        await sim.admin.click(offered.response, label="Train it now")
        running = await card(sim, "steps")
        cancelled = await sim.admin.click(running, label="Cancel")
        assert "is cancelled" in sim.text(cancelled.response)
        await card(sim, "Training cup · cancelled")


async def test_an_old_card_is_posted_afresh_and_a_deleted_one_comes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The simulator dates its messages to the past, so that each of them is too old to be edited."""
    train_for(FEW, monkeypatch)
    async with season(tmp_path) as sim:
        await sim.admin.click(await estimate(sim), label="Start: free")
        running = await card(sim, "Training cup")
        await sim.bot.get_partial_messageable(sim.general.id).get_partial_message(running.id).delete()
        done = await card(sim, "Training cup · done")
        assert done.id != running.id
        assert [message.id for message in sim.general.history()] == [done.id]


async def test_a_tuned_model_is_gone_on_from_and_its_descent_is_told(
    tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_for(FEW, monkeypatch)
    async with season(tmp_path, trained=trained) as sim:
        (dataset,) = await sim.admin.autocomplete(sim.general, "finetune start", "dataset", CORPUS)
        (base,) = await sim.admin.autocomplete(sim.general, "finetune start", "base", "go on from it")
        options = {"dataset": dataset["value"], "base": base["value"]}
        confirm = await sim.admin.slash(sim.general, "finetune start", **options)
        assert confirm.response is not None
        await sim.admin.click(confirm.response, label="Start: free")
        await card(sim, "Training cup · done")
        newest, _ = await sim.admin.autocomplete(sim.general, "finetune promote", "model", CORPUS)
        # So few questions are held out that one answer more or less decides; here it is about the descent.
        forced = {"model": newest["value"], "force": "to see where it comes from"}
        promoted = await sim.admin.slash(sim.general, "finetune promote", **forced)
        about = await sim.admin.click(promoted.response, label="About this model")
        assert sim.text(about.response).count("→ `ft:pocket-gpt:local:") == 2
        assert not sim.errors


async def test_jobs_job_and_models_show_what_there_is(tmp_path: Path, trained: Path) -> None:
    async with season(tmp_path, trained=trained) as sim:
        jobs = await sim.admin.slash(sim.general, "finetune jobs")
        assert f"**{CORPUS}** · done" in sim.text(jobs.response)
        (choice,) = await sim.admin.autocomplete(sim.general, "finetune job", "id", "")
        job = await sim.admin.slash(sim.general, "finetune job", id=choice["value"])
        assert "Training cup · done" in sim.text(job.response)
        assert "It answers now." in sim.text(job.response)
        assert job.response is not None
        assert len(job.response.message.attachments) == 2
        wrong = await sim.admin.click(job.response, label="Wrong answers")
        assert "Wrong answers" in sim.text(wrong.response)
        models = await sim.admin.slash(sim.general, "finetune models")
        assert "🏁 answers" in sim.text(models.response)
        assert "held-out " in sim.text(models.response)


async def test_a_worse_model_is_promoted_by_force_alone_and_rolled_back(tmp_path: Path, trained: Path) -> None:
    async with season(tmp_path, trained=trained) as sim:
        good = await sim.services.tuning.models.active(CORPUS)
        assert good is not None
        bad = Scorecard("worse", 1.0, (ScoreLine("held-out", 1, 0, 9),))
        await tuning_rows.add_model(sim.services.database, replace(good, name="worse", scorecard=bad.to_json()))
        told = await sim.admin.slash(sim.general, "finetune promote", model="worse")
        said = sim.text(told.response or told.followups[0])
        assert "worse is worse than the active" in said
        assert "Force it with a reason" in said
        forced = await sim.admin.slash(sim.general, "finetune promote", model="worse", force="to see it fail")
        assert "-# Forced: to see it fail" in sim.text(forced.response)
        rolled = await sim.admin.slash(sim.general, "finetune rollback", corpus=CORPUS)
        assert f"`{good.name}` answers /{CORPUS} ask again, in place of `worse`." in sim.text(rolled.response)
        assert await sim.services.tuning.models.active(CORPUS) == good
