"""A server with the two routes of vLLM that the engine uses: it loads adapters while it runs, and streams answers.

The answers to unknown models and to a second load are vLLM's own (version 0.11, read 2026-11-28).
"""

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from bot.engine.server import listening


@dataclass
class FakeVLLM:
    """One base and the adapters that were loaded; `answer` turns a question into an answer of an adapter."""

    base: str
    answer: Callable[[str], str]
    url: str = ""
    adapters: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def load(self, request: web.Request) -> web.Response:
        """`POST /v1/load_lora_adapter`."""
        body = await request.json()
        self.asked.append("load")
        if body["lora_name"] in self.adapters:
            return web.json_response({"error": {"message": "has already been loaded", "code": 400}}, status=400)
        if not Path(body["lora_path"], "adapter_config.json").exists():
            return web.json_response({"error": {"message": "No adapter found", "code": 404}}, status=404)
        self.adapters[body["lora_name"]] = body["lora_path"]
        return web.Response(text=f"Success: LoRA adapter '{body['lora_name']}' added successfully.")

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """`POST /v1/chat/completions`, streamed word by word."""
        body = await request.json()
        self.asked.append(body["model"])
        if body["model"] not in (self.base, *self.adapters):
            message = f"The model `{body['model']}` does not exist."
            return web.json_response({"error": {"message": message, "type": "NotFoundError", "code": 404}}, status=404)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        words = self.answer(body["messages"][-1]["content"]).split(" ")
        for word in [*(f"{word} " for word in words[:-1]), words[-1]]:
            await response.write(_event({"choices": [{"index": 0, "delta": {"content": word}}]}))
        usage = {"prompt_tokens": 7, "completion_tokens": len(words), "total_tokens": 7 + len(words)}
        await response.write(_event({"choices": [], "usage": usage}) + b"data: [DONE]\n\n")
        return response


def _event(data: object) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


@contextlib.asynccontextmanager
async def fake_vllm(base: str, answer: Callable[[str], str]) -> AsyncIterator[FakeVLLM]:
    """Serve while the block runs."""
    server, app = FakeVLLM(base, answer), web.Application()
    app.router.add_post("/v1/load_lora_adapter", server.load)
    app.router.add_post("/v1/chat/completions", server.chat)
    async with listening(app, "127.0.0.1", 0) as port:
        server.url = f"http://127.0.0.1:{port}"
        yield server
