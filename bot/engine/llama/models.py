"""The installed models as models of the engine: loaded at the first question, unloaded when idle."""

import asyncio
import contextlib
import importlib.util
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from pathlib import Path
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
# A tuned model answers with the names and numbers of the question, so that repeating them must not be penalized.
TUNED: Mapping[str, Any] = {"temperature": 0.0, "repeat_penalty": 1.0}


class RelayedModel(ChatModel):
    """A model that answers in another server of the same API, as one request sees it."""

    owned_by = "local"

    def __init__(self) -> None:
        self._usage: dict[str, Any] = {}

    def accepts(self, parameter: str) -> bool:
        """What llama.cpp and vLLM take beyond the engine's own parameters."""
        return parameter in PASSED_ON

    def usage(self, request: ChatRequest, tokens: int) -> dict[str, Any]:
        """As the server reported it; for an answer that was cut, the tokens that were sent."""
        prompt = self._usage.get("prompt_tokens", 0)
        tokens = max(tokens, self._usage.get("completion_tokens", 0))
        return {"prompt_tokens": prompt, "completion_tokens": tokens, "total_tokens": prompt + tokens}

    def chunks(self, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any] | int]:
        """The chunks of the answer to `body`; before them perhaps numbers, the places in a queue."""
        raise NotImplementedError

    async def generate(self, request: ChatRequest) -> AsyncIterator[Delta]:
        """The answer token by token; while the model is busy, parts that only tell the place in the queue."""
        async with contextlib.aclosing(self.chunks(_body(request))) as events:
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


class LocalModel(RelayedModel):
    """One installed model; or a model tuned from it, which is an `adapter` on it."""

    def __init__(
        self,
        model: Installed,
        servers: "InstalledModels",
        name: str = "",
        adapter: Path | None = None,
        created: int = 0,
    ) -> None:
        super().__init__()
        self.id, self.created = name or model.name, created
        self.label = "" if adapter else f"{model.label}{LOCAL_SUFFIX}"
        self._model, self._servers, self._adapter = model, servers, adapter

    async def chunks(self, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any] | int]:
        """The chunks of llama.cpp, which is started if needed."""
        server = await self._servers.server(self._model, self._adapter)
        if self._adapter is not None:
            place = server.config.adapters.index(self._adapter)
            body = {**TUNED, **body, "lora": [{"id": place, "scale": 1.0}]}
        async with contextlib.aclosing(server.answer(body)) as chunks:
            async for chunk in chunks:
                yield chunk


def _body(request: ChatRequest) -> dict[str, Any]:
    """A request as llama.cpp and vLLM read it."""
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
        self.store, self._idle_seconds = store, idle_minutes * 60
        self._servers: dict[str, LlamaServer] = {}
        # Servers that were replaced while they answered. They stop after that.
        self._replaced: list[LlamaServer] = []
        self._loading = asyncio.Lock()

    def all(self) -> list[ChatModel]:
        """Every installed model, also where xllamacpp is missing: asking it says what to install."""
        return [LocalModel(model, self) for model in self.store.all()]

    def find(self, name: str) -> ChatModel | None:
        """The model called `name`, with or without the suffix of local models, or None."""
        model = self.store.find(name.removesuffix(LOCAL_SUFFIX))
        return LocalModel(model, self) if model else None

    def tuned(self, base: str, name: str, adapter: Path, created: int) -> ChatModel:
        """The model called `name`: an adapter on the installed model `base`. Raises `APIError` where that is gone."""
        model = self.store.find(base)
        if model is None:
            raise unavailable(f"{name} was tuned from {base}, which is not installed any more.", "base_missing")
        return LocalModel(model, self, name, adapter, created)

    async def server(self, model: Installed, adapter: Path | None = None) -> LlamaServer:
        """The loaded server for `model`, with `adapter` among its adapters. Raises `APIError` where that fails.

        llama.cpp takes adapters only when it starts, about 2 s, so a server with one more replaces the one before.
        """
        if importlib.util.find_spec("xllamacpp") is None:
            raise unavailable("Local models need llama.cpp: pip install -e '.[local]'.", "not_installed")
        async with self._loading:
            server = self._servers.get(model.name)
            adapters = server.config.adapters if server else ()
            if adapter is not None and adapter not in adapters:
                adapters = (*(path for path in adapters if path.exists()), adapter)
            wanted = await self._config(model, adapters)
            if server is None or (server.config.path, server.config.adapters) != (wanted.path, adapters):
                if server is not None:
                    await self._replace(server)
                server = self._servers[model.name] = LlamaServer(model.name, wanted)
            if not server.loaded:
                await self._make_room(model, server)
                await server.start()
            return server

    async def _replace(self, server: LlamaServer) -> None:
        """Stop a server, at once where it is idle, else after its answers."""
        if server.idle:
            await server.close()
        else:
            self._replaced.append(server)

    async def _config(self, model: Installed, adapters: tuple[Path, ...]) -> Config:
        here = await asyncio.to_thread(machine, self.store.folder)
        context = min(CONTEXT, model.context) if model.context else CONTEXT
        return Config(self.store.weights(model.name), context, here.slots, here.threads, adapters)

    async def _make_room(self, model: Installed, wanted: LlamaServer) -> None:
        """Unload idle models until `model` fits. Raises `APIError` with both numbers where it does not."""
        need = model.size + model.kv_bytes * wanted.config.context * wanted.config.slots + OVERHEAD
        others = sorted((each for each in self._servers.values() if each.loaded), key=lambda each: each.used_at)
        while True:
            here = await asyncio.to_thread(machine, self.store.folder)
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
                for server in [each for each in self._replaced if each.idle]:
                    self._replaced.remove(server)
                    await server.close()
                for server in self._servers.values():
                    if server.loaded and server.idle and time.monotonic() - server.used_at > self._idle_seconds:
                        _log.info("unloading %s: idle", server.name)
                        await server.stop()
        finally:
            await asyncio.gather(*(server.close() for server in (*self._servers.values(), *self._replaced)))
