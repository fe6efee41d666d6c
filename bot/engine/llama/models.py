"""The installed models as models of the engine: loaded at the first question, unloaded when idle."""

import asyncio
import contextlib
import importlib.util
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

from bot.core.settings import LOCAL_SUFFIX
from bot.engine.chat import ChatModel, ChatRequest, Delta
from bot.engine.llama.catalog import CONTEXT, GIB, OVERHEAD, machine
from bot.engine.llama.process import Config, LlamaServer, unavailable
from bot.engine.llama.store import Installed, ModelStore

_log = logging.getLogger(__name__)
# Tokens of an answer whose request sets no limit. A small model may never stop (one translation ran to 4,692
# tokens, 2026-11-27), and would hold its slot until the context is full.
MAX_TOKENS = 1_000
# Parameters of chat completions beyond the engine's own that llama.cpp takes.
PASSED_ON = frozenset(
    ("response_format", "grammar", "json_schema", "top_p", "top_k", "min_p", "repeat_penalty", "presence_penalty")
) | {"frequency_penalty", "logit_bias", "cache_prompt"}


class LocalModel(ChatModel):
    """One installed model, as one request sees it."""

    owned_by = "local"

    def __init__(self, model: Installed, servers: "InstalledModels") -> None:
        self.id, self.label = model.name, f"{model.label}{LOCAL_SUFFIX}"
        self._model, self._servers = model, servers
        self._usage: dict[str, Any] = {}

    def accepts(self, parameter: str) -> bool:
        """What llama.cpp takes beyond the engine's own parameters."""
        return parameter in PASSED_ON

    def usage(self, request: ChatRequest, tokens: int) -> dict[str, Any]:
        """As llama.cpp reported it; for an answer that was cut, the tokens that were sent."""
        prompt = self._usage.get("prompt_tokens", 0)
        tokens = max(tokens, self._usage.get("completion_tokens", 0))
        return {"prompt_tokens": prompt, "completion_tokens": tokens, "total_tokens": prompt + tokens}

    async def generate(self, request: ChatRequest) -> AsyncIterator[Delta]:
        """The answer token by token; while the model is busy, parts that only tell the place in the queue."""
        server = await self._servers.server(self._model)
        async with contextlib.aclosing(server.answer(_body(request))) as events:
            async for event in events:
                if isinstance(event, int):
                    yield Delta("", tokens=0, queue_place=event)
                    continue
                self._usage = event.get("usage") or self._usage
                for choice in event.get("choices") or []:
                    text = (choice.get("delta") or {}).get("content") or ""
                    finish = choice.get("finish_reason")
                    if text or finish:
                        yield Delta(text, tokens=int(bool(text)), finish_reason=finish if finish == "length" else None)


def _body(request: ChatRequest) -> dict[str, Any]:
    """A request as llama.cpp reads it."""
    body = request.model_dump(include={"temperature", "seed", "stop"}, exclude_none=True) | request.extra
    body["messages"] = [
        {"role": "system" if message.role == "developer" else message.role, "content": message.content}
        for message in request.messages
    ]
    body["max_tokens"] = request.token_limit or MAX_TOKENS
    return body | {"stream": True, "stream_options": {"include_usage": True}}


class InstalledModels:
    """The models of a store and their processes. At most as many are loaded as fit into memory."""

    def __init__(self, store: ModelStore, idle_minutes: float) -> None:
        self._store, self._idle_seconds = store, idle_minutes * 60
        self._servers: dict[str, LlamaServer] = {}
        self._loading = asyncio.Lock()

    def all(self) -> list[ChatModel]:
        """Every installed model, also where xllamacpp is missing: asking it says what to install."""
        return [LocalModel(model, self) for model in self._store.all()]

    def find(self, name: str) -> ChatModel | None:
        """The model called `name`, with or without the suffix of local models, or None."""
        model = self._store.find(name.removesuffix(LOCAL_SUFFIX))
        return LocalModel(model, self) if model else None

    async def server(self, model: Installed) -> LlamaServer:
        """The loaded server for `model`. Raises `APIError` where it cannot be loaded."""
        if importlib.util.find_spec("xllamacpp") is None:
            raise unavailable("Local models need llama.cpp: pip install 'fewshot[local]'.", "not_installed")
        async with self._loading:
            server = self._servers.get(model.name)
            if server is None or (server.idle and server.config.path != self._store.weights(model.name)):
                server = self._servers[model.name] = LlamaServer(model.name, await self._config(model))
            if not server.loaded:
                await self._make_room(model, server)
                await server.start()
            return server

    async def _config(self, model: Installed) -> Config:
        here = await asyncio.to_thread(machine, self._store.folder)
        context = min(CONTEXT, model.context) if model.context else CONTEXT
        return Config(self._store.weights(model.name), context, here.slots, here.threads)

    async def _make_room(self, model: Installed, wanted: LlamaServer) -> None:
        """Unload idle models until `model` fits. Raises `APIError` with both numbers where it does not."""
        need = model.size + model.kv_bytes * wanted.config.context * wanted.config.slots + OVERHEAD
        others = sorted((each for each in self._servers.values() if each.loaded), key=lambda each: each.used_at)
        while True:
            here = await asyncio.to_thread(machine, self._store.folder)
            if need <= here.free_memory:
                return
            idle = next((each for each in others if each.idle and each is not wanted), None)
            if idle is None:
                raise unavailable(
                    f"{model.label} needs {need / GIB:.1f} GiB of memory, and "
                    f"{here.free_memory / GIB:.1f} GiB are free. "
                    "Close other programs, or choose a smaller model (fewshot model list).",
                    "not_enough_memory",
                )
            others.remove(idle)
            _log.info("unloading %s to make room for %s", idle.name, model.name)
            await idle.stop()

    async def run(self) -> None:
        """Unload what has been idle for too long, until cancelled; then end every process."""
        try:
            while True:
                await asyncio.sleep(min(30.0, max(self._idle_seconds / 4, 0.1)))
                for server in self._servers.values():
                    if server.loaded and server.idle and time.monotonic() - server.used_at > self._idle_seconds:
                        _log.info("unloading %s: idle", server.name)
                        await server.stop()
        finally:
            await asyncio.gather(*(server.close() for server in self._servers.values()))
