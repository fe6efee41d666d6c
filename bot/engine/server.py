"""The engine's HTTP server: routes, the token, error responses; and one engine over a data folder, run to its end."""

import asyncio
import contextlib
import hmac
import ipaddress
import os
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from filelock import FileLock, Timeout

from bot.core.errors import InputError, StorageError
from bot.engine import disk, errors, files
from bot.engine.chat import REGISTRY, ModelRegistry, create_completion, list_models, show_model
from bot.engine.errors import APIError
from bot.engine.fine_tuning import routes as job_routes
from bot.engine.fine_tuning.jobs import JobStore
from bot.engine.fine_tuning.models import EngineModels
from bot.engine.fine_tuning.ray_jobs import RayJobs
from bot.engine.fine_tuning.runner import JobRunner
from bot.engine.fine_tuning.trainer import ChildProcess, Trainer
from bot.engine.launch import LOCK, Address, EngineError, read_address, write_address
from bot.engine.llama.models import InstalledModels
from bot.engine.llama.store import ModelStore
from bot.engine.lora.serving import Serving
from bot.engine.rule_based.model import StandIn

# A chat of 128,000 tokens is about half a megabyte; files are read as streams and have their own bound.
MAX_BODY = 4 * 1024 * 1024
# The queue of connections that are not accepted yet. A burst beyond it would wait a second for the next attempt.
BACKLOG = 1024
# Minutes without a question after which a local model leaves the memory.
MODEL_IDLE_MINUTES = 15.0
# The folder of local models inside a data folder, where no other is named.
MODELS = "models"


class AlreadyRunningError(EngineError):
    """Another engine serves this data folder."""


async def serve(
    host: str,
    port: int,
    data_dir: Path,
    *,
    with_token: bool = True,
    models_dir: Path | None = None,
    model_idle_minutes: float = MODEL_IDLE_MINUTES,
    serving_url: str | None = None,
    ray_address: str | None = None,
    ray_gpus: float = 0.0,
    on_ready: Callable[[Address], None],
    stop: asyncio.Event | None = None,
) -> None:
    """Serves until `stop` is set or the task is cancelled.

    `port=0` takes the port of the folder's last engine, so that its clients find this one, or a free port. `on_ready`
    is called once, when requests are answered. Raises `EngineError` if another engine serves the folder, the address
    is taken, the folder cannot be written, or an engine without a token would listen beyond loopback. At `serving_url`
    a vLLM server answers for models that were tuned from open weights. The Ray cluster at `ray_address` trains the
    jobs, each with `ray_gpus` GPUs; without one they are trained on this machine.
    """
    if not with_token and not _is_loopback(host):
        raise EngineError("Without a token the engine listens on loopback alone; name no other host.")
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        # Set before anything imports numpy: with more threads the small matrices take four times as long.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        async with contextlib.AsyncExitStack() as stack:
            # The lock is held for the life of the process. The system releases it even after kill -9.
            stack.enter_context(FileLock(data_dir / LOCK).acquire(timeout=0))
            last = read_address(data_dir)
            token = (last.token if last else None) or secrets.token_urlsafe(32)
            installed = InstalledModels(ModelStore(models_dir or data_dir / MODELS), model_idle_minutes)
            serving = Serving(serving_url) if serving_url else None
            if serving is not None:
                stack.push_async_callback(serving.close)
            trainer = RayJobs(ray_address, ray_gpus) if ray_address else ChildProcess()
            app, runner = _build(data_dir / "engine", installed, serving, trainer, token if with_token else None)
            last_port = urlsplit(last.url).port if last else None
            bound = await _listen(stack, app, host, [last_port, 0] if port == 0 and last_port else [port])
            address = Address(_url(host, bound), token if with_token else None, os.getpid())
            write_address(data_dir, address)
            on_ready(address)
            await _run(runner, installed, stop or asyncio.Event())
    except Timeout:
        raise AlreadyRunningError(f"An engine already serves {data_dir}.") from None
    except OSError as error:
        raise EngineError(str(errors.disk_failed(error))) from error


async def _listen(stack: contextlib.AsyncExitStack, app: web.Application, host: str, ports: list[int]) -> int:
    """Listens on the first free one of `ports` and returns it."""
    for port in ports:
        try:
            return await stack.enter_async_context(listening(app, host, port))
        except OSError as error:
            reason = error.strerror or "the address cannot be used"
    raise EngineError(f"The engine cannot listen on {host}, port {ports[0]}: {reason}.")


def _build(
    folder: Path, installed: InstalledModels, serving: Serving | None, trainer: Trainer, token: str | None
) -> tuple[web.Application, JobRunner]:
    """The application over everything in the engine's folder, and the queue that trains its jobs."""
    disk.make_folder(folder)
    file_store = files.FileStore(folder / "files")
    jobs = JobStore(folder / "jobs")
    models = EngineModels(jobs, [StandIn()], installed, serving)
    app = create_app(models, token=token)
    files.add_routes(app, file_store)
    job_routes.add_routes(app, jobs, models)
    return app, JobRunner(jobs, file_store, models, trainer)


async def _run(runner: JobRunner, installed: InstalledModels, stop: asyncio.Event) -> None:
    """Trains, and unloads idle models, until `stop` is set. If the queue fails, the engine ends too, and the next one
    starts the queue again.
    """
    training, stopping = asyncio.create_task(runner.run()), asyncio.create_task(stop.wait())
    unloading = asyncio.create_task(installed.run(), name="unload idle models")
    try:
        await asyncio.wait({training, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if training.done():
            training.result()
    finally:
        tasks = (training, unloading, stopping)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _url(host: str, port: int) -> str:
    """The base URL of the engine for a client on this machine."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/v1"


def create_app(registry: ModelRegistry, *, token: str | None) -> web.Application:
    """The application for the models of one registry. Without a `token` every local program may ask."""
    app = web.Application(client_max_size=MAX_BODY, middlewares=[_error_responses, _authorize(token)])
    app[REGISTRY] = registry
    app.router.add_get("/v1/models", list_models)
    app.router.add_get("/v1/models/{model:.+}", show_model)
    app.router.add_post("/v1/chat/completions", create_completion)
    return app


@contextlib.asynccontextmanager
async def listening(app: web.Application, host: str, port: int) -> AsyncIterator[int]:
    """Serves `app` until the block ends, and gives the port. `port=0` takes a free one.

    Raises `OSError` when the address is taken. Requests that run when the block ends get two seconds.
    """
    # When a client disconnects, its handler is cancelled, which stops generating the answer.
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=2)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=BACKLOG).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@web.middleware
async def _error_responses(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except APIError as error:
        return error.response()
    except InputError as error:
        return APIError(str(error), code="invalid_value").response()
    except StorageError as error:
        return errors.storage_failed(str(error)).response()
    except ConnectionError:
        raise  # the client has disconnected
    except OSError as error:
        return errors.disk_failed(error).response()
    except web.HTTPRequestEntityTooLarge:
        message = f"The request is larger than {MAX_BODY:,} bytes."
        return APIError(message, status=413, code="request_too_large").response()
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
        message = f"Unknown request URL: {request.method} {request.path[:200]}."
        return APIError(message, status=404, code="unknown_url").response()


def _authorize(token: str | None) -> Middleware:
    """Requires the token. Without one, local programs may ask, and web pages may not."""
    expected = f"Bearer {token}".encode()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if token is None:
            _refuse_web_pages(request)
        elif not hmac.compare_digest(request.headers.get("Authorization", "").encode("utf-8", "replace"), expected):
            raise APIError(
                "Incorrect API key provided. The engine's token is in engine.json in its data folder.",
                status=401,
                code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return await handler(request)

    return check


def _refuse_web_pages(request: web.Request) -> None:
    """Raises an `APIError` 403 for a request that a web page in the person's browser may have caused.

    Pages send an `Origin` with most requests. The others are sent to a name of the page's own (DNS rebinding), and
    name it in `Host`; a local program names a loopback address.
    """
    if "Origin" in request.headers:
        raise APIError(
            "Requests from web pages are refused while the engine runs without a token.",
            status=403,
            code="origin_not_allowed",
        )
    if not all(_is_loopback_host(host) for host in request.headers.getall("Host", [])):
        raise APIError(
            "Without a token the engine answers only requests to localhost or a loopback address.",
            status=403,
            code="host_not_allowed",
        )


def _is_loopback_host(header: str) -> bool:
    """Whether a `Host` header names this machine, with or without a port."""
    try:
        name = urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return False
    return _is_loopback(name.removesuffix("."))
