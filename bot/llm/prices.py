"""What a call costs, in US dollars. Prices are data: each with the date it was read and its source."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens; `read` is the ISO date on which `source` said so."""

    prompt: Decimal
    cached: Decimal
    completion: Decimal
    read: str
    source: str


_OPENAI = "OpenAI's price list"
_LOCAL = "runs on this machine"
PRICES: dict[str, Price] = {
    "gpt-6-luna": Price(Decimal("0.10"), Decimal("0.01"), Decimal("0.50"), "2026-11-22", _OPENAI),
    "ft:gpt-4o-mini": Price(Decimal("0.30"), Decimal("0.15"), Decimal("1.20"), "2026-11-22", _OPENAI),
    "stand-in": Price(Decimal(0), Decimal(0), Decimal(0), "2026-11-22", _LOCAL),
    "pocket-gpt": Price(Decimal(0), Decimal(0), Decimal(0), "2026-11-22", _LOCAL),
    "ft:pocket-gpt": Price(Decimal(0), Decimal(0), Decimal(0), "2026-11-22", _LOCAL),
}


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, or of several added up; `cached` is the part of `prompt` served from a cache.

    `estimated` says that a server did not report, so that these are our own estimate.
    """

    prompt: int = 0
    cached: int = 0
    completion: int = 0
    estimated: bool = False

    @property
    def total(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt + self.completion

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.prompt + other.prompt,
            self.cached + other.cached,
            self.completion + other.completion,
            self.estimated or other.estimated,
        )


def price_of(model: str) -> Price | None:
    """The price of `model`, or of the longest known name that a dated or tuned name begins with; or None."""
    known = max((name for name in PRICES if _is(model, name)), key=len, default=None)
    return PRICES[known] if known else None


def cost(model: str, usage: Usage) -> Decimal | None:
    """US dollars for `usage` on `model`; None where the price is not known."""
    price = price_of(model)
    if price is None:
        return None
    fresh = max(usage.prompt - usage.cached, 0)
    dollars = fresh * price.prompt + usage.cached * price.cached + usage.completion * price.completion
    return dollars / 1_000_000


def _is(model: str, name: str) -> bool:
    """Whether `model` is `name` itself, a dated version of it (`name-2026-…`), or tuned from it (`name:…`)."""
    rest = model.removeprefix(name)
    return rest != model and (not rest or rest[0] == ":" or rest[:3] == "-20")
