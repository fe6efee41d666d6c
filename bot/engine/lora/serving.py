"""Tuned models on a vLLM server, which loads an adapter while it runs and then has a model of that name.

vLLM must be started with `--enable-lora` and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True, and must see the engine's data
folder under the same path (https://docs.vllm.ai/en/latest/features/lora.html, read 2026-11-28).
"""

import asyncio
import math
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import aiohttp

from bot.engine.errors import APIError
from bot.engine.llama.models import RelayedModel
from bot.engine.llama.process import events, refused, unavailable

# Seconds to load an adapter: some hundred megabytes from a disk.
LOAD_TIMEOUT = 60.0


class Serving:
    """The server at SERVING_URL. One for the engine; its connections are opened at the first question."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/").removesuffix("/v1") + "/v1"
        self._session: aiohttp.ClientSession | None = None
        self._loading = asyncio.Lock()
        # When each adapter was loaded, so that of several questions at once only the first loads it.
        self._loaded: dict[str, float] = {}

    async def post(self, body: dict[str, Any], adapter: Path | None) -> aiohttp.ClientResponse:
        """The response to a chat completion. A server that does not know the model is given its adapter first."""
        began = time.monotonic()
        response = await self._post("chat/completions", body, None)
        if response.status == 404 and adapter is not None:
            response.release()
            await self._load(str(body["model"]), adapter, began)
            response = await self._post("chat/completions", body, None)
        if response.status != 200:
            raise refused(response.status, await response.read())
        return response

    async def _load(self, name: str, adapter: Path, since: float) -> None:
        """Load an adapter, unless another request has done so `since`."""
        async with self._loading:
            if self._loaded.get(name, -math.inf) > since:
                return
            response = await self._post(
                "load_lora_adapter", {"lora_name": name, "lora_path": str(adapter.resolve())}, LOAD_TIMEOUT
            )
            # 400: the adapter is loaded already, or it is broken. Then the question fails.
            if response.status not in (200, 400):
                raise refused(response.status, await response.read())
            response.release()
            self._loaded[name] = time.monotonic()

    async def _post(self, path: str, body: dict[str, Any], seconds: float | None) -> aiohttp.ClientResponse:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=5)
        try:
            return await self._session.post(f"{self._url}/{path}", json=body, timeout=timeout)
        except (aiohttp.ClientError, OSError, TimeoutError):
            raise unavailable(f"The server at SERVING_URL ({self._url}) cannot be reached.", "serving_failed") from None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()


class ServedModel(RelayedModel):
    """A model of the server; with `adapter`, a tuned one that it may have to load first."""

    def __init__(self, name: str, serving: Serving, adapter: Path | None = None, created: int = 0) -> None:
        super().__init__()
        self.id, self.created = name, created
        self._serving, self._adapter = serving, adapter

    async def chunks(self, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any] | int]:
        """The chunks of the server's stream."""
        response = await self._serving.post(body | {"model": self.id}, self._adapter)
        try:
            async for event in events(response):
                yield event
        except (aiohttp.ClientError, OSError) as error:
            raise APIError(
                "The server at SERVING_URL ended the answer in the middle. Ask again.",
                status=502,
                code="serving_failed",
            ) from error
        finally:
            response.close()
