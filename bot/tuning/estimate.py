"""What a job would cost, for every known model in one table, and whether it would live."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal

from bot.core.i18n import _, ngettext
from bot.tuning.profiles import PROFILES, TUNABLES, Tunable, tunable

# Days that a tuned model should live to be worth its price; below it the table warns.
SHORT_LIFE = 180
# Times as many tokens as characters; three characters a token errs on the dear side (`bot.llm.usage`).
PER_TOKEN = 3.0
# The pocket GPT counts words: those of the questions as it varies them, of the answers, and of the refusals that it
# trains beside them, never the system message. The files of the racing season and of `tests.bench.season` have 13.5
# to 14.5 characters for each (measured 2026-11-22); rows without any refusal, which train no negatives, have 30.
PER_WORD = 14.0


@dataclass(frozen=True, slots=True)
class Quote:
    """A model in the table. `tokens` are all that training reads, every round counted; `usd` None is not known."""

    model: Tunable
    chosen: bool
    tokens: int
    epochs: int
    usd: Decimal | None
    lives: int | None
    warning: str

    @property
    def price(self) -> str:
        """The price as people read it."""
        if self.usd is None:
            return _("not known")
        # Translators: of a price: it costs nothing.
        return _("free") if not self.usd else _("${usd:,.2f}", usd=self.usd)


def quotes(
    characters: int, rows: int, base: str, provider: str, *, shutdown: str = "", today: date | None = None
) -> list[Quote]:
    """A line for every known tunable model, the chosen one first; `characters` are those of the training file.

    `shutdown` is the ISO date on which the provider itself says that the chosen base ends; it wins over ours.
    """
    today = today or datetime.now(UTC).date()
    known_as = tunable(base, provider)
    told = _date(shutdown)
    chosen = known_as if told is None else replace(known_as, shutdown=told)
    others = [known for known in TUNABLES if known is not known_as]
    return [_quote(known, known is chosen, characters, rows, today) for known in [chosen, *others]]


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


def blocked(provider: str, today: date | None = None) -> str:
    """Why creating a job will be refused there by now, where that is known, to be said; else empty."""
    profile = PROFILES[provider]
    today = today or datetime.now(UTC).date()
    return profile.warning if profile.closes is not None and today > profile.closes else ""


def _quote(known: Tunable, chosen: bool, characters: int, rows: int, today: date) -> Quote:
    profile = PROFILES[known.provider]
    epochs = int(profile.settings(rows).get("n_epochs", 3))
    tokens = int(characters / (PER_WORD if known.provider == "engine" else PER_TOKEN)) * epochs
    usd = None if known.training is None else known.training * tokens / 1_000_000
    lives = None if known.shutdown is None else (known.shutdown - today).days
    warnings = [_(profile.warning)] if profile.warning else []
    if lives is not None and lives < SHORT_LIFE:
        warnings.append(_short_life(lives, str(known.shutdown)))
    return Quote(known, chosen, tokens, epochs, usd, lives, " ".join(warnings))


def _short_life(days: int, shutdown: str) -> str:
    if days <= 0:
        return _("Its base shuts down on {day}: it is shut down already.", day=shutdown)
    return ngettext(
        "Its base shuts down on {day}: a tuned model could be used for {n:,} day.",
        "Its base shuts down on {day}: a tuned model could be used for {n:,} days.",
        days,
        day=shutdown,
    )


def table(lines: list[Quote]) -> str:
    """The quotes as plain text; the warnings stand below, each once."""
    rows = [f"  {'model':<40} {'where':<7} {'tokens':>12} {'price':>10} {'per 1M asked':>14} {'shutdown':>11}"]
    for quote in lines:
        known = quote.model
        asked = _("not known") if known.prompt is None else f"{known.prompt}/{known.completion}"
        if known.prompt == 0:
            asked = _("free")
        end = str(known.shutdown or _("not known"))
        mark = "→" if quote.chosen else " "
        rows.append(
            f"{mark} {known.name:<40} {known.provider:<7} {quote.tokens:>12,} {quote.price:>10} {asked:>14} {end:>11}"
        )
    warnings = dict.fromkeys(f"{quote.model.provider}: {quote.warning}" for quote in lines if quote.warning)
    read = max(quote.model.read for quote in lines)
    return "\n".join([*rows, _("Prices in US dollars, read {day}.", day=read), *warnings])
