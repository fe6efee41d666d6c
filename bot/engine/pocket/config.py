"""The settings of a training run, its metrics and its result. Imports no numpy, so that a server may import it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from bot.core.errors import InputError

Row = dict[str, Any]
"""A chat example: `{"messages": [...]}`."""
Auto = Literal["auto"]

MAX_EPOCHS = 100
MAX_BATCH = 256
MAX_LR_MULTIPLIER = 10.0
MAX_ROWS = 10_000
"""More rows take hours, and a model of this size cannot hold their facts."""
MAX_RANK = 256
BOUNDS: Mapping[str, tuple[float, float]] = {
    "n_epochs": (1, MAX_EPOCHS),
    "batch_size": (1, MAX_BATCH),
    "learning_rate_multiplier": (0.01, MAX_LR_MULTIPLIER),
    "replay": (0, 1),
    "lora_rank": (1, MAX_RANK),
}
"""The least and the most of each hyperparameter. All but the learning rate's multiplier are whole numbers."""


@dataclass(frozen=True)
class TrainConfig:
    """How to train. With `n_epochs="auto"` training ends once the validation score has stopped rising."""

    n_epochs: int | Auto = "auto"
    batch_size: int | Auto = "auto"
    learning_rate_multiplier: float | Auto = "auto"
    seed: int = 0
    base: Path | None = None
    """The folder of a finished model to continue from. Its rows are trained again together with the new ones."""
    replay: int = 1
    """1 trains the base model's rows again; 0 trains only the new rows, and the model forgets the old ones."""
    checkpoint_seconds: float = 3.0
    """Time between checkpoints. It does not change the result."""
    keep_models: int = 3
    """How many of the newest models that were saved after evaluations are kept; 0 saves none."""

    def __post_init__(self) -> None:
        """Raises an `InputError` that names the first value out of range."""
        for name in ("n_epochs", "batch_size", "learning_rate_multiplier", "replay"):
            check_range(name, getattr(self, name))

    def identity(self) -> dict[str, Any]:
        """The settings that the result depends on. A checkpoint is resumed only by a run of equal settings."""
        settings = asdict(self)
        settings["base"] = str(self.base) if self.base else None
        del settings["checkpoint_seconds"], settings["keep_models"]
        return settings


def check_range(name: str, value: Any) -> None:
    """Raises an `InputError` for a hyperparameter that is neither `auto` nor within its bounds."""
    if value == "auto":
        return
    low, high = BOUNDS[name]
    whole = name != "learning_rate_multiplier"
    kind = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:
        number = "a whole number" if whole else "a number"
        raise InputError(f"{name} must be `auto` or {number} from {low:g} to {high:g}.")


@dataclass(frozen=True)
class StepMetrics:
    """One step of training. The validation figures are set on steps that end with an evaluation."""

    step: int
    total_steps: int
    """As planned at this step: `auto` lowers it once the validation score has stopped rising."""
    epoch: int
    train_loss: float
    """Cross-entropy in nats per token, over the batch."""
    train_accuracy: float
    """The share of the batch's answer tokens that are predicted right, given the right tokens before them."""
    valid_loss: float | None = None
    valid_accuracy: float | None = None
    valid_exact: float | None = None
    """The share of validation rows whose whole answer is right, token by token."""
    model: Path | None = None
    """The folder of the model that was saved after this step, if one was."""
    note: str = ""
    """A sentence for the job's events, such as how long the rest will take."""


@dataclass
class TrainState:
    """The counters of a run. A checkpoint holds these, the weights and the optimizer's state."""

    n_epochs: int
    """The epoch at which the learning rate has fallen to zero and the run ends."""
    decay_from: int
    """The epoch from which the learning rate falls."""
    step: int = 0
    epoch: int = 0
    """Complete epochs."""
    epoch_step: int = 0
    """Steps of the epoch that is not complete."""
    best_exact: float = -1.0
    evals_since_best: int = 0
    loss_sum: float = 0.0
    """Sum over `loss_steps` steps of the last epoch that was begun."""
    loss_steps: int = 0
    trained_tokens: int = 0
    """Question and answer tokens seen in training, as a provider bills them."""
    valid_loss: float | None = None
    valid_exact: float | None = None


@dataclass(frozen=True)
class TrainResult:
    """The end of a run. `model` is None when `should_stop` ended it; the checkpoint is then on disk."""

    model: Path | None
    state: TrainState
    resolved: dict[str, float]
    """The hyperparameters with every `auto` replaced by its value."""
