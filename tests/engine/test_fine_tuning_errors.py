"""Jobs that are refused or fail, each with a sentence and a code."""

import asyncio
from collections import Counter
from typing import Any

import aiohttp
import openai
import pytest

from bot.engine.fine_tuning.jobs import MAX_UNFINISHED
from bot.engine.launch import Address
from tests.engine.job_helpers import example, lines, season, start, until, upload


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"training_file": "file-none"}, "training_file"),
        ({"validation_file": "file-none"}, "validation_file"),
        ({"suffix": "a:b"}, "suffix"),
        ({"suffix": "x" * 65}, "suffix"),
        ({"seed": -1}, "seed"),
        ({"metadata": {str(number): "x" for number in range(17)}}, "metadata"),
        ({"method": {"type": "dpo"}}, "method.type"),
        ({"integrations": [{"type": "wandb", "wandb": {"project": "x"}}]}, "integrations"),
        ({"extra_body": {"wizard": 1}}, "wizard"),
        ({"method": openai.NOT_GIVEN, "hyperparameters": {"n_epochs": 0}}, "hyperparameters.n_epochs"),
        ({"method": openai.NOT_GIVEN, "hyperparameters": {"batch_size": 1.5}}, "hyperparameters.batch_size"),
        ({"hyperparameters": {"n_epochs": 2}}, "hyperparameters"),
        ({"model": "stand-in"}, "model"),
    ],
)
async def test_the_parameter_at_fault_is_named(local: openai.AsyncOpenAI, more: Any, param: str) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        await start(local, **more)
    assert caught.value.status_code in (400, 404)
    assert caught.value.param == param
    assert [job async for job in local.fine_tuning.jobs.list()] == []


async def test_an_unknown_base_is_not_found(local: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        await start(local, model="gpt-4o-mini")
    assert caught.value.code == "model_not_found"


async def test_nine_examples_are_too_few(local: openai.AsyncOpenAI) -> None:
    job = await until(local, (await start(local, training_file=await upload(local, lines(season()[:9])))).id)
    assert job.status == "failed"
    assert job.error is not None
    assert (job.error.code, job.error.param) == ("invalid_n_examples", "training_file")
    assert "9 examples" in job.error.message
    events = [event async for event in local.fine_tuning.jobs.list_events(job.id)]
    assert events[0].level == "error"


async def test_the_same_data_for_training_and_validation_is_refused(local: openai.AsyncOpenAI) -> None:
    data = lines(season())
    same, again = await upload(local, data), await upload(local, data)
    for validation in (same, again):
        with pytest.raises(openai.BadRequestError) as caught:
            await start(local, training_file=same, validation_file=validation)
        assert caught.value.param == "validation_file"


async def test_validation_rows_that_are_trained_on_fail_the_job(local: openai.AsyncOpenAI) -> None:
    job = await start(local, validation_file=await upload(local, lines(season()[:3])))
    failed = await until(local, job.id)
    assert failed.error is not None
    assert failed.error.param == "validation_file"
    assert "3 of 3" in failed.error.message


async def test_a_file_deleted_before_it_was_read_fails_the_job(local: openai.AsyncOpenAI) -> None:
    training = await upload(local, lines(season()))
    job = await start(local, training_file=training)
    await local.files.delete(training)
    ended = await until(local, job.id)
    assert ended.status == "succeeded" or (ended.error and ended.error.param == "training_file")


async def test_a_result_file_is_not_a_training_file(local: openai.AsyncOpenAI) -> None:
    job = await until(local, (await start(local)).id)
    with pytest.raises(openai.BadRequestError) as caught:
        await start(local, training_file=job.result_files[0])
    assert caught.value.param == "training_file"


async def test_prompt_completion_pairs_are_trained_with_an_event(local: openai.AsyncOpenAI) -> None:
    pairs = [{"prompt": f"Who won race {n}?", "completion": f" Pilot {n}."} for n in range(12)]
    job = await until(local, (await start(local, training_file=await upload(local, lines(pairs)))).id)
    assert job.status == "succeeded"
    events = [event.message async for event in local.fine_tuning.jobs.list_events(job.id)]
    assert any("12 prompt/completion pairs" in message for message in events)


async def test_training_that_diverges_fails_with_advice(local: openai.AsyncOpenAI) -> None:
    """One question with two answers has no stable solution; at the highest learning rate the loss may overflow."""
    rows = [example("Who?", "Yes." if number % 2 else "No.") for number in range(40)]
    method = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 10, "learning_rate_multiplier": 10}}}
    job = await until(local, (await start(local, training_file=await upload(local, lines(rows)), method=method)).id)
    assert job.status == "succeeded" or (job.error and "learning_rate_multiplier" in job.error.message)


@pytest.mark.parametrize("call", ["retrieve", "cancel", "pause", "resume", "list_events"])
async def test_an_unknown_job_is_not_found(local: openai.AsyncOpenAI, call: str) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        await getattr(local.fine_tuning.jobs, call)("ftjob-none")
    assert caught.value.code == "fine_tune_not_found"


async def test_a_thousand_jobs_in_a_second_are_bounded(engine: Address, local: openai.AsyncOpenAI) -> None:
    body = {"model": "pocket-gpt", "training_file": await upload(local, lines(season()))}
    headers = {"Authorization": f"Bearer {engine.token}"}
    async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=0)) as session:

        async def create() -> str:
            async with session.post(f"{engine.url}/fine_tuning/jobs", json=body) as response:
                answer = await response.json()
                return str(answer["error"]["code"] if response.status == 429 else answer["object"])

        answers = Counter(await asyncio.gather(*(create() for _ in range(1000))))
    assert answers == {"fine_tuning.job": MAX_UNFINISHED, "rate_limit_exceeded": 1000 - MAX_UNFINISHED}
    for job in (await local.fine_tuning.jobs.list(limit=100)).data:
        await local.fine_tuning.jobs.cancel(job.id)


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "after=ftjob-none", "wizard=1"])
async def test_a_bad_page_is_refused_by_name(engine: Address, query: str) -> None:
    headers = {"Authorization": f"Bearer {engine.token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"{engine.url}/fine_tuning/jobs?{query}") as response,
    ):
        assert response.status == 400
        assert (await response.json())["error"]["param"] == query.partition("=")[0]


@pytest.mark.parametrize(("name", "status"), [("stand-in", 400), ("pocket-gpt", 400), ("ft:none", 404)])
async def test_only_tuned_models_can_be_deleted(local: openai.AsyncOpenAI, name: str, status: int) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        await local.models.delete(name)
    assert caught.value.status_code == status


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.fine_tuning.checkpoints.permissions.create("ckpt", project_ids=["x"]),
        lambda client: client.fine_tuning.alpha.graders.validate(grader={}),
        lambda client: client.chat.completions.retrieve("chatcmpl-1"),
        lambda client: client.chat.completions.delete("chatcmpl-1"),
        lambda client: client.completions.create(model="stand-in", prompt="x"),
        lambda client: client.responses.create(model="stand-in", input="x"),
        lambda client: client.moderations.create(input="x"),
    ],
)
async def test_routes_that_the_engine_lacks_are_unknown_urls(local: openai.AsyncOpenAI, call: Any) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        await call(local)
    assert caught.value.code == "unknown_url"
