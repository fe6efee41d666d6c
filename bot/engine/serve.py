"""Runs the engine in this process, for `fewshot engine` and for `python -m bot.engine`."""

import asyncio
import ipaddress
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web
from filelock import FileLock, Timeout

from bot.engine import address, file_routes
from bot.engine.address import Address, EngineError
from bot.engine.files import FileStore
from bot.engine.jobs import routes as job_routes
from bot.engine.jobs.job_store import Book
from bot.engine.jobs.models import EngineModels
from bot.engine.jobs.runner import Runner
from bot.engine.rule_based.model import StandIn
from bot.engine.server import create_app, listening


class AlreadyRunningError(EngineError):
    """Another engine serves this data folder."""


async def serve(
    host: str,
    port: int,
    data_dir: Path,
    *,
    with_token: bool = True,
    on_ready: Callable[[Address], None],
    stop: asyncio.Event | None = None,
) -> None:
    """Serves until `stop` is set, or the task is cancelled.

    `port=0` takes the port that the folder's last engine had, so that its clients find this one, or a free
    one. `on_ready` is called once, when requests are answered. Raises `EngineError` where another engine
    serves the folder, the address is taken, or an engine without a token would listen beyond loopback.
    """
    if not with_token and not _is_loopback(host):
        raise EngineError("Without a token the engine listens on loopback alone; name no other host.")
    data_dir.mkdir(parents=True, exist_ok=True)
    # Set before anything imports numpy: with more threads the small matrices take four times as long.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    lock = FileLock(data_dir / address.LOCK)
    try:
        # Held for the life of the process: the system lets go of it even after a kill -9.
        lock.acquire(timeout=0)
    except Timeout:
        raise AlreadyRunningError(f"An engine already serves {data_dir}.") from None
    try:
        await _serve_locked(host, port, data_dir, with_token, on_ready, stop or asyncio.Event())
    finally:
        lock.release()


async def _serve_locked(
    host: str,
    port: int,
    data_dir: Path,
    with_token: bool,
    on_ready: Callable[[Address], None],
    stop: asyncio.Event,
) -> None:
    former = address.read(data_dir)
    token = (former.token if former else None) or secrets.token_urlsafe(32)
    app, runner = _build(data_dir, token if with_token else None)
    for candidate in _ports(port, former):
        try:
            async with listening(app, host, candidate) as bound:
                here = Address(_url(host, bound), token if with_token else None, os.getpid())
                address.write(data_dir, here)
                on_ready(here)
                await _work(runner, stop)
            return
        except OSError as error:
            reason = error.strerror or "the address cannot be used"
    raise EngineError(f"The engine cannot listen on {host}, port {port}: {reason}.")


def _build(data_dir: Path, token: str | None) -> tuple[web.Application, Runner]:
    """The application over everything that the folder holds, and the queue that trains its jobs."""
    files = FileStore(data_dir / "engine" / "files")
    book = Book(data_dir / "engine" / "jobs")
    models = EngineModels(book, [StandIn()])
    app = create_app(models, token=token)
    file_routes.add_routes(app, files)
    job_routes.add_routes(app, book, models)
    return app, Runner(book, files, models)


async def _work(runner: Runner, stop: asyncio.Event) -> None:
    """Trains until `stop` is set. An engine whose queue has broken down ends too: then it is started anew."""
    training, stopping = asyncio.create_task(runner.run()), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({training, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if training.done():
            training.result()
    finally:
        training.cancel()
        stopping.cancel()
        await asyncio.gather(training, stopping, return_exceptions=True)


def _ports(port: int, former: Address | None) -> list[int]:
    known = urlsplit(former.url).port if former else None
    return [known, 0] if port == 0 and known else [port]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _url(host: str, port: int) -> str:
    """The base URL to reach the engine at from this machine."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/v1"
