"""The providers of tuning as data: address, hyperparameters, extra steps, closing dates, and their tunable models.

A new provider needs one `Profile` here, its name in `Settings.tuning_provider`, and a test; no other module compares
provider names. The prices are from the providers' own pages, read on the day `AS_OF`. A
price that was not found there is None, and is shown as not known.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from bot.core.i18n import N_

AS_OF = "2026-11-22"
OPENAI_CLOSED = N_(
    "OpenAI creates no jobs any more for organisations that never tuned (since 2026-05-07) or asked no tuned model in "
    "the last 60 days (since 2026-07-02), and for nobody after 2027-01-06."
)
# What an operator can do whose account may not tune at a provider.
WAYS_OUT = N_(
    "Alternatives: TUNING_PROVIDER=engine trains a small model on this machine, "
    "TUNING_PROVIDER=nebius is open to anyone, and TUNING_PROVIDER=custom uses any server with the "
    "same API."
)
# OpenAI shuts its tunable base models down on this day, with every model that was tuned on them.
_OPENAI_SHUTDOWN = date(2027, 1, 14)
_FREE = Decimal(0)
# Characters of a training file for each token. Three is low for English, so that prices come out rather too high.
CHARACTERS_PER_TOKEN = 3.0
# The same for open weights on this machine, where hours are estimated and not a bill (SmolLM2's tokenizer on the racing
# season, measured 2026-11-28).
CHARACTERS_PER_OWN_TOKEN = 4.9
# The pocket GPT counts words: those of the questions as it varies them, of the answers, and of the refusals that it
# trains beside them, never the system message. The files of the racing season and of `tests.bench.season` have 13.5
# to 14.5 characters for each (measured 2026-11-22); rows without any refusal, which train no negatives, have 30.
CHARACTERS_PER_WORD = 14.0


@dataclass(frozen=True, slots=True)
class Tunable:
    """A base model; prices are US dollars for a million tokens, `prompt` and `completion` those of the tuned model.

    `is_language_model`: it knows a language before it is tuned, so that it can be asked and compared.
    """

    name: str
    provider: str
    training: Decimal | None = None
    prompt: Decimal | None = None
    completion: Decimal | None = None
    shutdown: date | None = None
    characters_per_token: float = CHARACTERS_PER_TOKEN
    is_language_model: bool = True


@dataclass(frozen=True, slots=True)
class Profile:
    """Everything in which a provider differs from the others.

    `title` is its name at the start of a sentence, `at` its place at the end of one: tuned at the local engine.
    `hyperparameters` returns those for a base, a number of training rows, whether the job must not repeat old rows by
    itself, and whether the rows are labelled inputs; `in_method` says whether they are sent below `method`, as OpenAI
    wants them, or beside it. `has_limits`: it answers /fine_tuning/model_limits and the base's shutdown date.
    `deploys`: a model answers only once it is deployed. `is_local`: the engine on this machine, which also tunes open
    weights. `first_pause` and `longest_pause` are seconds between two looks at a job.
    """

    name: str
    title: str
    at: str
    hyperparameters: Callable[[Tunable, int, bool, bool], Mapping[str, Any]]
    url: str | None = None
    base: str | None = None
    models: tuple[Tunable, ...] = ()
    in_method: bool = True
    has_limits: bool = False
    deploys: bool = False
    is_local: bool = False
    needs_key: bool = True
    uses_chat_key: bool = False
    closes: date | None = None
    warning: str = ""
    first_pause: float = 2.0
    longest_pause: float = 60.0


def _engine(base: Tunable, rows: int, forgets: bool, labelled: bool) -> dict[str, Any]:
    """Three epochs for open weights, more for the pocket GPT.

    Twenty teach it a season of 1,360 rows: 97 to 100 of its first 100 held-out questions right and at most 2 wrong,
    over six seeds (measured 2026-11-22). Fewer rows need more epochs. Of the reviews that ship, 50 of them held out, 52
    to 60 % are exact and 82 to 86 % within one star after 5 epochs, 48 to 58 and 72 to 78 % after 16 (three seeds,
    2026-11-28).
    """
    if base.is_language_model:
        return {"n_epochs": 3}
    epochs = 5 if labelled else max(10, min(100, 28_000 // max(rows, 1)))
    return {"n_epochs": epochs, **({"replay": 0} if forgets else {})}


def _three_epochs(_base: Tunable, _rows: int, _forgets: bool, _labelled: bool) -> dict[str, Any]:
    return {"n_epochs": 3}


def _nebius(_base: Tunable, _rows: int, _forgets: bool, _labelled: bool) -> dict[str, Any]:
    return {
        "n_epochs": 3,
        "learning_rate": 1e-4,
        "batch_size": 8,
        "lora": True,
        "lora_r": 16,
        "packing": False,
        "context_length": 8192,
    }


_ALL = (
    Profile(
        "engine",
        N_("The local engine"),
        N_("at the local engine"),
        _engine,
        base="pocket-gpt",
        models=(
            Tunable(
                "pocket-gpt",
                "engine",
                *(_FREE, _FREE, _FREE),
                characters_per_token=CHARACTERS_PER_WORD,
                is_language_model=False,
            ),
        ),
        is_local=True,
        first_pause=0.25,
        longest_pause=1.0,
    ),
    Profile(
        "openai",
        "OpenAI",
        N_("at OpenAI"),
        _three_epochs,
        url="https://api.openai.com/v1",
        base="gpt-4o-mini-2024-07-18",
        models=(
            Tunable("gpt-4o-mini-2024-07-18", "openai", Decimal(3), Decimal("0.30"), Decimal("1.20"), _OPENAI_SHUTDOWN),
            Tunable("gpt-4.1-mini-2025-04-14", "openai", shutdown=_OPENAI_SHUTDOWN),
            Tunable("gpt-4o-2024-08-06", "openai", shutdown=_OPENAI_SHUTDOWN),
            Tunable("gpt-4.1-2025-04-14", "openai", shutdown=_OPENAI_SHUTDOWN),
        ),
        has_limits=True,
        uses_chat_key=True,
        closes=date(2027, 1, 6),
        warning=OPENAI_CLOSED,
    ),
    Profile(
        "nebius",
        N_("Nebius Token Factory"),
        N_("at Nebius Token Factory"),
        _nebius,
        url="https://api.tokenfactory.nebius.com/v1",
        base="meta-llama/Meta-Llama-3.1-8B-Instruct",
        models=(
            Tunable("meta-llama/Meta-Llama-3.1-8B-Instruct", "nebius"),
            Tunable("meta-llama/Llama-3.3-70B-Instruct", "nebius"),
        ),
        in_method=False,
        deploys=True,
    ),
    Profile(
        "custom",
        N_("The provider at TUNING_BASE_URL"),
        N_("at the provider at TUNING_BASE_URL"),
        _three_epochs,
        needs_key=False,
    ),
)
PROFILES: Mapping[str, Profile] = {profile.name: profile for profile in _ALL}


def is_pocket_gpt(base: str, provider: str) -> bool:
    """Whether a base model, or the base of a tuned one, is the small model of the local engine."""
    return not tunable(base, provider).is_language_model


def tunables() -> list[Tunable]:
    """Every base model that is known."""
    return [model for profile in PROFILES.values() for model in profile.models]


def tunable(base: str, provider: str) -> Tunable:
    """What is known of a base model, or of the base of a tuned one.

    An unknown model has no prices. One that is tuned on this machine is free.
    """
    for known in PROFILES[provider].models:
        if base == known.name or base.startswith(f"ft:{known.name}"):
            return known
    if PROFILES[provider].is_local:
        return Tunable(base, provider, _FREE, _FREE, _FREE, characters_per_token=CHARACTERS_PER_OWN_TOKEN)
    return Tunable(base, provider)
