"""A provider of tuning on loopback that can be told to misbehave as real ones do.

It speaks files, jobs with events and checkpoints, model limits, the deploy step beside the wire, and chat. A job
moves one status a look. Its models have learnt their file by heart and refuse everything else.

As a process, for drills: `python -m tests.tuning.fake_provider --state FILE` prints its address; what was asked of
it is in FILE after every request.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.engine.server import listening

WAY = ("validating_files", "queued", "running", "running", "succeeded")


@dataclass
class FakeProvider:
    """`way` is the statuses that a job passes; `faults` the statuses of HTTP that requests of a kind get next;
    requests of a kind or with an end of their path in `stalls` take effect and are not answered for as long as it is.

    `instead` may answer a request (method, path) with a status and a body in place of all that. `alter_job` and
    `alter_event` change the JSON of jobs and events. `file_states` are the statuses that a file passes, one a look;
    without any, files cannot be looked at.
    """

    way: tuple[str, ...] = WAY
    needs_deploy: bool = False
    limits: list[str] | None = None
    faults: dict[str, list[int]] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    deployed: dict[str, dict[str, Any]] = field(default_factory=dict)
    stalls: set[str] = field(default_factory=set)
    vanished: set[str] = field(default_factory=set)
    creating: list[dict[str, Any]] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    instead: Callable[[str, str], tuple[int, Any] | None] | None = None
    alter_job: Callable[[dict[str, Any]], Any] | None = None
    alter_event: Callable[[dict[str, Any]], Any] | None = None
    file_states: list[str] = field(default_factory=list)
    delay: float = 0.0
    port: int = 0
    state: Path | None = None

    def __post_init__(self) -> None:
        self._ids = itertools.count(1)
        self._stack = contextlib.AsyncExitStack()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._faulty])
        app.router.add_get("/v1/files", self._files)
        app.router.add_post("/v1/files", self._upload)
        app.router.add_get("/v1/files/{id}", self._file)
        app.router.add_delete("/v1/files/{id}", self._delete)
        app.router.add_get("/v1/fine_tuning/model_limits", self._limits)
        app.router.add_get("/v1/fine_tuning/jobs", self._jobs)
        app.router.add_post("/v1/fine_tuning/jobs", self._create)
        app.router.add_get("/v1/fine_tuning/jobs/{id}", self._job)
        app.router.add_get("/v1/fine_tuning/jobs/{id}/events", self._events)
        app.router.add_get("/v1/fine_tuning/jobs/{id}/checkpoints", self._checkpoints)
        app.router.add_post("/v1/fine_tuning/jobs/{id}/cancel", self._cancel)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v0/models", self._deploy)
        app.router.add_get("/v0/models/{name:.+}", self._deployed)
        return app

    async def __aenter__(self) -> Self:
        self.port = await self._stack.enter_async_context(listening(self.app(), "127.0.0.1", self.port))
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    @web.middleware
    async def _faulty(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        kind = f"{request.method} {request.path.split('/')[-1] if 'jobs/' not in request.path else 'job'}"
        self.calls[kind] += 1
        given = self.instead(request.method, request.path) if self.instead else None
        if given is not None:
            await request.read()
            return web.json_response(given[1], status=given[0])
        if self.faults.get(kind):
            status = self.faults[kind].pop(0)
            if status == 200:
                return web.Response(text="<html>a page of a proxy</html>", content_type="text/html")
            return _error(status)
        answer = await handler(request)
        self._note()
        while self.stalls & {kind, request.path.rpartition("/")[2]}:  # noqa: ASYNC110 - a test takes kinds away when it likes
            await asyncio.sleep(0.02)
        await asyncio.sleep(self.delay)
        return answer

    def _note(self) -> None:
        if self.state is not None:
            told = {"creating": len(self.creating), "files": len(self.files), "asked": self.asked}
            self.state.write_text(json.dumps(told), encoding="utf-8")

    async def _files(self, request: web.Request) -> web.Response:
        return _page([file["card"] for file in self.files.values()])

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        upload = form["file"]
        assert isinstance(upload, web.FileField)
        data = upload.file.read()
        card = _card(f"file-{next(self._ids)}", upload.filename, len(data))
        self.files[card["id"]] = {"card": card, "data": data}
        return web.json_response(card)

    async def _file(self, request: web.Request) -> web.Response:
        file = self.files.get(request.match_info["id"])
        if file is None or not self.file_states:
            return _error(404)
        status = self.file_states.pop(0) if len(self.file_states) > 1 else self.file_states[0]
        return web.json_response(file["card"] | {"status": status})

    async def _delete(self, request: web.Request) -> web.Response:
        if self.files.pop(request.match_info["id"], None) is None:
            return _error(404)
        return web.json_response({"id": request.match_info["id"], "object": "file", "deleted": True})

    async def _limits(self, request: web.Request) -> web.Response:
        return _error(404) if self.limits is None else _page([{"model": name} for name in self.limits])

    async def _jobs(self, request: web.Request) -> web.Response:
        return _page([self._shown(job) for job in reversed(self.jobs.values())])

    async def _create(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.creating.append(body)
        job_id = f"ftjob-{next(self._ids)}"
        rows = [json.loads(line) for line in self.files[body["training_file"]]["data"].splitlines()]
        known = {row["messages"][-2]["content"]: row["messages"][-1]["content"] for row in rows}
        self.jobs[job_id] = {"id": job_id, "body": body, "looks": 0, "known": known}
        return web.json_response(self._shown(self.jobs[job_id]))

    def _status(self, job: dict[str, Any]) -> str:
        ended: str | None = job.get("ended")
        return ended or self.way[min(job["looks"], len(self.way) - 1)]

    def _shown(self, job: dict[str, Any]) -> dict[str, Any]:
        status, body = self._status(job), job["body"]
        done = status == "succeeded"
        return {
            "id": job["id"],
            "object": "fine_tuning.job",
            "created_at": 1,
            "model": body["model"],
            "metadata": body.get("metadata"),
            "status": status,
            "fine_tuned_model": f"ft:{body['model']}:{job['id']}" if done and not self.needs_deploy else None,
            "error": {"code": "bad_data", "message": "The data is not good."} if status == "failed" else None,
            "trained_tokens": 1_000_000 if done else None,
            "training_file": body["training_file"],
        }

    async def _job(self, request: web.Request) -> web.Response:
        job = self.jobs.get(request.match_info["id"])
        if job is None or job["id"] in self.vanished:
            return _error(404)
        job["looks"] += 1
        shown = self._shown(job)
        return web.json_response(self.alter_job(shown) if self.alter_job else shown)

    async def _events(self, request: web.Request) -> web.Response:
        job = self.jobs[request.match_info["id"]]
        events = [_event(job["id"], number) for number in range(job["looks"], 0, -1)]
        events = [self.alter_event(event) if self.alter_event else event for event in events]
        after = request.query.get("after")
        if after:
            events = events[[event["id"] for event in events].index(after) + 1 :]
        limit = int(request.query.get("limit", 20))
        return _page(events[:limit], more=len(events) > limit)

    async def _checkpoints(self, request: web.Request) -> web.Response:
        return _page([{"id": "ftckpt-2", "object": "fine_tuning.job.checkpoint"}])

    async def _cancel(self, request: web.Request) -> web.Response:
        job = self.jobs[request.match_info["id"]]
        job["ended"] = "cancelled"
        return web.json_response(self._shown(job))

    async def _deploy(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.deployed[body["name"]] = {**body, "looks": 0}
        return web.json_response({"name": body["name"], "status": "validating"})

    async def _deployed(self, request: web.Request) -> web.Response:
        model = self.deployed.get(request.match_info["name"])
        if model is None:
            return _error(404)
        model["looks"] += 1
        return web.json_response({"name": model["name"], "status": "active" if model["looks"] > 1 else "validating"})

    def _knows(self, model: str) -> dict[str, str] | None:
        """What a model has learnt; None where there is no such model."""
        source = self.deployed[model]["source"].split(":")[0] if model in self.deployed else model.split(":")[-1]
        if source in self.jobs and source not in self.vanished:
            return dict(self.jobs[source]["known"])
        return None if model.startswith(("ft:", "fewshot-")) else {}

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        known = self._knows(body["model"])
        if known is None:
            return _error(404)
        question = body["messages"][-1]["content"]
        self.asked[f"{body['model']} {question}"] += 1
        refusal = str(body["messages"][0]["content"]).rpartition(": ")[2]
        text = known.get(question, refusal)
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
        delta = {**chunk, "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": "stop"}]}
        usage = {**chunk, "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}}
        lines = "".join(f"data: {json.dumps(part)}\n\n" for part in (delta, usage))
        return web.Response(text=lines + "data: [DONE]\n\n", content_type="text/event-stream")


def _page(data: list[dict[str, Any]], *, more: bool = False) -> web.Response:
    return web.json_response({"object": "list", "data": data, "has_more": more})


def _error(status: int) -> web.Response:
    return web.json_response({"error": {"message": "told to", "type": "fault", "code": None}}, status=status)


def _card(file_id: str, name: str, size: int) -> dict[str, Any]:
    card = {"id": file_id, "object": "file", "bytes": size, "created_at": 1, "filename": name}
    return {**card, "purpose": "fine-tune", "status": "processed"}


def _event(job_id: str, number: int) -> dict[str, Any]:
    data = {"step": number, "total_steps": 5, "train_loss": 1 / number}
    head = {"id": f"{job_id}-event-{number}", "object": "fine_tuning.job.event", "created_at": number}
    return {**head, "level": "info", "message": f"step {number}", "type": "metrics", "data": data}


async def _serve(options: argparse.Namespace) -> None:
    async with FakeProvider(state=options.state, delay=options.delay) as fake:
        print(fake.url, flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="A provider of tuning that keeps a tally.")
    parser.add_argument("--state", type=Path)
    parser.add_argument("--delay", type=float, default=0.0)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
