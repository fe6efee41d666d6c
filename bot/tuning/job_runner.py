"""A job's steps, and the runner that takes them: one process at a time, until the job is over.

uploading → creating → running → (deploying) → scoring → done; or failed, or cancelled. Each step may be cut off
anywhere and taken again: its result is in the database before the next begins, and what cannot be repeated is looked
for first, an uploaded file by its name, a job by the run key in its metadata.

The runner holds the job's lease, which runs out a few seconds after a crash. While a provider cannot be reached or has
a fault, it tries again with growing pauses, and the job's note says why. An error that waiting does not cure ends the
job with a sentence.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from time import monotonic, time
from typing import Any

from bot.core.caller import Caller
from bot.core.errors import FewshotError, StorageError
from bot.core.i18n import N_, _
from bot.core.json_text import read_json
from bot.llm.template import ChatTemplate
from bot.server.ledger import NANO, Ledger
from bot.storage import tuning as tuning_rows
from bot.storage.calls import Bill
from bot.storage.database import Database
from bot.storage.datasets import PairRow
from bot.storage.tuning import EventRow, JobRow, ModelRow
from bot.tuning import lineage, snapshots
from bot.tuning.errors import FileNotReadyError, RefusedError, TemporaryError, TuningError, VanishedError
from bot.tuning.lessons import LESSONS
from bot.tuning.localized_text import MARK, localize, serialize, serialize_error
from bot.tuning.profiles import PROFILES, tunable
from bot.tuning.providers import (
    ACTIVE,
    BROKEN,
    CANCELLED,
    FAILED,
    FILE_BROKEN,
    FILE_READY,
    SUCCEEDED,
    Provider,
    Providers,
    RemoteJob,
)
from bot.tuning.rows import as_lines
from bot.tuning.scoring import Scorer
from bot.tuning.subjects import subject_of, training_row
from bot.tuning.workers import Workers, hold

_log = logging.getLogger(__name__)
# Seconds that a lease lasts; it is renewed every third of that.
LEASE = 9.0
# How much longer each pause is than the one before.
BACKOFF = 1.4
# Requests in a row that must not find a job before it counts as vanished: a provider's servers may differ.
MAX_NOT_FOUND = 4
# Seconds between two reads of a job that another process runs, and of the list of unfinished jobs.
POLL_INTERVAL, LIST_INTERVAL = 0.5, 5.0
# The list is read so seldom by a bot while it is empty: it begins a job when somebody starts one there.
IDLE_LIST_INTERVAL = 30.0
# Seconds after which an unfinished job is called unusual.
UNUSUALLY_LONG = 24 * 3600.0
# Seconds that a provider may take to read an uploaded file, and that it may refuse one which it calls ready.
FILE_TIMEOUT, READY_FILE_TIMEOUT = 600.0, 20.0
# Seconds that uploading and creating may fail for passing reasons before the job fails. Nothing is lost: it can be
# started again. A job that is being trained is looked at for as long as it takes.
STEP_TIMEOUT = 3_600.0
# Seconds that the database may refuse every write before the runner gives a job back: a full disk stays full.
STORAGE_TIMEOUT = 30.0
# Statuses of unfinished jobs in OpenAI's API (2026-11-22), with what people read for them.
STATUSES: Mapping[str, str] = {
    "validating_files": N_("checking the files"),
    "queued": N_("waiting for its turn"),
    "running": N_("running"),
    "pausing": N_("pausing"),
    "paused": N_("paused"),
    "succeeded": N_("succeeded"),
}
UNKNOWN_STATUS = N_("The provider calls its state “{status}”, which is not known here; the job counts as going on.")


@dataclass(frozen=True, slots=True)
class JobTools:
    """What the steps work with."""

    database: Database
    templates: Mapping[str, ChatTemplate]
    ledger: Ledger
    scorer: Scorer
    providers: Providers


# --- the steps


async def upload(tools: JobTools, job: JobRow) -> bool:
    """Upload the training rows and, where there are any, the validation rows."""
    provider = await tools.providers.get(job.provider)
    if job.parent == "" and await provider.may_tune(job.base) is False:
        raise RefusedError(
            "{provider} does not let this account tune {model}; nothing was uploaded.",
            provider=_(provider.profile.title),
            model=job.base,
        )
    train, validation = await training_files(tools, job)
    training_id = await _uploaded(provider, f"{job.id}-train.jsonl", train)
    validation_id = await _uploaded(provider, f"{job.id}-validation.jsonl", validation) if validation else ""
    files = {"training_file": training_id, "validation_file": validation_id}
    moved = await tuning_rows.advance_job(tools.database, job.id, "uploading", state="creating", note="", **files)
    if not moved:
        await _delete(provider, *await _unused(tools, job, training_id, validation_id))
    return moved


async def _unused(tools: JobTools, job: JobRow, *ids: str) -> list[str]:
    """Those of the `ids` that a step got from the provider and that are not stored with the job.

    The job was cancelled during the step, or another process took the step because this one was paused.
    """
    now = await tuning_rows.get_job(tools.database, job.id)
    return [one for one in ids if now is None or one not in (now.training_file, now.validation_file, now.remote_id)]


async def _uploaded(provider: Provider, name: str, data: bytes) -> str:
    return await provider.find_file(name) or await provider.upload(name, data)


async def _delete(provider: Provider, *files: str) -> None:
    """Delete uploaded files that are not needed."""
    for file_id in filter(None, files):
        with contextlib.suppress(TuningError):
            await provider.delete_file(file_id)


async def training_files(tools: JobTools, job: JobRow) -> tuple[bytes, bytes]:
    """The bytes of the training file and of the validation file: equal whenever they are made."""
    dataset = await lineage.get_dataset(tools.database, job.dataset_id)
    train, validation = await training_pairs(tools.database, job)
    subject = subject_of(tools.templates, dataset)

    def render(pairs: list[PairRow]) -> bytes:
        return as_lines(training_row(subject, pair) for pair in pairs).encode()

    return await asyncio.to_thread(render, train), await asyncio.to_thread(render, validation)


async def training_pairs(database: Database, job: JobRow) -> tuple[list[PairRow], list[PairRow]]:
    """What a job trains on and validates with: its dataset and the replayed ones, changed as its lesson wants."""
    ids = await lineage.dataset_ids(database, job.dataset_id, job.parent)
    train, validation = await lineage.training_pairs(database, ids)
    return (LESSONS[job.lesson].rows(train) if job.lesson else train), validation


async def create(tools: JobTools, job: JobRow) -> bool:
    """Create the job, once. Where it is refused, the uploaded files are deleted."""
    provider = await tools.providers.get(job.provider)
    remote = await provider.find_job(job.id)
    if remote is None:
        try:
            hyperparameters = json.loads(job.hyperparameters)
            remote = await provider.create(job.id, job.base, job.training_file, job.validation_file, hyperparameters)
        except TemporaryError:
            raise
        except TuningError as error:
            await _delete(provider, job.training_file, job.validation_file)
            if isinstance(error, VanishedError):
                raise TuningError(
                    "{provider} has no model {model} that could be tuned.",
                    provider=_(provider.profile.title),
                    model=job.base,
                ) from error
            raise
    moved = await tuning_rows.advance_job(
        tools.database, job.id, "creating", state="running", remote_id=remote.id, status=remote.status, note=""
    )
    if not moved and await _unused(tools, job, remote.id):
        await provider.cancel(remote.id)
    return moved


async def poll(tools: JobTools, job: JobRow) -> bool:
    """Read the job's state and its new events; returns whether anything was new."""
    provider = await tools.providers.get(job.provider)
    remote = await provider.job(job.remote_id)
    events = await provider.new_events(job.remote_id, await tuning_rows.known_events(tools.database, job.id))
    step, total = _progress(events)
    note = _note(job, remote)
    if events or remote.status != job.status or job.note != note:
        changed = {"status": remote.status, "step": step or job.step, "total_steps": total or job.total_steps}
        await tuning_rows.add_events(tools.database, job.id, events, **changed, note=note)
    if remote.status in (SUCCEEDED, FAILED, CANCELLED):
        return await _end(tools, job, provider, remote)
    if events and provider.profile.is_local:
        await snapshots.take(tools.database, tools.templates, job, provider)
    return bool(events)


def _note(job: JobRow, remote: RemoteJob) -> str:
    """What is unusual about an unfinished job, serialized; else empty."""
    if remote.status not in (*STATUSES, SUCCEEDED, FAILED, CANCELLED):
        return serialize(UNKNOWN_STATUS, status=remote.status)
    return serialize(N_("The job has been going on for more than a day.")) if time() - job.at > UNUSUALLY_LONG else ""


def _progress(events: list[EventRow]) -> tuple[int, int]:
    """The step of the newest metrics, and the number of steps; 0 where none has them."""
    for event in reversed(events):
        data = read_json(event.data)
        if event.kind == "metrics" and _is_count(data.get("step")):
            total = data.get("total_steps")
            return data["step"], total if _is_count(total) else 0
    return 0, 0


def _is_count(value: Any) -> bool:
    """Whether a value is a number of steps that the database can hold."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


async def _end(tools: JobTools, job: JobRow, provider: Provider, remote: RemoteJob) -> bool:
    """Store the model and the real cost of a job that its provider has finished, or the reason why it failed."""
    if remote.status == SUCCEEDED and not remote.model and not provider.profile.deploys:
        raise TemporaryError("The job has succeeded and names no model yet; the bot asks again.")
    usd = _real_cost(job, remote.trained_tokens)
    nanodollars = None if usd is None else int(usd * NANO)
    end: dict[str, Any] = {"trained_tokens": remote.trained_tokens, "nanodollars": nanodollars}
    if remote.status == CANCELLED:
        end |= {"state": "cancelled", "ended": time()}
    elif remote.status == FAILED:
        why = remote.failure.lstrip(MARK)[:2_000] or serialize(N_("The provider gave no reason."))
        end |= {"state": "failed", "ended": time(), "error": why}
    else:
        end |= {"state": "deploying" if provider.profile.deploys else "scoring", "model": remote.model, "note": ""}
        if not provider.profile.deploys:
            await tuning_rows.add_model(tools.database, _model(job, remote.model))
    bill = Bill(job.id, time(), job.user_id, job.base, nanodollars) if nanodollars else None
    _moved, paid = await tuning_rows.end_training(tools.database, job.id, "running", bill, **end)
    if bill is not None and paid:
        tools.ledger.add_bill(bill)
    return True


def _real_cost(job: JobRow, trained_tokens: int | None) -> Decimal | None:
    """The cost of training in US dollars, by the provider's count of tokens; None where the price is not known."""
    price = tunable(job.base, job.provider).training
    return None if price is None or trained_tokens is None else price * trained_tokens / 1_000_000


def _model(job: JobRow, name: str) -> ModelRow:
    return ModelRow(name, job.corpus, job.provider, job.base, job.parent, job.dataset_id, job.id, job.lesson, time())


async def deploy(tools: JobTools, job: JobRow) -> bool:
    """Deploy the model, where a provider wants that, and wait until it answers."""
    provider = await tools.providers.get(job.provider)
    wanted = f"fewshot-{job.corpus}-{job.id[:8]}"
    status, name = await provider.deployed(job.remote_id, job.base, wanted)
    if status in BROKEN:
        raise VanishedError(
            "{provider} could not deploy the model ({status}).", provider=_(provider.profile.title), status=status
        )
    if status not in ACTIVE:
        return False
    await tuning_rows.add_model(tools.database, _model(job, name))
    return await tuning_rows.advance_job(tools.database, job.id, "deploying", state="scoring", model=name)


async def score(tools: JobTools, job: JobRow) -> bool:
    """Score the new model. If that fails, the job still succeeds, and the model can be scored later."""
    provider = await tools.providers.get(job.provider)
    model = await lineage.get_model(tools.database, job.model)
    note = ""
    try:
        await tools.scorer.score(
            model,
            provider,
            Caller(job.user_id),
            lambda done, total: tuning_rows.set_scored(tools.database, job.id, done, total),
        )
    except StorageError:
        raise
    except FewshotError as error:
        note = serialize(N_("The model was not scored: {why}"), why=serialize_error(error))
    return await tuning_rows.advance_job(tools.database, job.id, "scoring", state="done", note=note, ended=time())


STEPS: Mapping[str, Callable[[JobTools, JobRow], Awaitable[bool]]] = {
    "uploading": upload,
    "creating": create,
    "running": poll,
    "deploying": deploy,
    "scoring": score,
}
# The steps that fail after `STEP_TIMEOUT`.
STEPS_WITH_TIMEOUT = ("uploading", "creating")


# --- the runner


@dataclass(slots=True)
class _Failures:
    """Errors of a job since its last successful step: how often it was not found, and since when each kind lasts."""

    missing: int = 0
    since: dict[str, float] = field(default_factory=dict)

    def seconds(self, kind: str) -> float:
        """The seconds since the first error of this kind; 0 for the first."""
        began = self.since.setdefault(kind, monotonic())
        return monotonic() - began

    def clear(self) -> None:
        """Reset, after a successful step."""
        self.missing = 0
        self.since.clear()


class JobRunner:
    """Takes the steps of jobs; one for the process. It leaves them to workers while one is alive."""

    def __init__(self, tools: JobTools, workers: Workers) -> None:
        self._tools, self._workers = tools, workers
        self._holder = workers.holder
        self._running: dict[str, asyncio.Task[None]] = {}
        # By job: why this process stopped running it, if that could not be stored in the database.
        self._errors: dict[str, FewshotError] = {}
        self._beginning = asyncio.Lock()

    async def run(self) -> None:
        """Run every unfinished job that no other process runs, until cancelled.

        When a worker appears, it gets them: their steps can be cut off anywhere.
        """
        while True:
            pause = LIST_INTERVAL
            try:
                jobs = await tuning_rows.unfinished_jobs(self._tools.database)
                if jobs and await self._workers.are_others_alive():
                    await self.close()
                else:
                    for job in jobs:
                        await self.begin(job.id)
                if not jobs and not self._workers.is_worker:
                    pause = IDLE_LIST_INTERVAL
            except StorageError as error:
                _log.error("jobs wait for the database: %s", error)
            await asyncio.sleep(pause)

    async def begin(self, job_id: str) -> bool:
        """Begin to run a job in the background; False where another process does, or a worker will."""
        if await self._workers.are_others_alive():
            return False
        async with self._beginning:  # A second call for the job, at the same time, finds its task.
            task = self._running.get(job_id)
            if task is not None and not task.done():
                return True
            if not await tuning_rows.acquire_lease(self._tools.database, job_id, self._holder, LEASE):
                return False
            self._errors.pop(job_id, None)
            self._running[job_id] = asyncio.create_task(self._run(job_id), name=f"job-{job_id}")
            return True

    async def close(self) -> None:
        """Stop, and release the leases; the jobs continue at their providers."""
        tasks = [task for task in self._running.values() if not task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for job_id in self._running:
            with contextlib.suppress(StorageError):
                await tuning_rows.release_lease(self._tools.database, job_id, self._holder)

    async def watch(self, job_id: str) -> AsyncIterator[JobRow]:
        """The job whenever it has changed, until it is over; this process runs it where no other does.

        Raises the reason if this process had to stop the job and could not store that in the database.
        """
        shown: JobRow | None = None
        while True:
            job = await tuning_rows.get_job(self._tools.database, job_id)
            if job is None:
                raise VanishedError("There is no job {job}.", job=job_id[:40])
            task = self._running.get(job.id)
            if job.over and task is not None:
                await asyncio.wait([task])
            elif job.id in self._errors:
                raise self._errors.pop(job.id)
            elif not job.over and not await tuning_rows.is_held(self._tools.database, job.id):
                await self.begin(job.id)
            if shown is None or (job.touched, job.state) != (shown.touched, shown.state):
                yield job
                shown = job
            if job.over:
                return
            await asyncio.sleep(POLL_INTERVAL)

    async def _run(self, job_id: str) -> None:
        """Take step after step until the job is over, or another process has it."""
        database = self._tools.database
        await hold(
            self._steps(job_id),
            f"job:{job_id}",
            LEASE,
            lambda: tuning_rows.acquire_lease(database, job_id, self._holder, LEASE),
            lambda: tuning_rows.release_lease(database, job_id, self._holder),
        )

    async def _steps(self, job_id: str) -> None:
        pause, trouble = 0.0, _Failures()
        while True:
            moved, state, profile = False, "", None
            try:
                job = await tuning_rows.get_job(self._tools.database, job_id)
                if job is None or job.over or job.holder != self._holder:
                    return
                state, profile = job.state, PROFILES[job.provider]
                moved = await self._step(job, trouble)
                trouble.since.pop("storage", None)
            except StorageError as error:
                _log.error("job %s waits for the database: %s", job_id, error)
                if trouble.seconds("storage") > STORAGE_TIMEOUT:
                    self._errors.setdefault(job_id, error)
                if job_id in self._errors:
                    return
            first, longest = (profile.first_pause, profile.longest_pause) if profile else (1.0, 5.0)
            pause = first if moved else min(max(pause, first) * BACKOFF, longest)
            if not moved or state == "running":
                await asyncio.sleep(pause)

    async def _step(self, job: JobRow, trouble: _Failures) -> bool:
        """Take the job's next step; returns whether it led on. Errors of the provider become the job's note or end."""
        try:
            moved = await STEPS[job.state](self._tools, job)
            trouble.clear()
            return moved
        except TemporaryError as error:
            waited = trouble.seconds("provider")
            ended = isinstance(error, FileNotReadyError) and await self._file_is_refused(job, trouble)
            if ended or (job.state in STEPS_WITH_TIMEOUT and waited > STEP_TIMEOUT):
                await self._give_up(job, error)
            elif job.note != (note := serialize_error(error)):
                await tuning_rows.change_job(self._tools.database, job.id, note=note)
        except VanishedError as error:
            trouble.missing += 1
            if trouble.missing >= MAX_NOT_FOUND or job.state != "running":
                why = serialize(N_("{why} The job is counted as failed."), why=serialize_error(error))
                await self._fail(job, why)
        except StorageError:
            raise
        except FewshotError as error:
            await self._fail(job, serialize_error(error))
        return False

    async def _file_is_refused(self, job: JobRow, trouble: _Failures) -> bool:
        """Whether a file that the provider does not take will not be taken by waiting either."""
        waited = trouble.seconds("file")
        provider = await self._tools.providers.get(job.provider)
        states = {await provider.file_status(file) for file in (job.training_file, job.validation_file) if file}
        if states & FILE_BROKEN:
            return True
        ready = bool(states) and states <= FILE_READY
        return waited > (READY_FILE_TIMEOUT if ready else FILE_TIMEOUT)

    async def _give_up(self, job: JobRow, error: TemporaryError) -> None:
        """Fail a job whose provider does not take what was uploaded, or cannot be asked for too long."""
        provider = await self._tools.providers.get(job.provider)
        if isinstance(error, FileNotReadyError):
            await _delete(provider, job.training_file, job.validation_file)
            why = N_("{provider} did not take the uploaded file. Check it with `fewshot dataset check`.")
        else:
            why = N_("{provider} could not be asked for an hour. Start the job again later.")
        await self._fail(job, serialize(why, provider=provider.profile.title))

    async def _fail(self, job: JobRow, why: str) -> None:
        try:
            await tuning_rows.advance_job(
                self._tools.database, job.id, job.state, state="failed", error=why, note="", ended=time()
            )
        except StorageError:
            self._errors[job.id] = TuningError(localize(why))
            raise
        _log.warning("job %s failed: %s", job.id, localize(why))
