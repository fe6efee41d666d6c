"""One llama.cpp server as a child process: started at the first request, restarted when it died, stopped when idle."""

import asyncio
import contextlib
import json
import logging
import secrets
import signal
import subprocess
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bot.engine import child_processes
from bot.engine.errors import NO_RETRY, APIError

_log = logging.getLogger(__name__)
# Seconds until a model is loaded: 4 GB from a slow disk take about a minute.
LOAD_TIMEOUT = 180.0
STOP_TIMEOUT = 5.0
# Seconds until the system reports the exit of a process whose connections were closed.
REAP_TIMEOUT = 2.0
# Seconds between two checks of the queue while a request waits in it.
QUEUE_INTERVAL = 2.0


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration of a server.

    `path` is the model's file, `context` the tokens for each answer, `slots` the number of concurrent answers. Requests
    name the `adapters` (LoRA, GGUF files) by their index.
    """

    path: Path
    context: int
    slots: int
    threads: int
    adapters: tuple[Path, ...] = ()


def unavailable(message: str, code: str) -> APIError:
    """503 that a client should not retry."""
    return APIError(message, status=503, kind="server_error", code=code, headers=NO_RETRY)


class LlamaServer:
    """The child process for one model, and the queue for its slots."""

    def __init__(self, name: str, config: Config) -> None:
        self.name, self.config = name, config
        self._process: Process | None = None
        self._session: aiohttp.ClientSession | None = None
        self._url, self._key = "", ""
        self._starting = asyncio.Lock()
        self._slots = asyncio.Semaphore(config.slots)
        self._waiting = 0
        # The adapter of the request before, as the request names it.
        self._adapter: Any = None
        self.running = 0
        self.used_at = time.monotonic()

    @property
    def loaded(self) -> bool:
        """Whether the process is running and has loaded the model."""
        return self._process is not None and self._process.returncode is None and self._url != ""

    @property
    def idle(self) -> bool:
        """Whether no request is being answered or waits."""
        return not self.running and not self._waiting

    async def answer(self, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any] | int]:
        """The chunks of a streamed chat completion; before them, while the slots are taken, the place in the queue.

        First come, first served. Raises `APIError`: before the first chunk for what the server refuses, in the
        middle where its process died.
        """
        async for place in self._slot():
            yield place
        if self.config.adapters and (self.config.slots > 1 or body.get("lora") != self._adapter):
            # llama.cpp would reuse what another adapter, or none, has made of the prompt (seen 2026-11-28).
            body = {**body, "cache_prompt": False}
        self._adapter = body.get("lora")
        try:
            async for chunk in self._chunks(body):
                yield chunk
        finally:
            self.running -= 1
            self.used_at = time.monotonic()
            self._slots.release()

    async def _slot(self) -> AsyncIterator[int]:
        """Wait for a slot; every two seconds, report how many requests are before this one, and 0 after a wait."""
        acquiring = asyncio.ensure_future(self._slots.acquire())
        ahead, self._waiting = self._waiting, self._waiting + 1
        waited = False
        try:
            while not (await asyncio.wait({acquiring}, timeout=QUEUE_INTERVAL))[0]:
                ahead = min(ahead, self._waiting - 1)
                yield ahead + 1
                waited = True
            if waited:
                yield 0
            self.running += 1
        except BaseException:
            if not acquiring.cancel():
                self._slots.release()
            raise
        finally:
            self._waiting -= 1

    async def _chunks(self, body: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        response = await self._post(body)
        begun = False
        try:
            async for chunk in events(response):
                begun = True
                yield chunk
        except (aiohttp.ClientError, OSError):
            if begun or self.loaded:
                raise unavailable(
                    "The model's process ended in the middle of the answer. Ask again.", "model_died"
                ) from None
            raise unavailable(self._epitaph(), "model_died") from None
        finally:
            response.close()

    async def _post(self, body: dict[str, Any]) -> aiohttp.ClientResponse:
        """The response to `body`. A process that died since the last request is restarted, once."""
        for attempt in (1, 2):
            await self.start()
            assert self._session is not None
            try:
                response = await self._session.post(
                    f"{self._url}/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {self._key}"}
                )
            except (aiohttp.ClientError, OSError):
                if attempt == 2 or not await self._has_ended():
                    raise unavailable(self._epitaph(), "model_died") from None
                continue
            if response.status != 200:
                raise refused(response.status, await response.read())
            return response
        raise AssertionError("the second attempt returns or raises")

    async def start(self) -> None:
        """Load the model unless it is loaded. Raises `APIError` where that fails."""
        async with self._starting:
            if self.loaded:
                return
            self._url, self._key = "", secrets.token_urlsafe(24)
            began = time.monotonic()
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bot.engine.llama.child"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            try:
                self._url = await asyncio.wait_for(self._greeting(self._process), LOAD_TIMEOUT)
            except TimeoutError:
                await self.stop()
                raise unavailable(
                    f"{self.name} was not loaded within {LOAD_TIMEOUT:.0f} seconds.", "load_failed"
                ) from None
            if self._session is None:
                # There is no time limit here: the client has one.
                self._session = aiohttp.ClientSession(
                    timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
                    # llama.cpp closes idle connections without notice; a request on such a connection would be lost.
                    connector=aiohttp.TCPConnector(force_close=True),
                )
            self.used_at = time.monotonic()
            _log.info("loaded %s in %.1f s", self.name, time.monotonic() - began)

    async def _greeting(self, process: Process) -> str:
        """Send the configuration; returns the address when the model is loaded."""
        assert process.stdin is not None
        assert process.stdout is not None
        config = json.dumps({**asdict(self.config), "key": self._key}, default=str)
        with contextlib.suppress(ConnectionError):  # it died already: its exit code says why
            process.stdin.write(config.encode() + b"\n")
            await process.stdin.drain()
        line = await process.stdout.readline()
        message = json.loads(line) if line else {}
        if "url" in message:
            return str(message["url"])
        await process.wait()
        reason = message.get("error") or _exit_reason(process.returncode)
        raise unavailable(f"{self.name} cannot be loaded: {reason}", "load_failed")

    async def _has_ended(self) -> bool:
        """Whether the process that closed a connection has died, which the system reports a moment later."""
        assert self._process is not None
        return await child_processes.exit_code(self._process, REAP_TIMEOUT) is not None

    def _epitaph(self) -> str:
        code = self._process.returncode if self._process else None
        return f"{self.name} stopped answering: {_exit_reason(code)}"

    async def stop(self) -> None:
        """End the process, and free its memory."""
        process, self._process = self._process, None
        if process is not None:
            await child_processes.end(process, STOP_TIMEOUT)

    async def close(self) -> None:
        """Stop, and close the connections."""
        await self.stop()
        if self._session is not None:
            await self._session.close()


async def events(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """The JSON objects of a stream. Raises `APIError` for an error inside it."""
    async for line in response.content:
        data = line.removeprefix(b"data:").strip() if line.startswith((b"data:", b"error:")) else b""
        if not data or data == b"[DONE]":
            continue
        event = json.loads(data.removeprefix(b"error:"))
        if "error" in event:
            raise refused(500, data)
        yield event


def refused(status: int, body: bytes) -> APIError:
    """The error of a request that llama.cpp refused, with the engine's sentence for known errors."""
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        error = {}
    prompt, context = error.get("n_prompt_tokens"), error.get("n_ctx")
    if error.get("type") == "exceed_context_size_error" and prompt and context:
        return APIError(
            f"The prompt has {prompt:,} tokens, and the model's context holds {context:,}. Send a shorter text.",
            code="context_length_exceeded",
            param="messages",
        )
    message = str(error.get("message", "")).strip()[:300] or "llama.cpp refused the request."
    return APIError(message, status=400 if status < 500 else 500, kind=str(error.get("type", "server_error")))


def _exit_reason(code: int | None) -> str:
    """The sentence that says why a process ended."""
    if code == -signal.SIGKILL:
        return "it was killed; the machine may be out of memory."
    if code == -signal.SIGILL:
        return "llama.cpp met an instruction that this processor lacks (AVX2 is needed)."
    if code is not None and code < 0:
        return f"llama.cpp crashed (signal {-code}). The file may be damaged, or of a kind it does not know."
    return f"its process ended with code {code}." if code is not None else "its connection broke off."
