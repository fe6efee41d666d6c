"""Providers of tuning as data: address, hyperparameters, deploy step, closing dates, and the tunable models.

Read 2026-11-22 from the providers' own pages, unless a price says otherwise. A price that was not read there is
None, and is shown as not known.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from bot.core.i18n import N_

READ = "2026-11-22"
OPENAI_CLOSED = N_(
    "OpenAI creates no jobs any more for organisations that never tuned (since 2026-05-07) or asked no tuned model in "
    "the last 60 days (since 2026-07-02), and for nobody after 2027-01-06."
)


@dataclass(frozen=True, slots=True)
class Tunable:
    """A base model; prices are US dollars for a million tokens, `prompt` and `completion` those of the tuned model."""

    name: str
    provider: str
    training: Decimal | None
    prompt: Decimal | None
    completion: Decimal | None
    shutdown: date | None = None
    read: str = READ


@dataclass(frozen=True, slots=True)
class Profile:
    """How one provider differs from the others; the code that talks to it is the same.

    `title` begins a sentence, `at` ends one: tuned at the local engine. `settings` gives the hyperparameters for a
    number of training rows; `in_method` whether they go below `method`, as OpenAI's do, or beside it. `first` and
    `most` are seconds between two looks at a job.
    """

    name: str
    title: str
    at: str
    url: str | None
    base: str | None
    settings: Callable[[int], Mapping[str, Any]]
    in_method: bool = True
    deploys: bool = False
    limits: bool = False
    closes: date | None = None
    warning: str = ""
    first: float = 2.0
    most: float = 60.0


def _engine(rows: int) -> dict[str, Any]:
    """Twenty rounds teach a season of 1,360 rows: 97 to 100 of its first 100 held-out questions right and 2 wrong at
    the most, over six seeds (measured 2026-11-22). Fewer rows want more.
    """
    return {"n_epochs": max(10, min(100, 28_000 // max(rows, 1)))}


def _openai(rows: int) -> dict[str, Any]:
    return {"n_epochs": 3}


def _nebius(rows: int) -> dict[str, Any]:
    return {
        "n_epochs": 3,
        "learning_rate": 1e-4,
        "batch_size": 8,
        "lora": True,
        "lora_r": 16,
        "packing": False,
        "context_length": 8192,
    }


PROFILES: Mapping[str, Profile] = {
    "engine": Profile(
        "engine", N_("The local engine"), N_("at the local engine"), None, "pocket-gpt", _engine, first=0.25, most=1.0
    ),
    "openai": Profile(
        "openai",
        "OpenAI",
        N_("at OpenAI"),
        "https://api.openai.com/v1",
        "gpt-4o-mini-2024-07-18",
        _openai,
        limits=True,
        closes=date(2027, 1, 6),
        warning=OPENAI_CLOSED,
    ),
    "nebius": Profile(
        "nebius",
        N_("Nebius Token Factory"),
        N_("at Nebius Token Factory"),
        "https://api.tokenfactory.nebius.com/v1",
        "meta-llama/Meta-Llama-3.1-8B-Instruct",
        _nebius,
        in_method=False,
        deploys=True,
    ),
    "custom": Profile(
        "custom", N_("The provider at TUNING_BASE_URL"), N_("at the provider at TUNING_BASE_URL"), None, None, _openai
    ),
}

# OpenAI shuts its tunable bases down on this day, with every model that was tuned on them.
_SHUTDOWN = date(2027, 1, 14)
_FREE = Decimal(0)
TUNABLES: tuple[Tunable, ...] = (
    Tunable("pocket-gpt", "engine", _FREE, _FREE, _FREE),
    Tunable("gpt-4o-mini-2024-07-18", "openai", Decimal(3), Decimal("0.30"), Decimal("1.20"), _SHUTDOWN),
    Tunable("gpt-4.1-mini-2025-04-14", "openai", None, None, None, _SHUTDOWN),
    Tunable("gpt-4o-2024-08-06", "openai", None, None, None, _SHUTDOWN),
    Tunable("gpt-4.1-2025-04-14", "openai", None, None, None, _SHUTDOWN),
    Tunable("meta-llama/Meta-Llama-3.1-8B-Instruct", "nebius", None, None, None),
    Tunable("meta-llama/Llama-3.3-70B-Instruct", "nebius", None, None, None),
)


def tunable(base: str, provider: str) -> Tunable:
    """What is known of a base model, or of the base of a tuned one; an unknown one has no prices."""
    for known in TUNABLES:
        if known.provider == provider and (base == known.name or base.startswith(f"ft:{known.name}")):
            return known
    return Tunable(base, provider, None, None, None)
