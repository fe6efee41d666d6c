"""`/v1/fine_tuning`: jobs, their events and checkpoints, the limits of tuning; and deleting tuned models."""

import asyncio
from typing import Any

from aiohttp import web

from bot.engine import dataset
from bot.engine.errors import APIError
from bot.engine.files import FILES
from bot.engine.fine_tuning.jobs import MAX_UNFINISHED, Job, JobStore, new_job
from bot.engine.fine_tuning.models import EngineModels
from bot.engine.fine_tuning.runner import remove_training_files
from bot.engine.pocket.config import MAX_BATCH, MAX_EPOCHS, MAX_LR_MULTIPLIER, MAX_ROWS
from bot.engine.requests import list_page, page_of, read_json_object

JOBS = web.AppKey("jobs", JobStore)
MODELS = web.AppKey("models", EngineModels)

PATH = "/v1/fine_tuning/jobs"


def add_routes(app: web.Application, jobs: JobStore, models: EngineModels) -> None:
    """Serves `jobs`. The application must serve the files already."""
    app[JOBS], app[MODELS] = jobs, models
    app.router.add_post(PATH, _create)
    app.router.add_get(PATH, _list)
    app.router.add_get(PATH + "/{job}", _show)
    app.router.add_post(PATH + "/{job}/cancel", _cancel)
    app.router.add_post(PATH + "/{job}/pause", _pause)
    app.router.add_post(PATH + "/{job}/resume", _resume)
    app.router.add_get(PATH + "/{job}/events", _events)
    app.router.add_get(PATH + "/{job}/checkpoints", _checkpoints)
    app.router.add_get("/v1/fine_tuning/model_limits", _model_limits)
    app.router.add_delete("/v1/models/{model:.+}", _delete_model)


def _job(request: web.Request) -> Job:
    return request.app[JOBS].get(request.match_info["job"])


async def _create(request: web.Request) -> web.Response:
    job = new_job(await read_json_object(request), request.app[FILES], request.app[MODELS].start_of)
    request.app[JOBS].add(job)
    return web.json_response(job.to_api())


async def _list(request: web.Request) -> web.Response:
    page = page_of(request, default=20, maximum=100, also=("metadata",))
    metadata = {name[9:-1]: value for name, value in request.query.items() if name.startswith("metadata[")}
    jobs = [job for job in request.app[JOBS].all() if metadata.items() <= (job.metadata or {}).items()]
    if request.query.get("metadata") == "null":
        jobs = [job for job in jobs if job.metadata is None]
    return web.json_response(list_page([job.to_api() for job in jobs], page))


async def _show(request: web.Request) -> web.Response:
    return web.json_response(_job(request).to_api())


async def _cancel(request: web.Request) -> web.Response:
    job, jobs = _job(request), request.app[JOBS]
    _check_not_ended(job)
    idle = job.is_in("queued", "paused")
    job.end("cancelled")
    if idle:  # else the runner removes the files after it has stopped
        await asyncio.to_thread(remove_training_files, job, jobs.folder(job))
    jobs.record(job, "The job was cancelled.")
    return web.json_response(job.to_api())


async def _pause(request: web.Request) -> web.Response:
    job, jobs = _job(request), request.app[JOBS]
    _check_not_ended(job)
    if job.status == "running":
        job.status = "pausing"
        jobs.record(job, "The job is pausing: a checkpoint is written.")
    elif job.status == "queued":
        job.status = "paused"
        jobs.record(job, "The job is paused.")
    elif job.status == "validating_files":
        raise _wrong_state("The job's files are still being validated; pause it in a moment.")
    return web.json_response(job.to_api())


async def _resume(request: web.Request) -> web.Response:
    job, jobs = _job(request), request.app[JOBS]
    _check_not_ended(job)
    if job.status == "pausing":
        raise _wrong_state("The job is still pausing; resume it in a moment.")
    if job.status == "paused":
        job.status = "queued"
        jobs.record(job, "The job was resumed and is queued.")
    return web.json_response(job.to_api())


def _check_not_ended(job: Job) -> None:
    if job.ended:
        raise _wrong_state(f"The job has {job.status} already.".replace("has cancelled", "was cancelled"))


def _wrong_state(why: str) -> APIError:
    return APIError(why, code="invalid_job_state", param="fine_tuning_job_id")


async def _events(request: web.Request) -> web.Response:
    job = _job(request)
    page = page_of(request, default=20, maximum=100)
    events = await asyncio.to_thread(request.app[JOBS].events, job)
    return web.json_response(list_page(events[::-1], page))


async def _checkpoints(request: web.Request) -> web.Response:
    job = _job(request)
    page = page_of(request, default=10, maximum=100)
    checkpoints: list[dict[str, Any]] = [
        {
            "id": checkpoint.id,
            "object": "fine_tuning.job.checkpoint",
            "created_at": checkpoint.created_at,
            "fine_tuned_model_checkpoint": job.checkpoint_name(checkpoint),
            "fine_tuning_job_id": job.id,
            "step_number": checkpoint.step,
            "metrics": checkpoint.metrics,
        }
        for checkpoint in reversed(job.checkpoints)
    ]
    return web.json_response(list_page(checkpoints, page))


async def _model_limits(request: web.Request) -> web.Response:
    """What can be tuned, and the limits. The fields are the engine's own, because OpenAI documents none."""
    page_of(request, default=20, maximum=100)
    limits = [
        {
            "object": "fine_tuning.model_limit",
            "model": model,
            "methods": ["supervised"],
            "min_examples": dataset.MIN_EXAMPLES,
            "max_examples": MAX_ROWS,
            "max_file_bytes": dataset.MAX_BYTES,
            "max_epochs": MAX_EPOCHS,
            "max_batch_size": MAX_BATCH,
            "max_learning_rate_multiplier": MAX_LR_MULTIPLIER,
            "max_unfinished_jobs": MAX_UNFINISHED,
        }
        for model in request.app[MODELS].tunable()
    ]
    return web.json_response({"object": "list", "data": limits, "has_more": False})


async def _delete_model(request: web.Request) -> web.Response:
    model_id = request.match_info["model"]
    await request.app[MODELS].delete(model_id)
    return web.json_response({"id": model_id, "object": "model", "deleted": True})
