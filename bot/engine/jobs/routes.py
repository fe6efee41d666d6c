"""`/v1/fine_tuning`: jobs, their events and checkpoints, what may be tuned; and deleting tuned models."""

import asyncio
from typing import Any

from aiohttp import web

from bot.engine import dataset
from bot.engine.body import read_object
from bot.engine.errors import WireError
from bot.engine.file_routes import FILES
from bot.engine.jobs import events
from bot.engine.jobs import finalize as settle
from bot.engine.jobs.create import new_job
from bot.engine.jobs.job import BASE_MODEL, Job
from bot.engine.jobs.job_store import MAX_UNFINISHED, Book
from bot.engine.jobs.models import EngineModels
from bot.engine.paging import cut, page_of
from bot.engine.pocket.config import MAX_BATCH, MAX_EPOCHS, MAX_RATE, MAX_ROWS

BOOK = web.AppKey("book", Book)
MODELS = web.AppKey("models", EngineModels)

JOBS = "/v1/fine_tuning/jobs"


def add_routes(app: web.Application, book: Book, models: EngineModels) -> None:
    """Serves the jobs of `book`. The application must serve the files already."""
    app[BOOK], app[MODELS] = book, models
    app.router.add_post(JOBS, _create)
    app.router.add_get(JOBS, _list)
    app.router.add_get(JOBS + "/{job}", _show)
    app.router.add_post(JOBS + "/{job}/cancel", _cancel)
    app.router.add_post(JOBS + "/{job}/pause", _pause)
    app.router.add_post(JOBS + "/{job}/resume", _resume)
    app.router.add_get(JOBS + "/{job}/events", _events)
    app.router.add_get(JOBS + "/{job}/checkpoints", _checkpoints)
    app.router.add_get("/v1/fine_tuning/model_limits", _model_limits)
    app.router.add_delete("/v1/models/{model:.+}", _delete_model)


def _job(request: web.Request) -> Job:
    return request.app[BOOK].get(request.match_info["job"])


async def _create(request: web.Request) -> web.Response:
    job = new_job(await read_object(request), request.app[FILES])
    request.app[MODELS].base_folder(job.model)
    request.app[BOOK].add(job)
    return web.json_response(job.wire())


async def _list(request: web.Request) -> web.Response:
    page = page_of(request, default=20, most=100, also=("metadata",))
    wanted = {name[9:-1]: value for name, value in request.query.items() if name.startswith("metadata[")}
    jobs = [job for job in request.app[BOOK].all() if wanted.items() <= (job.metadata or {}).items()]
    if request.query.get("metadata") == "null":
        jobs = [job for job in jobs if job.metadata is None]
    return web.json_response(cut([job.wire() for job in jobs], page))


async def _show(request: web.Request) -> web.Response:
    return web.json_response(_job(request).wire())


async def _cancel(request: web.Request) -> web.Response:
    job, book = _job(request), request.app[BOOK]
    _check_not_ended(job)
    at_rest = job.stands("queued", "paused")
    job.end("cancelled")
    book.ask_to_stop(job)
    book.note(job, "The job was cancelled.")
    if at_rest:  # else whoever is at work on it tidies up
        await asyncio.to_thread(settle.tidy, job, book.folder(job))
    return web.json_response(job.wire())


async def _pause(request: web.Request) -> web.Response:
    job, book = _job(request), request.app[BOOK]
    _check_not_ended(job)
    if job.status == "running":
        job.status = "pausing"
        book.ask_to_stop(job)
        book.note(job, "The job is pausing: a checkpoint is written.")
    elif job.status == "queued":
        job.status = "paused"
        book.note(job, "The job is paused.")
    elif job.status == "validating_files":
        raise _wrong_state("The job's files are still being validated; pause it in a moment.")
    return web.json_response(job.wire())


async def _resume(request: web.Request) -> web.Response:
    job, book = _job(request), request.app[BOOK]
    _check_not_ended(job)
    if job.status == "pausing":
        raise _wrong_state("The job is still pausing; resume it in a moment.")
    if job.status == "paused":
        job.status = "queued"
        book.note(job, "The job was resumed and is queued.")
    return web.json_response(job.wire())


def _check_not_ended(job: Job) -> None:
    if job.ended:
        raise _wrong_state(f"The job has {job.status} already.".replace("has cancelled", "was cancelled"))


def _wrong_state(why: str) -> WireError:
    return WireError(why, code="invalid_job_state", param="fine_tuning_job_id")


async def _events(request: web.Request) -> web.Response:
    job = _job(request)
    page = page_of(request, default=20, most=100)
    found = await asyncio.to_thread(events.read, request.app[BOOK].folder(job))
    return web.json_response(cut(found[::-1], page))


async def _checkpoints(request: web.Request) -> web.Response:
    job = _job(request)
    page = page_of(request, default=10, most=100)
    shown: list[dict[str, Any]] = [
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
    return web.json_response(cut(shown, page))


async def _model_limits(request: web.Request) -> web.Response:
    """What may be tuned here, and how much of it. The fields are the engine's own; OpenAI documents none."""
    page_of(request, default=20, most=100)
    limits = {
        "object": "fine_tuning.model_limit",
        "model": BASE_MODEL,
        "methods": ["supervised"],
        "min_examples": dataset.MIN_EXAMPLES,
        "max_examples": MAX_ROWS,
        "max_file_bytes": dataset.MAX_BYTES,
        "max_epochs": MAX_EPOCHS,
        "max_batch_size": MAX_BATCH,
        "max_learning_rate_multiplier": MAX_RATE,
        "max_unfinished_jobs": MAX_UNFINISHED,
    }
    return web.json_response({"object": "list", "data": [limits], "has_more": False})


async def _delete_model(request: web.Request) -> web.Response:
    model_id = request.match_info["model"]
    await request.app[MODELS].delete(model_id)
    return web.json_response({"id": model_id, "object": "model", "deleted": True})
