"""What goes into training and what comes out; light, so that a server can import it without numpy."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from bot.core.errors import InputError

Row = dict[str, Any]
Auto = Literal["auto"]

MAX_EPOCHS = 100
MAX_BATCH = 256
MAX_RATE = 10.0
MAX_ROWS = 10_000
"""More rows would take hours, and the model has no room for what they say."""


@dataclass(frozen=True)
class Config:
    """How to train. `auto` epochs end when the validation score stops rising."""

    n_epochs: int | Auto = "auto"
    batch_size: int | Auto = "auto"
    learning_rate_multiplier: float | Auto = "auto"
    seed: int = 0
    base: Path | None = None
    """The folder of a finished model to go on from; its rows are trained again beside the new ones."""
    replay: int = 1
    """Whether the base's rows are trained again; 0 trains the new rows alone, and forgets the old ones."""
    checkpoint_seconds: float = 3.0
    """Time between checkpoints. It has no influence on the result."""
    keep_models: int = 3
    """How many of the newest usable models are kept from the evaluations on the way; 0 keeps none."""

    def __post_init__(self) -> None:
        """Refuses a value out of range with an `InputError` that names it."""
        _within("n_epochs", self.n_epochs, 1, MAX_EPOCHS, whole=True)
        _within("batch_size", self.batch_size, 1, MAX_BATCH, whole=True)
        _within("replay", self.replay, 0, 1, whole=True)
        _within("learning_rate_multiplier", self.learning_rate_multiplier, 0.01, MAX_RATE, whole=False)

    def identity(self) -> dict[str, Any]:
        """What the result depends on, for a checkpoint to be recognised by."""
        known = asdict(self)
        known["base"] = str(self.base) if self.base else None
        del known["checkpoint_seconds"], known["keep_models"]
        return known


def _within(name: str, value: float | Auto, low: float, high: float, *, whole: bool) -> None:
    if value == "auto":
        return
    kind = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:
        number = "a whole number" if whole else "a number"
        raise InputError(f"{name} must be `auto` or {number} from {low:g} to {high:g}.")


@dataclass(frozen=True)
class Metrics:
    """One step of training; the validation figures are there on steps that end with an evaluation."""

    step: int
    total_steps: int
    """As planned at this step: `auto` lowers it once the validation score has stopped rising."""
    epoch: int
    train_loss: float
    """Cross-entropy in nats a word, over the batch."""
    train_accuracy: float
    """The share of the batch's answer words that are said right, each after the right words before it."""
    valid_loss: float | None = None
    valid_accuracy: float | None = None
    valid_exact: float | None = None
    """The share of validation rows whose whole answer is right, word for word."""
    model: Path | None = None
    """A usable model of this step, where one was kept."""


@dataclass(frozen=True)
class Result:
    """The end of a run. `model` is None when it was told to stop; the checkpoint is then on disk."""

    model: Path | None
    steps: int
    epochs: int
    train_loss: float
    """Mean over the last epoch begun."""
    valid_loss: float | None
    valid_exact: float | None
    trained_words: int
    """Words read and written in training, as a provider would bill them."""
    resolved: dict[str, float] = field(default_factory=dict)
    """The hyperparameters with every `auto` replaced by its value."""
