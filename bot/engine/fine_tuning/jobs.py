"""A fine-tuning job's record, the body that makes one, its events, and the store of all jobs."""

import asyncio
import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints, ValidationInfo, field_validator

from bot.core.errors import InputError
from bot.engine import disk
from bot.engine.chat import MAX_MODEL_NAME
from bot.engine.errors import NO_RETRY, APIError, invalid_value
from bot.engine.files import FileStore
from bot.engine.fine_tuning.worker import RUN
from bot.engine.lora.bases import Base, base_name
from bot.engine.pocket.config import check_range
from bot.engine.requests import StrictModel, validate

BASE_MODEL = "pocket-gpt"
OWNER = "local"

# One job is trained at a time. The bound stops a faulty client from filling the disk.
MAX_UNFINISHED = 20
# Jobs without a model are deleted beyond this number, the oldest first.
MAX_KEPT = 200
MAX_MODELS = 100
# OpenAI's own bounds for metadata (API reference, 2026-11-22).
MAX_METADATA = 16
MetadataKey = Annotated[str, StringConstraints(max_length=64)]
MetadataValue = Annotated[str, StringConstraints(max_length=512)]
# A suffix becomes a part of the model's name, between colons.
SUFFIX = r"^[A-Za-z0-9_-]{1,64}$"
MAX_SEED = 2**31 - 1

Status = Literal["validating_files", "queued", "running", "pausing", "paused", "succeeded", "failed", "cancelled"]
Hyperparameter = int | float | Literal["auto"]
ENDED: frozenset[Status] = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Start:
    """What a job begins with.

    `model` is the base's name. `weights` are its open weights, None for the pocket GPT. `folder` holds the tuned model
    to go on from, or is None.
    """

    model: str
    weights: Base | None
    folder: Path | None


class JobError(BaseModel):
    """Why a job failed: a code for programs, a sentence for people, the parameter at fault if there is one."""

    code: str
    message: str
    param: str | None = None


class Checkpoint(BaseModel):
    """A usable model from the middle of a job. `folder` is below the job's `run/steps`."""

    id: str
    created_at: int
    step: int
    folder: str
    metrics: dict[str, float | None]


class Job(BaseModel):
    """One job, as it is kept on disk. Times are Unix seconds."""

    id: str
    created_at: int
    # The order of the queue; `created_at` has whole seconds only.
    arrived: float
    model: str
    # What `model` was tuned from in the end: the pocket GPT, or open weights as they were named first.
    base_model: str = BASE_MODEL
    training_file: str
    validation_file: str | None = None
    suffix: str = ""
    seed: int
    metadata: dict[str, str] | None = None
    hyperparameters: dict[str, Hyperparameter]
    status: Status = "validating_files"
    error: JobError | None = None
    finished_at: int | None = None
    estimated_finish: int | None = None
    fine_tuned_model: str | None = None
    model_deleted: bool = False
    result_files: list[str] = []
    trained_tokens: int | None = None
    checkpoints: list[Checkpoint] = []

    @property
    def ended(self) -> bool:
        """Whether the status is final."""
        return self.status in ENDED

    def is_in(self, *statuses: Status) -> bool:
        """Whether the status is now one of these. A request may have changed it during an `await`."""
        return self.status in statuses

    @property
    def has_model(self) -> bool:
        """Whether the job ended with a model that is not deleted."""
        return self.status == "succeeded" and not self.model_deleted

    @property
    def model_name(self) -> str:
        """The name that the tuned model has or will have: `ft:pocket-gpt:local:suffix:1a2b3c4d`."""
        return f"ft:{base_name(self.base_model)}:{OWNER}:{self.suffix}:{self.id[-8:]}"

    @property
    def is_adapter(self) -> bool:
        """Whether the job trains an adapter on open weights, and not a pocket GPT."""
        return self.base_model != BASE_MODEL

    def checkpoint_name(self, checkpoint: Checkpoint) -> str:
        """The model name of a checkpoint."""
        return f"{self.model_name}:ckpt-step-{checkpoint.step}"

    def end(self, status: Literal["succeeded", "failed", "cancelled"], error: JobError | None = None) -> None:
        """Sets the final status."""
        self.status, self.error = status, error
        self.finished_at, self.estimated_finish = int(time.time()), None

    def to_api(self) -> dict[str, Any]:
        """OpenAI's `fine_tuning.job` object. After success each `auto` is replaced by its value."""
        return {
            "id": self.id,
            "object": "fine_tuning.job",
            "created_at": self.created_at,
            "finished_at": self.finished_at,
            "estimated_finish": self.estimated_finish,
            "model": self.model,
            "fine_tuned_model": self.fine_tuned_model,
            "organization_id": OWNER,
            "status": self.status,
            "error": self.error.model_dump() if self.error else None,
            "hyperparameters": self.hyperparameters,
            "method": {"type": "supervised", "supervised": {"hyperparameters": self.hyperparameters}},
            "training_file": self.training_file,
            "validation_file": self.validation_file,
            "result_files": self.result_files,
            "trained_tokens": self.trained_tokens,
            "seed": self.seed,
            "metadata": self.metadata,
            "integrations": [],
        }


def new_id(prefix: str) -> str:
    """A fresh id such as `ftjob-…`, with 96 random bits."""
    return f"{prefix}-{secrets.token_hex(12)}"


class Hyperparameters(StrictModel):
    """Each is `auto` or a number within its bounds.

    OpenAI has neither `replay`, which only the pocket GPT has, nor `lora_rank`, which only adapters have.
    """

    n_epochs: Any = "auto"
    batch_size: Any = "auto"
    learning_rate_multiplier: Any = "auto"
    replay: Any = None
    lora_rank: Any = None

    @field_validator("*")
    @classmethod
    def _in_bounds(cls, value: Any, info: ValidationInfo) -> Any:
        name = str(info.field_name)
        if value is not None:
            try:
                check_range(name, value)
            except InputError as error:
                raise ValueError(str(error).rstrip(".")) from None
        return value

    def of(self, start: Start) -> dict[str, Hyperparameter]:
        """Those of a job that begins with `start`. Raises an `APIError` 400 for one that such a job does not have."""
        own, other, default = ("replay", "lora_rank", 1) if start.weights is None else ("lora_rank", "replay", "auto")
        if getattr(self, other) is not None:
            raise invalid_value(f"{start.model} has no {other}.", f"hyperparameters.{other}")
        chosen = self.model_dump(exclude={other})
        return chosen | {own: default if chosen[own] is None else chosen[own]}


class Supervised(StrictModel):
    """Settings of the only method."""

    hyperparameters: Hyperparameters = Hyperparameters()


class Method(StrictModel):
    """How to train. Preference and reinforcement tuning are refused by name."""

    type: Literal["supervised"]
    supervised: Supervised = Supervised()


class JobRequest(StrictModel):
    """The body of `POST /v1/fine_tuning/jobs`."""

    model: Annotated[str, Field(max_length=MAX_MODEL_NAME)]
    training_file: str
    validation_file: str | None = None
    suffix: Annotated[str, StringConstraints(pattern=SUFFIX)] | None = None
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] | None = None
    metadata: Annotated[dict[MetadataKey, MetadataValue], Field(max_length=MAX_METADATA)] | None = None
    method: Method | None = None
    hyperparameters: Hyperparameters | None = None


def new_job(body: dict[str, Any], files: FileStore, start_of: Callable[[str], Start]) -> Job:
    """The job that a body asks for, or an `APIError` that names what is wrong. `start_of` looks the base up."""
    request = validate(JobRequest, {name: value for name, value in body.items() if value is not None and value != []})
    if request.method is not None and request.hyperparameters is not None:
        raise invalid_value("Give the hyperparameters once: in method.", "hyperparameters")
    _check_files(request, files)
    # OpenAI's older place for hyperparameters is the top of the body.
    chosen = request.method.supervised.hyperparameters if request.method else request.hyperparameters
    start = start_of(request.model)
    now = time.time()
    return Job(
        id=new_id("ftjob"),
        created_at=int(now),
        arrived=now,
        model=request.model,
        base_model=start.model,
        training_file=request.training_file,
        validation_file=request.validation_file,
        suffix=request.suffix or "",
        seed=secrets.randbelow(MAX_SEED) if request.seed is None else request.seed,
        metadata=request.metadata,
        hyperparameters=(chosen or Hyperparameters()).of(start),
    )


def _check_files(request: JobRequest, files: FileStore) -> None:
    training = files.get(request.training_file, "training_file")
    named = [(training, "training_file")]
    if request.validation_file is not None:
        validation = files.get(request.validation_file, "validation_file")
        named.append((validation, "validation_file"))
        if validation.sha256 == training.sha256:
            raise invalid_value(
                "Training and validation are the same data, so the validation would say nothing.", "validation_file"
            )
    for file, param in named:
        if file.purpose != "fine-tune":
            raise invalid_value(f"{param} is not a file for fine-tuning.", param)


Level = Literal["info", "warn", "error"]
Event = dict[str, Any]


def message_event(text: str, level: Level = "info") -> Event:
    """An event with a sentence for people."""
    return _event(text, level, "message", None)


def step_events(line: dict[str, Any]) -> list[Event]:
    """The events of one training step: its metrics, and its note if it has one."""
    return [metrics_event(line), *([message_event(line["note"])] if line.get("note") else [])]


def metrics_event(line: dict[str, Any]) -> Event:
    """An event with the metrics of one training step, named as OpenAI names them.

    Losses are in nats per token. OpenAI has no `valid_exact_match`: the share of whole answers right.
    """
    data = {
        "step": line["step"],
        "total_steps": line["total_steps"],
        "train_loss": line["train_loss"],
        "train_mean_token_accuracy": line["train_accuracy"],
    }
    text = f"Step {line['step']}/{line['total_steps']}: training loss={line['train_loss']:.4f}"
    if line["valid_loss"] is not None:
        data |= {
            "valid_loss": line["valid_loss"],
            "valid_mean_token_accuracy": line["valid_accuracy"],
            "full_valid_loss": line["valid_loss"],
            "full_valid_mean_token_accuracy": line["valid_accuracy"],
            "valid_exact_match": line["valid_exact"],
        }
        text += f", validation loss={line['valid_loss']:.4f}"
    return _event(text, "info", "metrics", data)


def _event(text: str, level: Level, kind: str, data: dict[str, Any] | None) -> Event:
    return {
        "id": new_id("ftevent"),
        "object": "fine_tuning.job.event",
        "created_at": int(time.time()),
        "level": level,
        "message": text,
        "type": kind,
        "data": data,
    }


class JobStore:
    """All jobs, in memory and on disk: each a folder with `job.json` and `events.jsonl`."""

    def __init__(self, folder: Path) -> None:
        """Reads every job on disk, and repairs the event logs that a kill may have cut."""
        self._folder = folder
        disk.make_folder(folder)
        found = [disk.read_json(path) for path in folder.glob("*/job.json")]
        jobs = sorted((Job.model_validate(job) for job in found if job), key=lambda job: job.arrived)
        self._jobs = {job.id: job for job in jobs}
        for job in jobs:
            disk.repair_log(self._events_file(job))
        self.changed = asyncio.Event()
        """Set after every change; the runner clears it."""
        self.changed.set()

    def folder(self, job: Job) -> Path:
        """The folder of a job's files."""
        return self._folder / job.id

    def model_folder(self, job: Job) -> Path:
        """The folder of a job's finished model."""
        return self.folder(job) / RUN / "model"

    def checkpoint_folder(self, job: Job, checkpoint: Checkpoint) -> Path:
        """The folder of a checkpoint's model."""
        return self.folder(job) / RUN / "steps" / checkpoint.folder

    def all(self) -> list[Job]:
        """Every job, the newest first."""
        return list(reversed(self._jobs.values()))

    def oldest(self, *statuses: str) -> Job | None:
        """The oldest job with one of these statuses."""
        return next((job for job in self._jobs.values() if job.status in statuses), None)

    def get(self, job_id: str) -> Job:
        """One job, or an `APIError` 404."""
        try:
            return self._jobs[job_id]
        except KeyError:
            raise APIError(
                f"There is no fine-tuning job {job_id[:100]!r}.",
                status=404,
                code="fine_tune_not_found",
                param="fine_tuning_job_id",
            ) from None

    def add(self, job: Job) -> None:
        """Stores a new job. At the limit of jobs or models, raises an `APIError` 429 that clients do not retry."""
        if sum(not other.ended for other in self._jobs.values()) >= MAX_UNFINISHED:
            raise _limit_reached(f"{MAX_UNFINISHED} jobs are unfinished already; wait for one, or cancel one.")
        if sum(other.has_model for other in self._jobs.values()) >= MAX_MODELS:
            raise _limit_reached(f"{MAX_MODELS} tuned models are kept already; delete one first.")
        disk.make_folder(self.folder(job))
        self._jobs[job.id] = job
        try:
            self.record(job, f"Created fine-tuning job: {job.id}")
        except OSError:
            self._delete(job)
            raise
        removable = [other for other in self._jobs.values() if other.ended and not other.has_model]
        for other in removable[: max(0, len(removable) - MAX_KEPT)]:
            self._delete(other)

    def _delete(self, job: Job) -> None:
        del self._jobs[job.id]
        shutil.rmtree(self.folder(job), ignore_errors=True)

    def record(self, job: Job, text: str, level: Level = "info") -> None:
        """Saves a job that has changed, with an event that says what happened."""
        self.add_events(job, [message_event(text, level)])
        self.save(job)

    def save(self, job: Job) -> None:
        """Saves a job that has changed, and tells the runner."""
        disk.write_json(self.folder(job) / "job.json", job.model_dump())
        self.changed.set()

    def add_events(self, job: Job, events: Sequence[Event]) -> None:
        """Appends events to a job's log."""
        disk.append_lines(self._events_file(job), events)

    def events(self, job: Job) -> list[Event]:
        """Every event of a job, the oldest first."""
        return disk.read_lines(self._events_file(job))

    def last_step(self, job: Job) -> int:
        """The last step that has an event; 0 before the first."""
        return max((event["data"]["step"] for event in self.events(job) if event["type"] == "metrics"), default=0)

    def _events_file(self, job: Job) -> Path:
        return self.folder(job) / "events.jsonl"


def _limit_reached(why: str) -> APIError:
    return APIError(why, status=429, kind="rate_limit_error", code="rate_limit_exceeded", headers=NO_RETRY)
