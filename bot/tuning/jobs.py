"""A job's steps, each of which may be cut off anywhere and taken again without harm.

uploading → creating → running → (deploying) → scoring → done; or failed, or cancelled. What a step found out is
in the database before the next begins. What cannot be repeated is looked for first: an uploaded file by its
name, a job by the run key in its metadata.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from time import time
from typing import Any

from bot.core.errors import FewshotError, StorageError
from bot.core.i18n import N_, _
from bot.llm.template import ChatTemplate
from bot.storage import tuning as tuning_rows
from bot.storage.calls import Bill
from bot.storage.database import Database
from bot.storage.datasets import DatasetRow, PairRow
from bot.storage.tuning import EventRow, JobRow
from bot.tuning import lineage
from bot.tuning.billing import Purse
from bot.tuning.errors import AgainError, RefusedError, TuningError, VanishedError
from bot.tuning.lessons import LESSONS
from bot.tuning.localized_text import MARK, kept, kept_error
from bot.tuning.profiles import tunable
from bot.tuning.provider_client import Remote, Wire
from bot.tuning.render import TUNED, training_row
from bot.tuning.rows import as_lines
from bot.tuning.score import Scorer

NANO = 1_000_000_000
# The provider's words for an end; any other status, an unknown one too, means that the job still goes on.
SUCCEEDED, FAILED, CANCELLED = "succeeded", "failed", "cancelled"
# What a deploy step may say before and instead of being ready.
ACTIVE, BROKEN = ("active", "ready", "deployed"), ("error", "failed")
# Seconds after which a job that goes on is said to be unusual.
LONG = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Bench:
    """What the steps work with."""

    database: Database
    templates: Mapping[str, ChatTemplate]
    purse: Purse
    scorer: Scorer
    wire: Callable[[str], Awaitable[Wire]]


async def upload(bench: Bench, job: JobRow) -> bool:
    """Put the training rows, and the validation rows where there are any, where the provider can read them."""
    wire = await bench.wire(job.provider)
    if job.parent == "" and await wire.may_tune(job.base) is False:
        raise RefusedError(
            "{provider} does not let this account tune {model}; nothing was uploaded.",
            provider=_(wire.profile.title),
            model=job.base,
        )
    train, validation = await files_of(bench, job)
    training_id = await _uploaded(wire, f"{job.id}-train.jsonl", train)
    validation_id = await _uploaded(wire, f"{job.id}-validation.jsonl", validation) if validation else ""
    files = {"training_file": training_id, "validation_file": validation_id}
    moved = await tuning_rows.advance_job(bench.database, job.id, "uploading", state="creating", **files)
    if not moved and await _cancelled(bench, job):
        await _delete(wire, training_id, validation_id)
    return moved


async def _cancelled(bench: Bench, job: JobRow) -> bool:
    """Whether the job was cancelled here during a step; else another process took the step, and its work counts."""
    now = await tuning_rows.get_job(bench.database, job.id)
    return now is None or now.over


async def _uploaded(wire: Wire, name: str, data: bytes) -> str:
    return await wire.find_file(name) or await wire.upload(name, data)


async def _delete(wire: Wire, *files: str) -> None:
    """Take back what was uploaded for nothing."""
    for file_id in filter(None, files):
        await wire.delete_file(file_id)


async def files_of(bench: Bench, job: JobRow) -> tuple[bytes, bytes]:
    """The bytes of the training file and of the validation file; the same whenever they are made."""
    train, validation, dataset = await pairs_of(bench.database, job)
    template = bench.templates[TUNED]
    made = [
        as_lines(training_row(template, pair, job.corpus, dataset.refusal) for pair in pairs).encode()
        for pairs in (train, validation)
    ]
    return made[0], made[1]


async def pairs_of(database: Database, job: JobRow) -> tuple[list[PairRow], list[PairRow], DatasetRow]:
    """What a job trains on and validates with: its dataset and the replayed ones, changed as its lesson wants."""
    dataset = await lineage.dataset(database, job.dataset_id)
    ids = await lineage.dataset_ids(database, job.dataset_id, job.parent)
    train, validation = await lineage.training_pairs(database, ids)
    if job.lesson:
        train = LESSONS[job.lesson].rows(train)
    return train, validation, dataset


async def create(bench: Bench, job: JobRow) -> bool:
    """Create the job, once. A refusal deletes the files that were uploaded for nothing."""
    wire = await bench.wire(job.provider)
    remote = await wire.find_job(job.id)
    if remote is None:
        try:
            settings = json.loads(job.hyperparameters)
            remote = await wire.create(job.id, job.base, job.training_file, job.validation_file, settings)
        except AgainError:
            raise
        except TuningError as error:
            await _delete(wire, job.training_file, job.validation_file)
            if isinstance(error, VanishedError):
                raise TuningError(
                    "{provider} has no model {model} that could be tuned.",
                    provider=_(wire.profile.title),
                    model=job.base,
                ) from error
            raise
    moved = await tuning_rows.advance_job(
        bench.database, job.id, "creating", state="running", remote_id=remote.id, status=remote.status
    )
    if not moved and await _cancelled(bench, job):
        await wire.cancel(remote.id)
    return moved


async def look(bench: Bench, job: JobRow) -> bool:
    """Read how the job stands and what it told; whether anything was new."""
    wire = await bench.wire(job.provider)
    remote = await wire.job(job.remote_id)
    events = await wire.new_events(job.remote_id, await tuning_rows.known_events(bench.database, job.id))
    step, total = _progress(events)
    changed: dict[str, str | int] = {"status": remote.status, "step": step or job.step}
    changed["total_steps"] = total or job.total_steps
    changed["note"] = kept(N_("The job has been going on for more than a day.")) if time() - job.at > LONG else ""
    if events or remote.status != job.status or job.note != changed["note"]:
        await tuning_rows.add_events(bench.database, job.id, events, **changed)
    if remote.status in (SUCCEEDED, FAILED, CANCELLED):
        return await _ended(bench, job, wire, remote)
    return bool(events)


def _progress(events: list[EventRow]) -> tuple[int, int]:
    """The step that the newest figures are of, and how many there will be; 0 where none tells."""
    for event in reversed(events):
        data = json.loads(event.data)
        if event.kind == "metrics" and isinstance(data.get("step"), int):
            total = data.get("total_steps")
            return data["step"], total if isinstance(total, int) else 0
    return 0, 0


async def _ended(bench: Bench, job: JobRow, wire: Wire, remote: Remote) -> bool:
    """The provider is done with the job: record the model and the real cost, or the reason."""
    if remote.status == SUCCEEDED and not remote.model and not wire.profile.deploys:
        raise AgainError("The job has succeeded and names no model yet; the bot asks again.")
    usd = real_cost(job, remote.trained_tokens)
    nanodollars = None if usd is None else int(usd * NANO)
    end: dict[str, Any] = {"trained_tokens": remote.trained_tokens, "nanodollars": nanodollars}
    if remote.status == CANCELLED:
        end |= {"state": "cancelled", "ended": time()}
    elif remote.status == FAILED:
        why = remote.failure.lstrip(MARK) or kept(N_("The provider gave no reason."))
        end |= {"state": "failed", "ended": time(), "error": why}
    else:
        end |= {"state": "deploying" if wire.profile.deploys else "scoring", "model": remote.model}
        if not wire.profile.deploys:
            await tuning_rows.add_model(bench.database, _model(job, remote.model))
    bill = Bill(job.id, time(), job.user_id, job.base, nanodollars) if nanodollars else None
    _moved, paid = await tuning_rows.end_training(bench.database, job.id, "running", bill, **end)
    if bill is not None and paid:
        bench.purse.paid(bill)
    return True


def real_cost(job: JobRow, trained_tokens: int | None) -> Decimal | None:
    """What training cost in US dollars, from the tokens that the provider counted; None where a price is not known."""
    price = tunable(job.base, job.provider).training
    return None if price is None or trained_tokens is None else price * trained_tokens / 1_000_000


def _model(job: JobRow, name: str) -> tuning_rows.ModelRow:
    return tuning_rows.ModelRow(
        name, job.corpus, job.provider, job.base, job.parent, job.dataset_id, job.id, job.lesson, time()
    )


async def deploy(bench: Bench, job: JobRow) -> bool:
    """Where a provider serves a model only once it is deployed: deploy it, and wait until it answers."""
    wire = await bench.wire(job.provider)
    wanted = f"fewshot-{job.corpus}-{job.id[:8]}"
    status, name = await wire.deployed(job.remote_id, job.base, wanted)
    if status in BROKEN:
        raise VanishedError(
            "{provider} could not deploy the model ({status}).", provider=_(wire.profile.title), status=status
        )
    if status not in ACTIVE:
        return False
    await tuning_rows.add_model(bench.database, _model(job, name))
    return await tuning_rows.advance_job(bench.database, job.id, "deploying", state="scoring", model=name)


async def score(bench: Bench, job: JobRow) -> bool:
    """Score the new model. A model that cannot be scored now is there all the same, and can be scored later."""
    wire = await bench.wire(job.provider)
    model = await lineage.model(bench.database, job.model)
    note = ""
    try:
        await bench.scorer.score(
            model,
            wire.chat,
            job.user_id,
            lambda done, total: tuning_rows.set_scored(bench.database, job.id, done, total),
        )
    except StorageError:
        raise
    except FewshotError as error:
        note = kept(N_("The model was not scored: {why}"), why=kept_error(error))
    return await tuning_rows.advance_job(bench.database, job.id, "scoring", state="done", note=note, ended=time())


STEPS: Mapping[str, Callable[[Bench, JobRow], Awaitable[bool]]] = {
    "uploading": upload,
    "creating": create,
    "running": look,
    "deploying": deploy,
    "scoring": score,
}
