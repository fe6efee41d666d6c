"""The providers of tuning: their jobs, files and models through the stock client, with our own errors.

`Providers` opens each provider once. A `Provider` makes one call for each step of a job. Every call raises
`TemporaryError` where the same may succeed later, `VanishedError` for 404, `RefusedError` for 401 to 403, and
`TuningError` for anything else that the provider does not accept. Answers are read field by field: a field of another
type than the wire's is skipped.
"""

import asyncio
import contextvars
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from bot.core.errors import ConfigError
from bot.core.i18n import _
from bot.core.json_text import without_surrogates
from bot.core.settings import Settings
from bot.engine.launch import EngineError, connected
from bot.llm.client import ChatClient
from bot.server.model_gateway import ModelGateway
from bot.storage.tuning import EventRow
from bot.tuning.errors import (
    FileNotReadyError,
    RefusedError,
    TemporaryError,
    TuningError,
    VanishedError,
    provider_errors,
    to_user_error,
    unclear_answer,
)
from bot.tuning.profiles import PROFILES, Profile
from bot.tuning.words import digest

if TYPE_CHECKING:
    from openai import AsyncOpenAI

T = TypeVar("T")
# The metadata under which a job carries our id, so that it is found again after a crash.
RUN_KEY = "fewshot_run"
PAGE = 100
# The most jobs, files and events that are read: a server that ignores `after` would list them without end.
MAX_LISTED = 5 * PAGE
MAX_EVENTS = 100 * PAGE
# Calls at one time to a provider's models, beside those to the chat model.
CONCURRENCY = 32
# Seconds for the events of a job: a provider that does not answer must not hold the job up.
EVENTS_TIMEOUT = 30.0
# Statuses of a file. OpenAI says uploaded, processed or error (2026-11-22). With any
# other, the provider still reads the file.
FILE_READY = frozenset({"processed", "ready", "succeeded", "completed", "valid"})
FILE_BROKEN = frozenset({"error", "failed", "invalid", "deleted"})
# What providers call the end of a job; OpenAI's words come first, and are the ones that are stored.
SUCCEEDED, FAILED, CANCELLED = "succeeded", "failed", "cancelled"
ENDS: Mapping[str, str] = {
    **dict.fromkeys((SUCCEEDED, "success", "successful", "completed", "complete", "finished", "done"), SUCCEEDED),
    **dict.fromkeys((FAILED, "failure", "error", "errored", "user_error", "expired", "timed_out"), FAILED),
    **dict.fromkeys((CANCELLED, "canceled", "aborted", "stopped", "terminated"), CANCELLED),
}
# The answers of the deploy step.
ACTIVE, BROKEN = frozenset({"active", "ready", "deployed"}), frozenset({"error", "failed"})


@dataclass(frozen=True, slots=True)
class RemoteJob:
    """A job as its provider describes it. `status` is one of `ENDS`' values or the provider's own word; `failure` is
    the provider's own sentence.
    """

    id: str
    status: str
    model: str
    failure: str
    trained_tokens: int | None


class Provider:
    """One provider; `gateway` asks its models."""

    def __init__(self, profile: Profile, client: "AsyncOpenAI", gateway: ModelGateway) -> None:
        self.profile, self.gateway = profile, gateway
        self._client = client

    async def find_file(self, name: str) -> str:
        """The id of the uploaded file called `name`; empty where there is none, or the provider lists no files."""

        async def look() -> str:
            async for file in self._client.files.list(purpose="fine-tune", limit=1000):
                if _text(file, "filename") == name:
                    return _text(file, "id")
            return ""

        try:
            return await self._call(look)
        except TemporaryError:
            raise
        except TuningError:  # Without a list, a crash costs at most a second upload.
            return ""

    async def upload(self, name: str, data: bytes) -> str:
        """Upload a training file; returns its id."""
        file = await self._call(lambda: self._client.files.create(file=(name, data), purpose="fine-tune"))
        return _text(file, "id") or self._raise_unclear()

    async def file_status(self, file_id: str) -> str:
        """The provider's word for the state of a file; empty where it does not say."""
        try:
            return _text(await self._call(lambda: self._client.files.retrieve(file_id)), "status").lower()
        except TuningError:
            return ""

    async def delete_file(self, file_id: str) -> None:
        """Delete an uploaded file, if it is there."""
        try:
            await self._call(lambda: self._client.files.delete(file_id))
        except VanishedError:
            return

    async def find_job(self, run_key: str) -> RemoteJob | None:
        """The job that was created with `run_key`; None where there is none, or the provider lists no jobs."""

        async def look() -> RemoteJob | None:
            seen = 0
            async for job in self._client.fine_tuning.jobs.list(limit=PAGE):
                metadata = getattr(job, "metadata", None)
                if isinstance(metadata, dict) and metadata.get(RUN_KEY) == run_key:
                    return self._remote(job)
                seen += 1
                if seen >= MAX_LISTED:
                    break
            return None

        try:
            return await self._call(look)
        except VanishedError:
            return None

    async def create(
        self, run_key: str, base: str, training: str, validation: str, hyperparameters: Mapping[str, Any]
    ) -> RemoteJob:
        """Create the job. The client does not retry the request, because a retry could create a second job.

        Raises `FileNotReadyError` where the provider still reads a file.
        """
        body: dict[str, Any] = {"hyperparameters": hyperparameters}
        if self.profile.in_method:
            body = {"method": {"type": "supervised", "supervised": body}}
        if validation:
            body["validation_file"] = validation
        once = self._client.with_options(max_retries=0)
        try:
            job = await self._call(
                lambda: once.fine_tuning.jobs.create(
                    model=base,
                    training_file=training,
                    suffix=f"fewshot-{run_key[:6]}",
                    seed=1,
                    metadata={RUN_KEY: run_key},
                    **body,
                )
            )
        except (TemporaryError, RefusedError):
            raise
        except TuningError as error:
            if not getattr(error.__cause__, "param", None):
                await self.check_files(training, validation)
            raise
        return self._remote(job)

    async def check_files(self, *files: str) -> None:
        """Raises `FileNotReadyError` while the provider says that it still reads one of these files."""
        for file_id in filter(None, files):
            if await self.file_status(file_id) not in FILE_READY | FILE_BROKEN | {""}:
                raise FileNotReadyError(
                    "{provider} is still reading the uploaded file; the bot tries again.",
                    provider=_(self.profile.title),
                )

    async def job(self, job_id: str) -> RemoteJob:
        """The job as its provider describes it now."""
        return self._remote(await self._call(lambda: self._client.fine_tuning.jobs.retrieve(job_id)))

    async def cancel(self, job_id: str) -> None:
        """Cancel the job."""
        await self._call(lambda: self._client.fine_tuning.jobs.cancel(job_id))

    async def new_events(self, job_id: str, known: set[str]) -> list[EventRow]:
        """The events whose ids are not `known`, oldest first; none where the provider has no events.

        Events decide nothing about a job, so an error in reading them does not fail it.
        """
        new: dict[str, EventRow] = {}

        async def look() -> None:
            async with asyncio.timeout(EVENTS_TIMEOUT):
                async for event in self._client.fine_tuning.jobs.list_events(job_id, limit=PAGE):
                    row = event_row(event)
                    if row.event_id in known or row.event_id in new or len(new) >= MAX_EVENTS:
                        break
                    new[row.event_id] = row

        try:
            await self._call(look)
        except TuningError:
            return []
        return list(new.values())[::-1]

    async def newest_checkpoint(self, job_id: str) -> tuple[int, str] | None:
        """The step and the model's name of a job's newest checkpoint; None where there is none yet."""
        found = await self._call(lambda: self._client.fine_tuning.jobs.checkpoints.list(job_id, limit=1))
        if not found.data:
            return None
        newest = found.data[0]
        return newest.step_number, newest.fine_tuned_model_checkpoint

    async def may_tune(self, base: str) -> bool | None:
        """Whether the account may tune `base`; None where the provider does not say."""
        if not self.profile.has_limits:
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
        """The day on which `base` is shut down; empty where the provider does not say."""
        try:
            return _text(await self._call(lambda: self._client.models.retrieve(base)), "shutdown_date")
        except TuningError:
            return ""

    async def deployed(self, job_id: str, base: str, name: str) -> tuple[str, str]:
        """Deploy the newest checkpoint of a job as `name`, once: its state (`active` when it answers) and name.

        The call is not part of OpenAI's wire: `/v0/models` at the server's root.
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
            self._raise_unclear()
        return str(found.get("status", "active")), str(found.get("name") or name)

    def _remote(self, job: Any) -> RemoteJob:
        """Convert a job of the `openai` client. The client returns a page of HTML as a text."""
        job_id = _text(job, "id")
        if not job_id:
            self._raise_unclear()
        status = _text(job, "status") or "running"
        tokens = getattr(job, "trained_tokens", None)
        return RemoteJob(
            id=job_id,
            status=ENDS.get(status.lower(), status[:60]),
            model=_text(job, "fine_tuned_model"),
            failure=_failure(getattr(job, "error", None)),
            trained_tokens=tokens if isinstance(tokens, int) and not isinstance(tokens, bool) and tokens >= 0 else None,
        )

    def _raise_unclear(self) -> Any:
        raise unclear_answer(self.profile.title)

    async def _call(self, what: Callable[[], Awaitable[T]]) -> T:
        """The result of `what`; its errors become ours."""
        try:
            return await what()
        except provider_errors() as error:
            raise to_user_error(error, self.profile.title) from error


class Providers:
    """Opens each provider once, at its first use: most processes never ask one."""

    def __init__(self, settings: Settings, stack: AsyncExitStack, gateway: ModelGateway) -> None:
        """What is opened is closed by `stack`; `gateway` asks the chat model, with the limits that hold for all."""
        self.default = PROFILES[settings.tuning_provider]
        self._settings, self._stack, self._gateway = settings, stack, gateway
        self._open: dict[str, Provider] = {}
        self._lock = asyncio.Lock()

    async def get(self, name: str) -> Provider:
        """The provider called `name`. Raises `ConfigError` where a setting is missing."""
        async with self._lock:
            if name not in self._open:
                # In a context of its own, because a connection outlives the command that opened it.
                opening = contextvars.Context().run(asyncio.ensure_future, self._opened(PROFILES[name]))
                self._open[name] = await opening
            return self._open[name]

    async def _opened(self, profile: Profile) -> Provider:
        from openai import DEFAULT_TIMEOUT, AsyncOpenAI

        from bot.llm.transport import http_client

        url, key = await self._address(profile)
        base = self._settings.tuning_model or profile.base or ""
        chat = ChatClient(base_url=url, api_key=key, model=base, concurrency=CONCURRENCY)
        await self._stack.enter_async_context(chat)
        await chat.warm()
        transport = await asyncio.to_thread(http_client, DEFAULT_TIMEOUT)
        client = AsyncOpenAI(base_url=url, api_key=key, http_client=transport)
        return Provider(profile, await self._stack.enter_async_context(client), self._gateway.with_client(chat))

    async def _address(self, profile: Profile) -> tuple[str, str]:
        """The URL and the key of a provider."""
        settings = self._settings
        if profile.is_local:
            try:
                engine = await self._stack.enter_async_context(connected(settings.data_dir, settings.models))
            except EngineError as error:
                raise TemporaryError(str(error)) from error
            return engine.url, engine.token
        chosen = profile is self.default
        url = (settings.tuning_base_url if chosen else None) or profile.url
        if url is None:
            raise ConfigError("TUNING_BASE_URL is not set: a custom tuning provider needs its address.")
        key = settings.tuning_api_key if chosen else None
        if key is None and profile.uses_chat_key:
            key = settings.openai_api_key
        if key is None and profile.needs_key:
            raise ConfigError("TUNING_API_KEY is not set: {provider} asks for a key.", provider=profile.title)
        return url, key.get_secret_value() if key else "none"


def event_row(event: Any) -> EventRow:
    """Convert an event of the `openai` client. The id of an event without one is a hash of its contents."""
    data, kind, message = getattr(event, "data", None), _text(event, "type"), _text(event, "message")
    at = _seconds(getattr(event, "created_at", None))
    figures = json.dumps(data if isinstance(data, dict) else {})
    return EventRow(
        event_id=_text(event, "id") or digest(str(at), kind, message, figures)[:32],
        at=at,
        level=_text(event, "level"),
        kind=kind or "message",
        message=message,
        data=figures,
    )


def _seconds(moment: Any) -> float:
    """Seconds since 1970 of a number or of a date as ISO 8601 writes it; 0 where it is neither."""
    if isinstance(moment, (int, float)) and not isinstance(moment, bool):
        return float(moment) if 0 <= moment < 1e11 else 0.0
    try:
        parsed = datetime.fromisoformat(moment)
    except (TypeError, ValueError):
        return 0.0
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def _failure(error: Any) -> str:
    """The sentence of a job's error, which is an object with a message, or a text."""
    if isinstance(error, str):
        return without_surrogates(error)
    message = error.get("message") if isinstance(error, dict) else getattr(error, "message", None)
    return without_surrogates(message) if isinstance(message, str) else ""


def _text(answer: Any, name: str) -> str:
    """The text in a field of an answer; empty where there is none."""
    value = getattr(answer, name, None)
    return without_surrogates(value) if isinstance(value, str) else ""
