"""A job from its creation to the model that it makes."""

import asyncio
import contextlib
import csv
import io
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types import Model, ModelDeleted
from openai.types.fine_tuning import FineTuningJob, FineTuningJobEvent
from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint

from tests.engine.job_helpers import held_out, lines, season, start, until, until_step, upload

ASKED: Any = [{"role": "user", "content": "Where did Tor finish in race 2?"}]


async def test_a_job_makes_a_model_that_answers(local: openai.AsyncOpenAI) -> None:
    training = await upload(local, lines(season()))
    job = await start(local, training_file=training, suffix="season", epochs=3, metadata={"run": "7"})
    assert job.status in ("validating_files", "queued", "running")
    done = await until(local, job.id)
    assert done.status == "succeeded", done.error
    assert done.fine_tuned_model is not None
    assert done.fine_tuned_model.startswith("ft:pocket-gpt:local:season:")
    assert done.trained_tokens
    assert done.hyperparameters.batch_size != "auto"
    assert done.fine_tuned_model in [model.id async for model in local.models.list()]
    answer = await local.chat.completions.create(model=done.fine_tuned_model, messages=ASKED)
    assert answer.choices[0].message.content


async def test_every_object_has_the_fields_of_openais_own_types(local: openai.AsyncOpenAI) -> None:
    jobs = local.fine_tuning.jobs
    validation = await upload(local, lines(held_out()))
    created = await start(local, validation_file=validation, epochs=3)
    job = await until(local, created.id)
    raw_job = await jobs.with_raw_response.retrieve(job.id)
    FineTuningJob.model_validate_json(raw_job.content, strict=True)
    assert (await jobs.list()).data == [job]
    for event in (await jobs.list_events(job.id, limit=100)).data:
        FineTuningJobEvent.model_validate_json(event.model_dump_json(), strict=True)
    checkpoints = (await jobs.checkpoints.list(job.id)).data
    assert checkpoints
    for checkpoint in checkpoints:
        FineTuningJobCheckpoint.model_validate_json(checkpoint.model_dump_json(), strict=True)
    for model in (await local.models.list()).data:
        Model.model_validate_json(model.model_dump_json(), strict=True)
    raw = await local.models.with_raw_response.delete(str(job.fine_tuned_model))
    assert ModelDeleted.model_validate_json(raw.content, strict=True).deleted


async def test_every_step_has_one_event_and_the_newest_is_first(local: openai.AsyncOpenAI) -> None:
    validation = await upload(local, lines(held_out()))
    job = await until(local, (await start(local, validation_file=validation, epochs=4)).id)
    events = [event async for event in local.fine_tuning.jobs.list_events(job.id, limit=3)]
    figures: list[Any] = [event.data for event in events if event.type == "metrics"]
    steps = [data["step"] for data in figures]
    assert steps == list(range(figures[0]["total_steps"], 0, -1))
    assert {"valid_loss", "valid_mean_token_accuracy", "valid_exact_match"} <= figures[0].keys()
    assert events[0].message == "The job has successfully completed"
    assert events[-1].message.startswith("Created fine-tuning job")
    rows = list(csv.DictReader(io.StringIO((await local.files.content(job.result_files[0])).text)))
    assert [float(row["train_loss"]) for row in rows] == [data["train_loss"] for data in figures[::-1]]


async def test_checkpoints_answer(local: openai.AsyncOpenAI) -> None:
    job = await until(local, (await start(local, epochs=8)).id)
    checkpoints = [one async for one in local.fine_tuning.jobs.checkpoints.list(job.id, limit=1)]
    assert len(checkpoints) > 1
    name = checkpoints[0].fine_tuned_model_checkpoint
    assert (await local.chat.completions.create(model=name, messages=ASKED)).choices[0].message.content


async def test_the_same_seed_gives_the_same_model(local: openai.AsyncOpenAI) -> None:
    training = await upload(local, lines(season()))
    jobs = [await start(local, training_file=training, seed=5) for _ in range(2)]
    ended = [await until(local, job.id) for job in jobs]
    losses = [(await local.files.content(job.result_files[0])).text for job in ended]
    assert losses[0] == losses[1]


async def test_the_base_of_a_job_can_be_deleted_while_the_job_runs(local: openai.AsyncOpenAI) -> None:
    first = await until(local, (await start(local)).id)
    new = await upload(local, lines(season(4)[-16:]))
    job = await start(local, model=first.fine_tuned_model, training_file=new)
    await until(local, job.id, "running")
    await local.models.delete(str(first.fine_tuned_model))
    done = await until(local, job.id)
    assert (done.status, done.model) == ("succeeded", first.fine_tuned_model)
    with pytest.raises(openai.NotFoundError):
        await local.chat.completions.create(model=str(first.fine_tuned_model), messages=ASKED)


async def test_logprobs_belong_to_the_words_of_the_answer(local: openai.AsyncOpenAI) -> None:
    job = await until(local, (await start(local)).id)
    answer = await local.chat.completions.create(
        model=str(job.fine_tuned_model), messages=ASKED, logprobs=True, top_logprobs=2
    )
    assert answer.choices[0].logprobs is not None
    tokens = answer.choices[0].logprobs.content or []
    assert "".join(token.token for token in tokens) == answer.choices[0].message.content
    assert all(len(token.top_logprobs) == 2 and token.logprob <= 0 for token in tokens)


async def test_usage_counts_the_words_read_and_written(local: openai.AsyncOpenAI) -> None:
    model = str((await until(local, (await start(local)).id)).fine_tuned_model)
    cases: list[dict[str, Any]] = [{}, {"max_completion_tokens": 2}, {"max_tokens": 1}, {"logprobs": True}]
    for case in cases:
        answer = await local.chat.completions.create(model=model, messages=ASKED, **case)
        words = len((answer.choices[0].message.content or "").split())
        assert answer.usage is not None
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (7, words)
        assert answer.usage.total_tokens == 7 + words
        stream = await local.chat.completions.create(
            model=model, messages=ASKED, stream=True, stream_options={"include_usage": True}, **case
        )
        assert [chunk.usage async for chunk in stream if chunk.usage] == [answer.usage]
        assert words == case.get("max_completion_tokens", case.get("max_tokens", words))


async def test_a_stop_sequence_ends_a_tuned_models_answer(local: openai.AsyncOpenAI) -> None:
    model = str((await until(local, (await start(local)).id)).fine_tuned_model)
    whole = (await local.chat.completions.create(model=model, messages=ASKED)).choices[0].message.content or ""
    for stop in (whole[3:8], whole[-2:], " "):
        answer = await local.chat.completions.create(model=model, messages=ASKED, stop=[stop, "never"], logprobs=True)
        assert answer.choices[0].message.content == whole.split(stop)[0]
        assert answer.choices[0].finish_reason == "stop"


async def test_twenty_answers_whose_clients_disconnect_do_not_delay_the_next(local: openai.AsyncOpenAI) -> None:
    model = str((await until(local, (await start(local)).id)).fine_tuned_model)

    async def leave() -> None:
        with contextlib.suppress(openai.APITimeoutError):
            await local.chat.completions.create(model=model, messages=ASKED, timeout=0.001)

    await asyncio.gather(*(leave() for _ in range(20)))
    assert (await local.chat.completions.create(model=model, messages=ASKED)).choices[0].message.content


async def test_answers_with_a_temperature_differ_by_seed(local: openai.AsyncOpenAI) -> None:
    job = await until(local, (await start(local)).id)

    async def ask(seed: int) -> str | None:
        answer = await local.chat.completions.create(
            model=str(job.fine_tuned_model), messages=ASKED, temperature=2, seed=seed
        )
        return answer.choices[0].message.content

    assert len({await ask(seed) for seed in range(8)}) > 1
    assert await ask(3) == await ask(3)


async def test_the_untuned_base_answers_an_error(local: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await local.chat.completions.create(model="pocket-gpt", messages=ASKED)
    assert caught.value.code == "model_not_tuned"


async def test_jobs_are_trained_one_at_a_time_in_order(local: openai.AsyncOpenAI) -> None:
    training = await upload(local, lines(season()))
    jobs = [await start(local, training_file=training, epochs=4) for _ in range(3)]
    await until_step(local, jobs[0].id)
    listed = [job async for job in local.fine_tuning.jobs.list(limit=2)]
    assert [job.id for job in listed] == [job.id for job in jobs[::-1]]
    assert [job.status for job in listed].count("running") <= 1
    ended = [await until(local, job.id) for job in jobs]
    assert [job.status for job in ended] == ["succeeded"] * 3


async def test_a_job_that_was_paused_and_resumed_ends_with_the_same_losses(local: openai.AsyncOpenAI) -> None:
    training = await upload(local, lines(season()))
    whole = await until(local, (await start(local, training_file=training, epochs=30)).id)
    job = await start(local, training_file=training, epochs=30)
    await until_step(local, job.id)
    await local.fine_tuning.jobs.pause(job.id)
    paused = await until(local, job.id, "paused")
    assert str(paused.status) == "paused"  # not in the client's list of statuses
    assert (await local.fine_tuning.jobs.resume(job.id)).status == "queued"
    for _ in range(1200):
        done = await until(local, job.id, "succeeded")
        if done.status == "succeeded":
            break
    results = [(await local.files.content(one.result_files[0])).text for one in (whole, done)]
    assert results[0] == results[1]


async def test_a_cancelled_job_ends_without_a_model(local: openai.AsyncOpenAI, tmp_path: Path) -> None:
    job = await start(local, epochs=50)
    await until_step(local, job.id)
    assert (await local.fine_tuning.jobs.cancel(job.id)).status == "cancelled"
    following = await until(local, (await start(local)).id)
    assert following.status == "succeeded"
    assert not (tmp_path / "engine" / "jobs" / job.id / "run").exists()
    cancelled = await local.fine_tuning.jobs.retrieve(job.id)
    assert (cancelled.status, cancelled.fine_tuned_model) == ("cancelled", None)
    with pytest.raises(openai.BadRequestError) as caught:
        await local.fine_tuning.jobs.cancel(job.id)
    assert caught.value.code == "invalid_job_state"


async def test_jobs_are_found_by_their_metadata(local: openai.AsyncOpenAI) -> None:
    training = await upload(local, lines(season()))
    mine = await start(local, training_file=training, metadata={"run": "a", "by": "me"})
    other = await start(local, training_file=training)
    assert [job.id async for job in local.fine_tuning.jobs.list(metadata={"run": "a"})] == [mine.id]
    assert [job async for job in local.fine_tuning.jobs.list(metadata={"run": "b"})] == []
    for job in (mine, other):
        await local.fine_tuning.jobs.cancel(job.id)


async def test_the_limits_of_tuning_are_listed(local: openai.AsyncOpenAI) -> None:
    limits: Any = await local.get("/fine_tuning/model_limits", cast_to=object)
    assert [limit["model"] for limit in limits["data"]] == ["pocket-gpt"]
