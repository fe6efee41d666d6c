"""The body of a new fine-tuning job, checked."""

import secrets
import time
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationError, ValidationInfo, field_validator

from bot.core.errors import InputError
from bot.engine.body import Strict, first_problem
from bot.engine.errors import WireError
from bot.engine.files import FileStore
from bot.engine.jobs.job import Job, Number, new_id
from bot.engine.pocket.config import Config

# OpenAI's own bounds for metadata (API reference, 2026-11-22).
MAX_METADATA = 16
Key = Annotated[str, StringConstraints(max_length=64)]
Value = Annotated[str, StringConstraints(max_length=512)]
# A suffix becomes a part of the model's name, between colons.
SUFFIX = r"^[A-Za-z0-9_-]{1,64}$"
MAX_SEED = 2**31 - 1


class Hyperparameters(Strict):
    """Each `auto` or a number; the pocket GPT's own bounds hold. `replay` is its own, and OpenAI has none."""

    n_epochs: Any = "auto"
    batch_size: Any = "auto"
    learning_rate_multiplier: Any = "auto"
    replay: Any = 1

    @field_validator("*")
    @classmethod
    def _in_bounds(cls, value: Any, info: ValidationInfo) -> Any:
        try:
            Config(**{str(info.field_name): value})
        except InputError as error:
            raise ValueError(str(error).rstrip(".")) from None
        return value


class Supervised(Strict):
    """Settings of the only method there is."""

    hyperparameters: Hyperparameters = Hyperparameters()


class Method(Strict):
    """How to train; preference and reinforcement tuning are refused by name."""

    type: Literal["supervised"]
    supervised: Supervised = Supervised()


class JobRequest(Strict):
    """What a client may send."""

    model: str
    training_file: str
    validation_file: str | None = None
    suffix: Annotated[str, StringConstraints(pattern=SUFFIX)] | None = None
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] | None = None
    metadata: Annotated[dict[Key, Value], Field(max_length=MAX_METADATA)] | None = None
    method: Method | None = None
    hyperparameters: Hyperparameters | None = None

    @property
    def chosen(self) -> dict[str, Number]:
        """The hyperparameters, from `method` or from their older place at the top."""
        if self.method is not None:
            return self.method.supervised.hyperparameters.model_dump()
        return (self.hyperparameters or Hyperparameters()).model_dump()


def new_job(body: dict[str, Any], files: FileStore) -> Job:
    """The job that a body asks for, or a `WireError` that names what is wrong. The base is not looked up here."""
    given = {name: value for name, value in body.items() if value is not None and value != []}
    try:
        wanted = JobRequest(**given)
    except ValidationError as error:
        raise first_problem(error) from None
    if wanted.method is not None and wanted.hyperparameters is not None:
        raise WireError("Give the hyperparameters once: in method.", code="invalid_value", param="hyperparameters")
    _check_files(wanted, files)
    now = time.time()
    return Job(
        id=new_id("ftjob"),
        created_at=int(now),
        arrived=now,
        model=wanted.model,
        training_file=wanted.training_file,
        validation_file=wanted.validation_file,
        suffix=wanted.suffix or "",
        seed=secrets.randbelow(MAX_SEED) if wanted.seed is None else wanted.seed,
        metadata=wanted.metadata,
        hyperparameters=wanted.chosen,
    )


def _check_files(wanted: JobRequest, files: FileStore) -> None:
    training = files.get(wanted.training_file, "training_file")
    others = [(training, "training_file")]
    if wanted.validation_file is not None:
        validation = files.get(wanted.validation_file, "validation_file")
        others.append((validation, "validation_file"))
        if validation.sha256 == training.sha256:
            raise WireError(
                "Training and validation are the same data, so the validation would say nothing.",
                code="invalid_value",
                param="validation_file",
            )
    for file, param in others:
        if file.purpose != "fine-tune":
            raise WireError(f"{param} is not a file for fine-tuning.", code="invalid_value", param=param)
