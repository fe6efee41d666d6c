"""A fine-tuning job's record, and its form on the wire."""

import secrets
import time
from typing import Any, ClassVar, Literal

from pydantic import BaseModel

BASE_MODEL = "pocket-gpt"
OWNER = "local"

Status = Literal["validating_files", "queued", "running", "pausing", "paused", "succeeded", "failed", "cancelled"]
Number = int | float | Literal["auto"]
ENDED: frozenset[Status] = frozenset({"succeeded", "failed", "cancelled"})


class Failure(BaseModel):
    """Why a job failed: a code for programs, a sentence for people, the parameter at fault if one is."""

    code: str
    message: str
    param: str | None = None


class Checkpoint(BaseModel):
    """A usable model from the middle of a job. `folder` is below the job's `run/steps`."""

    METRICS: ClassVar = (
        "step",
        "train_loss",
        "train_mean_token_accuracy",
        "valid_loss",
        "valid_mean_token_accuracy",
        "full_valid_loss",
        "full_valid_mean_token_accuracy",
    )

    id: str
    created_at: int
    step: int
    folder: str
    metrics: dict[str, float | None]


class Job(BaseModel):
    """One job, as it is kept on disk. Times are in Unix seconds."""

    id: str
    created_at: int
    # The queue's order, finer than the wire's whole seconds.
    arrived: float
    model: str
    training_file: str
    validation_file: str | None = None
    suffix: str = ""
    seed: int
    metadata: dict[str, str] | None = None
    hyperparameters: dict[str, Number]
    status: Status = "validating_files"
    error: Failure | None = None
    finished_at: int | None = None
    estimated_finish: int | None = None
    fine_tuned_model: str | None = None
    model_deleted: bool = False
    result_files: list[str] = []
    trained_tokens: int | None = None
    checkpoints: list[Checkpoint] = []

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in ENDED

    def stands(self, *statuses: Status) -> bool:
        """Whether the status, which others change while one waits, is now one of these."""
        return self.status in statuses

    @property
    def model_name(self) -> str:
        """The name that the tuned model has, or will have: `ft:pocket-gpt:local:suffix:1a2b3c4d`."""
        return f"ft:{BASE_MODEL}:{OWNER}:{self.suffix}:{self.id[-8:]}"

    def checkpoint_name(self, checkpoint: Checkpoint) -> str:
        """The name that a checkpoint answers under."""
        return f"{self.model_name}:ckpt-step-{checkpoint.step}"

    def end(self, status: Literal["succeeded", "failed", "cancelled"], failure: Failure | None = None) -> None:
        """The job's last change."""
        self.status, self.error = status, failure
        self.finished_at, self.estimated_finish = int(time.time()), None

    def wire(self) -> dict[str, Any]:
        """The job as `fine_tuning.job`. Once it has succeeded, each `auto` has its value in place."""
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
    """A fresh id such as `ftjob-…`: 96 random bits."""
    return f"{prefix}-{secrets.token_hex(12)}"
