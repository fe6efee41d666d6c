"""A job from its rows to a model that answers, and everything that a provider may do meanwhile."""

import asyncio
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from bot.core.caller import Caller
from bot.core.errors import InputError, ModelError, NotAllowedError, NotFoundError
from bot.storage import tuning as tuning_rows
from bot.storage.tuning import JobRow
from bot.tuning import estimate
from bot.tuning.errors import TuningError
from bot.tuning.inference import NotTrainedError
from bot.tuning.profiles import PROFILES, WAYS_OUT
from bot.tuning.scoring import Scorecard, ScoreLine
from bot.tuning.service import Tuning
from tests.fake_model import FakeModel
from tests.tuning.conftest import REFUSAL, Opened, row
from tests.tuning.fake_provider import FakeProvider


async def run(tuning: Tuning, base: str = "") -> JobRow:
    """A job on the shipped dataset, at its end."""
    job = await tuning.jobs.start((await tuning.datasets.newest("bakers")).id, 7, base)
    return await ended(tuning, job.id)


async def ended(tuning: Tuning, job_id: str) -> JobRow:
    async with asyncio.timeout(30):
        seen = [job async for job in tuning.jobs.watch(job_id)]
    return seen[-1]


async def until(tuning: Tuning, job_id: str, condition: Callable[[JobRow], bool]) -> None:
    async with asyncio.timeout(20):
        async for job in tuning.jobs.watch(job_id):
            if condition(job):
                return


@pytest.mark.both_databases
async def test_a_corpus_becomes_a_model_that_answers(tuning: Tuning, provider: FakeProvider) -> None:
    with pytest.raises(NotTrainedError, match="finetune start"):
        await tuning.models.question("bakers", "What does baker 7 bake?")
    job = await run(tuning)
    assert (job.state, job.note, job.trained_tokens) == ("done", "", 1_000_000)
    model = (await tuning.models.all("bakers"))[0]
    card = Scorecard.from_json(model.scorecard)
    assert card.mark("train") is not None
    assert card.share("train") == 1.0
    assert card.share("refusals, never seen") == 1.0
    promoted = await tuning.models.promote(model.name, 7)
    assert promoted.before is None
    question = await tuning.models.question("bakers", "What does baker 7 bake?")
    answer = await tuning.models.ask(question, Caller(7))
    assert answer.text in ("bread7", REFUSAL)  # that wording may be one of those that were held out
    assert answer.model == model.name
    rows = await tuning.models.similar(model.name, "What does baker 7 bake?")
    assert rows[0].pair.answer == "bread7"
    assert rows[0].file_line == 1


@pytest.mark.both_databases
async def test_events_are_stored_once_and_in_their_order(tuning: Tuning) -> None:
    job = await run(tuning)
    told = await tuning.jobs.events(job.id, last=100)
    assert [event.message for event in told] == [f"step {number}" for number in range(1, len(told) + 1)]
    assert [event.number for event in told] == list(range(1, len(told) + 1))


async def test_a_refusal_to_create_says_the_ways_out_and_deletes_what_was_uploaded(
    tuning: Tuning, provider: FakeProvider
) -> None:
    provider.faults["POST jobs"] = [403]
    job = await run(tuning)
    assert job.state == "failed"
    assert WAYS_OUT in job.error
    assert provider.files == {}


@pytest.mark.parametrize(("status", "said"), [(400, "did not accept"), (404, "has no model base-8b"), (401, "API_KEY")])
async def test_whatever_refuses_a_job_for_good_leaves_no_file_behind(
    tuning: Tuning, provider: FakeProvider, status: int, said: str
) -> None:
    provider.faults["POST jobs"] = [status]
    job = await run(tuning)
    assert job.state == "failed"
    assert said in job.error
    assert provider.files == {}


async def test_a_refusal_that_is_known_before_uploads_nothing(opened: Opened, provider: FakeProvider) -> None:
    provider.limits = ["gpt-4.1"]
    async with opened(tuning_provider="openai") as tuning:
        job = await run(tuning)
    assert job.state == "failed"
    assert "nothing was uploaded" in job.error
    assert provider.calls["POST files"] == 0


@pytest.mark.parametrize("status", [500, 503, 429, 409, 200])
async def test_a_provider_that_stumbles_gets_one_job(tuning: Tuning, provider: FakeProvider, status: int) -> None:
    """Also where it answers with a page of HTML, status 200."""
    provider.faults = {name: [status, status] for name in ("POST jobs", "GET job", "GET jobs", "GET events")}
    job = await run(tuning)
    assert job.state == "done"
    assert len(provider.creating) == 1


async def test_a_status_that_nobody_knows_means_going_on(tuning: Tuning, provider: FakeProvider) -> None:
    provider.way = ("queued", "warming_the_oven", "running", "tasting", "succeeded")
    assert (await run(tuning)).state == "done"


async def test_a_job_that_fails_gives_the_providers_own_reason(tuning: Tuning, provider: FakeProvider) -> None:
    provider.way = ("running", "failed")
    job = await run(tuning)
    assert (job.state, job.error) == ("failed", "The data is not good.")
    assert await tuning.models.all("bakers") == []


async def test_a_job_that_vanishes_fails_after_several_looks(tuning: Tuning, provider: FakeProvider) -> None:
    provider.way = ("running",)
    job = await tuning.jobs.start((await tuning.datasets.newest("bakers")).id, 7)
    await until(tuning, job.id, lambda job: job.state == "running")
    provider.vanished.update(provider.jobs)
    end = await ended(tuning, job.id)
    assert end.state == "failed"
    assert "does not know this any more" in end.error


async def test_a_job_that_is_cancelled_elsewhere_is_cancelled_here(tuning: Tuning, provider: FakeProvider) -> None:
    provider.way = ("running",)
    job = await tuning.jobs.start((await tuning.datasets.newest("bakers")).id, 7)
    await until(tuning, job.id, lambda job: job.state == "running")
    next(iter(provider.jobs.values()))["ended"] = "cancelled"
    assert (await ended(tuning, job.id)).state == "cancelled"


async def test_a_job_that_never_ends_can_be_cancelled(tuning: Tuning, provider: FakeProvider) -> None:
    provider.way = ("running",)
    job = await tuning.jobs.start((await tuning.datasets.newest("bakers")).id, 7)
    await until(tuning, job.id, lambda job: job.state == "running")
    with pytest.raises(InputError, match="going on already"):
        await tuning.jobs.start(job.dataset_id, 7)
    assert (await tuning.jobs.cancel(job.id)).state == "cancelled"
    assert next(iter(provider.jobs.values()))["ended"] == "cancelled"
    assert (await ended(tuning, job.id)).over


async def test_nebius_is_given_its_own_parameters_and_deploys_the_model(opened: Opened, provider: FakeProvider) -> None:
    provider.needs_deploy = True
    async with opened(tuning_provider="nebius") as tuning:
        job = await run(tuning)
        assert job.state == "done", job.error
        assert job.model == f"fewshot-bakers-{job.id[:8]}"
        assert provider.creating[0]["hyperparameters"]["lora"] is True
        assert "method" not in provider.creating[0]
        assert provider.deployed[job.model]["source"] == f"{job.remote_id}:ftckpt-2"
        card = Scorecard.from_json((await tuning.models.all("bakers"))[0].scorecard)
        assert card.share("train") == 1.0


async def test_openai_is_given_its_parameters_below_method_and_the_run_key(
    opened: Opened, provider: FakeProvider
) -> None:
    async with opened(tuning_provider="openai", tuning_model="gpt-4o-mini-2024-07-18", monthly_usd=100) as tuning:
        job = await run(tuning)
        body = provider.creating[0]
        assert body["method"]["supervised"]["hyperparameters"] == {"n_epochs": 3}
        assert body["metadata"] == {"fewshot_run": job.id}
        assert job.nanodollars == 3_000_000_000  # a million tokens at three dollars


async def test_going_on_from_a_model_replays_its_rows_and_asks_its_questions_again(
    tuning: Tuning, provider: FakeProvider, tmp_path: Path
) -> None:
    first = await run(tuning)
    file = tmp_path / "news.jsonl"
    news = [row(f"Where does baker {number} live?", "In town", f"home-{number}") for number in range(12)]
    file.write_text("".join(json.dumps(item) + "\n" for item in news), encoding="utf-8")
    dataset = (await tuning.datasets.import_file("bakers", file)).dataset
    second = await ended(tuning, (await tuning.jobs.start(dataset.id, 7, first.model)).id)
    assert second.state == "done", second.error
    assert [model.name for model in await tuning.models.ancestors(second.model)] == [second.model, first.model]
    assert provider.creating[1]["model"] == first.model
    trained = provider.files[provider.creating[1]["training_file"]]["data"].decode()
    assert "Where does baker 5 live?" in trained
    assert trained.count("bread7") >= 3
    cards = {model.name: Scorecard.from_json(model.scorecard) for model in await tuning.models.all("bakers")}
    old, new = cards[first.model].mark("held-out"), cards[second.model].mark("held-out")
    assert old is not None
    assert new is not None
    assert new.total >= old.total


@pytest.mark.both_databases
async def test_a_worse_model_is_promoted_only_by_force_and_rolled_back(tuning: Tuning, provider: FakeProvider) -> None:
    good = await run(tuning)
    await tuning.models.promote(good.model, 7)
    second = await run(tuning)
    for name, right in ((good.model, 9), (second.model, 8)):
        card = Scorecard(name, 0.0, (ScoreLine("held-out", right, 0, 10 - right),))
        await tuning_rows.change_model(tuning.jobs.tools.database, name, scorecard=card.to_json())
    with pytest.raises(NotAllowedError, match=r"held-out questions 80% against 90%"):
        await tuning.models.promote(second.model, 7)
    forced = await tuning.models.promote(second.model, 7, "a trial")
    assert forced.before == good.model
    assert (await tuning.models.rollback("bakers")).model == good.model
    with pytest.raises(NotFoundError):
        await tuning.models.rollback("bakers")


async def test_a_promoted_model_that_the_provider_deleted_is_named_with_the_way_back(
    tuning: Tuning, provider: FakeProvider
) -> None:
    job = await run(tuning)
    await tuning.models.promote(job.model, 7)
    provider.vanished.update(provider.jobs)
    question = await tuning.models.question("bakers", "What does baker 3 bake?")
    with pytest.raises(ModelError, match="rollback"):
        await tuning.models.ask(question, Caller(7))


@pytest.mark.both_databases
async def test_one_process_follows_a_job_and_the_next_takes_over(opened: Opened, provider: FakeProvider) -> None:
    provider.way = (*("running",) * 30, "succeeded")
    async with opened() as first, opened() as second:
        job = await first.jobs.start((await first.datasets.newest("bakers")).id, 7)
        await until(first, job.id, lambda job: job.state == "running")
        assert not await second.jobs.runner.begin(job.id)
        await first.jobs.runner.close()
        assert await second.jobs.runner.begin(job.id)
        assert (await ended(second, job.id)).state == "done"
    assert len(provider.creating) == 1


@pytest.mark.both_databases
async def test_scoring_asks_nothing_twice(tuning: Tuning, provider: FakeProvider) -> None:
    job = await run(tuning)
    before = dict(provider.asked)
    await tuning.models.score(job.model, 7)
    assert provider.asked == before


async def test_a_comparison_shows_all_three_and_when_training_pays(tuning: Tuning, model: FakeModel) -> None:
    job = await run(tuning)
    await tuning.models.promote(job.model, 7)
    question = await tuning.models.question("bakers", "How old is baker 3?")
    compared = await tuning.models.compare(question, Caller(7))
    assert [column.title for column in compared.columns][2] == "Tuned model"
    assert all(column.answer is not None for column in compared.columns)
    assert "not known" in compared.break_even
    assert compared.facts == "The whole corpus fits into the prompt."


async def test_a_provider_that_is_closed_by_now_is_refused_before_anything(
    opened: Opened, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "2027-01-06" in estimate.blocked(PROFILES["openai"], date(2027, 1, 7))
    monkeypatch.setattr(estimate, "blocked", lambda profile: "It is closed.")
    async with opened(tuning_provider="openai") as tuning:
        with pytest.raises(TuningError, match="closed"):
            await run(tuning)
    assert not provider.calls


async def test_a_job_that_costs_more_than_a_month_may_is_refused(opened: Opened, provider: FakeProvider) -> None:
    async with opened(tuning_provider="openai", tuning_model="gpt-4o-mini-2024-07-18", monthly_usd=0.01) as tuning:
        with pytest.raises(InputError, match="MONTHLY_USD"):
            await run(tuning)
    assert provider.calls["POST files"] == 0


async def test_every_known_model_is_in_the_table_and_the_chosen_one_first(opened: Opened) -> None:
    async with opened(tuning_provider="openai", tuning_model="gpt-4o-mini-2024-07-18") as tuning:
        quotes = await tuning.jobs.estimate((await tuning.datasets.newest("bakers")).id)
    assert quotes[0].chosen
    assert quotes[0].usd is not None
    assert "days" in quotes[0].warning
    assert {quote.model.provider for quote in quotes} == {"engine", "openai", "nebius"}


async def test_a_job_left_by_a_crash_after_it_was_created_is_found_again(
    opened: Opened, provider: FakeProvider
) -> None:
    """As it is after a kill between the provider's answer and our own note of it."""
    async with opened() as tuning:
        job = await run(tuning)
        await tuning_rows.change_job(
            tuning.jobs.tools.database,
            job.id,
            state="creating",
            remote_id="",
            ended=None,
            holder="gone",
            held_until=0.0,
        )
        again = await ended(tuning, job.id)
        assert again.state == "done"
        assert again.remote_id == job.remote_id
    assert len(provider.creating) == 1
    assert provider.calls["POST files"] <= 2
