"""A provider's jobs, as the stock client speaks of them: thin, typed, and with our own errors.

Every call raises `AgainError` where the same may succeed later, `VanishedError` for 404, `RefusedError` for 401
and 403, and `TuningError` for anything else that the provider does not accept.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from bot.core.i18n import _
from bot.llm.client import ChatClient
from bot.storage.tuning import EventRow
from bot.tuning.errors import AgainError, TuningError, VanishedError, provider_errors, to_user_error
from bot.tuning.profiles import Profile

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.fine_tuning import FineTuningJobEvent

T = TypeVar("T")
RUN_KEY = "fewshot_run"
PAGE = 100
# Pages of jobs and files that are looked through for our own: a crash is looked after soon, so it is near the top.
LOOK_BACK = 5


@dataclass(frozen=True, slots=True)
class Remote:
    """A job as its provider tells it; `failure` is the provider's own sentence."""

    id: str
    status: str
    model: str
    failure: str
    trained_tokens: int | None


class Wire:
    """One provider."""

    def __init__(self, profile: Profile, client: "AsyncOpenAI", chat: ChatClient) -> None:
        self.profile, self.chat = profile, chat
        self._client = client

    async def find_file(self, name: str) -> str:
        """The id of the uploaded file called `name`; empty where there is none."""

        async def look() -> str:
            async for file in self._client.files.list(purpose="fine-tune", limit=1000):
                if file.filename == name:
                    return file.id
            return ""

        try:
            return await self._call(look)
        except TuningError as error:
            if isinstance(error, AgainError):
                raise
            return ""  # A provider that lists no files; the worst that can come of it is a second upload.

    async def upload(self, name: str, data: bytes) -> str:
        """Upload a training file; its id."""
        return (await self._call(lambda: self._client.files.create(file=(name, data), purpose="fine-tune"))).id

    async def delete_file(self, file_id: str) -> None:
        """Delete an uploaded file; one that is gone already is as good."""
        try:
            await self._call(lambda: self._client.files.delete(file_id))
        except VanishedError:
            return

    async def find_job(self, run_key: str) -> Remote | None:
        """The job that was created with `run_key`, if there is one."""

        async def look() -> Remote | None:
            seen = 0
            async for job in self._client.fine_tuning.jobs.list(limit=PAGE):
                if (job.metadata or {}).get(RUN_KEY) == run_key:
                    return _remote(job)
                seen += 1
                if seen >= PAGE * LOOK_BACK:
                    break
            return None

        return await self._call(look)

    async def create(self, run_key: str, base: str, training: str, validation: str, settings: Any) -> Remote:
        """Create the job. It is never repeated by the client, since a repetition would be a second job."""
        body: dict[str, Any] = {"hyperparameters": settings}
        if self.profile.in_method:
            body = {"method": {"type": "supervised", "supervised": {"hyperparameters": settings}}}
        if validation:
            body["validation_file"] = validation
        once = self._client.with_options(max_retries=0)
        return _remote(
            await self._call(
                lambda: once.fine_tuning.jobs.create(
                    model=base,
                    training_file=training,
                    suffix=f"fewshot-{run_key[:6]}",
                    seed=1,
                    metadata={RUN_KEY: run_key},
                    **body,
                )
            )
        )

    async def job(self, job_id: str) -> Remote:
        """How the job stands."""
        return _remote(await self._call(lambda: self._client.fine_tuning.jobs.retrieve(job_id)))

    async def cancel(self, job_id: str) -> Remote:
        """Cancel the job."""
        return _remote(await self._call(lambda: self._client.fine_tuning.jobs.cancel(job_id)))

    async def new_events(self, job_id: str, known: set[str]) -> list[EventRow]:
        """The events that are not `known`, oldest first."""

        async def look() -> list[EventRow]:
            new: list[EventRow] = []
            async for event in self._client.fine_tuning.jobs.list_events(job_id, limit=PAGE):
                if event.id in known:
                    break
                new.append(_event(event))
            return new[::-1]

        return await self._call(look)

    async def may_tune(self, base: str) -> bool | None:
        """Whether the account may tune `base`, where the provider tells; None where it does not."""
        if not self.profile.limits:
            return None
        try:
            limits = await self._call(lambda: self._client.get("/fine_tuning/model_limits", cast_to=object))
        except TuningError:
            return None
        listed = limits.get("data") if isinstance(limits, dict) else None
        if not isinstance(listed, list):
            return None
        return any(isinstance(item, dict) and base.startswith(str(item.get("model", "\n"))) for item in listed)

    async def shutdown_date(self, base: str) -> str:
        """The day on which `base` is shut down, where the provider tells it; else empty."""
        try:
            return (await self._call(lambda: self._client.models.retrieve(base))).shutdown_date or ""
        except TuningError:
            return ""

    async def deployed(self, job_id: str, base: str, name: str) -> tuple[str, str]:
        """Deploy the newest checkpoint of a job as `name`, once: its state (`active` when it answers) and name.

        The call stands beside the wire, at the server's root (`/v0/models`).
        """
        root = str(self._client.base_url).rstrip("/").removesuffix("/v1")
        try:
            found: Any = await self._call(
                lambda: self._client.get(f"{root}/v0/models/{quote(name, safe='')}", cast_to=object)
            )
        except VanishedError:
            checkpoints = await self._call(lambda: self._client.fine_tuning.jobs.checkpoints.list(job_id, limit=1))
            if not checkpoints.data:
                raise TuningError("The job left no checkpoint that could be deployed.") from None
            body = {"name": name, "base_model": base, "source": f"{job_id}:{checkpoints.data[0].id}"}
            found = await self._call(lambda: self._client.post(f"{root}/v0/models", body=body, cast_to=object))
        if not isinstance(found, dict):
            raise AgainError(
                "{provider} gave an answer that cannot be understood; the bot tries again.",
                provider=_(self.profile.title),
            )
        return str(found.get("status", "active")), str(found.get("name") or name)

    async def _call(self, what: Callable[[], Awaitable[T]]) -> T:
        """What `what` gives, with foreign errors worded."""
        try:
            return await what()
        except provider_errors() as error:
            raise to_user_error(error, self.profile.title) from error


@asynccontextmanager
async def open_wire(profile: Profile, url: str, key: str, base: str, concurrency: int) -> AsyncIterator[Wire]:
    """The provider at `url`, with a client for its jobs and one for its models, until the block ends."""
    async with ChatClient(base_url=url, api_key=key, model=base, concurrency=concurrency) as chat:
        await chat.warm()
        from openai import DEFAULT_TIMEOUT, AsyncOpenAI

        from bot.llm.transport import http_client

        carrier = await asyncio.to_thread(http_client, DEFAULT_TIMEOUT)
        async with AsyncOpenAI(base_url=url, api_key=key, http_client=carrier) as client:
            yield Wire(profile, client, chat)


def _remote(job: Any) -> Remote:
    """A job of the client's as ours; the client gives a page of HTML as a text."""
    from openai.types.fine_tuning import FineTuningJob

    if not isinstance(job, FineTuningJob) or not job.id:
        raise AgainError("The provider gave an answer that cannot be understood; the bot tries again.")
    failure = job.error.message if job.error and job.error.message else ""
    return Remote(job.id, str(job.status), job.fine_tuned_model or "", failure, job.trained_tokens)


def _event(event: "FineTuningJobEvent") -> EventRow:
    data = event.data if isinstance(event.data, dict) else {}
    return EventRow(
        event_id=event.id,
        at=float(event.created_at),
        level=str(event.level),
        kind=str(event.type or "message"),
        message=str(event.message),
        data=json.dumps(data),
    )
