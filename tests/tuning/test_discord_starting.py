"""What operators do by `/finetune` is stored before it is acknowledged; a first job is shown while it trains."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import discord
import pytest
import simcord

from tests.cogs.operating import card
from tests.simulated import Simulated
from tests.tuning.conftest import row
from tests.tuning.fake_provider import FakeProvider
from tests.tuning.simulated_tuning import CORPUS, UNPRICED, estimate, said, simulated_tuning, start

RESPONSES = ("send_message", "edit_message", "defer")


@pytest.fixture(autouse=True)
def _quick_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cogs.finetune.job_cards.UPDATE_INTERVAL", 0.3)


@pytest.fixture
def stored_when_acknowledged(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Awaitable[Any]]], list[Any]]:
    """What a look at the database finds at the moment of each acknowledgement."""

    def watch(look: Callable[[], Awaitable[Any]]) -> list[Any]:
        seen: list[Any] = []
        for name in RESPONSES:
            original = getattr(discord.InteractionResponse, name)

            def watched(original: Any = original) -> Any:
                async def respond(self: Any, *args: Any, **options: Any) -> Any:
                    seen.append(await look())
                    return await original(self, *args, **options)

                return respond

            monkeypatch.setattr(discord.InteractionResponse, name, watched())
        return seen

    return watch


async def test_a_confirmed_job_is_stored_before_the_press_is_acknowledged(
    tmp_path: Path, corpus: Path, provider: FakeProvider, stored_when_acknowledged: Any
) -> None:
    provider.way = ("running",)
    async with simulated_tuning(tmp_path, corpus, provider) as sim:
        confirmation = await estimate(sim)

        async def jobs() -> list[tuple[str, int | None]]:
            return [(job.corpus, job.channel_id) for job in await sim.services.tuning.jobs.all()]

        seen = stored_when_acknowledged(jobs)
        await sim.admin.click(confirmation, label=UNPRICED)
        assert seen == [[(CORPUS, sim.general.id)]]


async def test_a_promotion_is_stored_before_it_is_acknowledged(
    tmp_path: Path, corpus: Path, provider: FakeProvider, stored_when_acknowledged: Any
) -> None:
    async with simulated_tuning(tmp_path, corpus, provider) as sim:
        await start(sim)
        done = await card(sim, "· done")

        async def active() -> bool:
            return await sim.services.tuning.models.active(CORPUS) is not None

        seen = stored_when_acknowledged(active)
        await sim.admin.click(done, label="Promote")
        assert seen == [True]


async def test_a_decision_of_a_review_is_stored_before_it_is_acknowledged(
    tmp_path: Path, corpus: Path, provider: FakeProvider, stored_when_acknowledged: Any
) -> None:
    lines = (corpus / "questions.jsonl").read_text(encoding="utf-8")
    doubted = row("Who won?", "Remy Thal", "won", "Baker 3 bakes bread3 every day.")
    (corpus / "questions.jsonl").write_text(lines + json.dumps(doubted) + "\n", encoding="utf-8")
    async with simulated_tuning(tmp_path, corpus, provider) as sim:
        datasets = sim.services.tuning.datasets
        dataset = await datasets.newest(CORPUS)
        review = await sim.admin.slash(sim.general, "finetune review", dataset=dataset.id)

        async def decisions() -> list[str]:
            return [pair.decision for pair in await datasets.flagged(dataset.id)]

        seen = stored_when_acknowledged(decisions)
        await sim.admin.click(review.response, label="Drop")
        assert seen == [["dropped"]]


async def test_a_dataset_is_stored_before_its_making_is_acknowledged(
    tmp_path: Path, corpus: Path, provider: FakeProvider, stored_when_acknowledged: Any
) -> None:
    (corpus / "questions.jsonl").unlink()
    async with simulated_tuning(tmp_path, corpus, provider) as sim:
        sim.model.says('{"facts": []}')

        async def datasets() -> list[str]:
            return [row.state for row in await sim.services.tuning.datasets.of(CORPUS)]

        seen = stored_when_acknowledged(datasets)
        await sim.admin.slash(sim.general, "finetune prepare", corpus=CORPUS)
        assert seen[0] == ["generating"]


async def test_the_racing_season_is_offered_before_anything_was_imported(
    tmp_path: Path, corpus: Path, provider: FakeProvider
) -> None:
    async with simulated_tuning(tmp_path, corpus, provider) as sim:
        offered = await sim.admin.autocomplete(sim.general, "finetune start", "dataset", "racing")
        assert offered[0]["name"].split(" · ")[0] == "racing, prepared"
        shown = await sim.admin.slash(sim.general, "finetune start", dataset=offered[0]["value"])
        assert "Training on racing, prepared" in sim.text(shown.response)
        again = await sim.admin.autocomplete(sim.general, "finetune estimate", "dataset", "racing")
        assert again == offered


async def asked(sim: Simulated, who: Any, command: str) -> simcord.InteractionResult:
    result: simcord.InteractionResult = await who.slash(
        sim.general, f"{CORPUS} {command}", question="Name the bread of baker 3."
    )
    return result


async def test_while_the_first_job_trains_its_progress_is_shown_in_place_of_train_it_now(
    tmp_path: Path, corpus: Path, provider: FakeProvider
) -> None:
    provider.way = ("running",)
    async with simulated_tuning(tmp_path, corpus, provider) as sim:
        before = await asked(sim, sim.admin, "ask")
        assert "No model is trained for bakers yet" in said(sim, before)
        assert "Train it now" in sim.buttons(before.response)
        await start(sim)
        await card(sim, "steps")
        for command in ("ask", "compare"):
            for who in (sim.admin, sim.member):
                shown = await asked(sim, who, command)
                text = said(sim, shown)
                assert "Training bakers · training" in text
                assert "steps" in text
                assert "No model is trained" not in text
                assert sim.buttons(shown.response) == []
        (job,) = await sim.services.tuning.jobs.all()
        await sim.services.tuning.jobs.cancel(job.id)
        assert "No model is trained for bakers yet" in said(sim, await asked(sim, sim.admin, "ask"))
