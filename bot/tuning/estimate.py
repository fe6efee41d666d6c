"""What a job would cost with every known model, in money or in hours, and how long its model would live."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal

from bot.core.i18n import _, ngettext
from bot.engine.llama.catalog import GIB, Machine
from bot.engine.lora.bases import Base
from bot.tuning.profiles import AS_OF, PROFILES, Profile, Tunable, tunable, tunables

# Days that a tuned model should live to be worth its price; below that the table warns.
SHORT_LIFE = 180
# Seconds of training that are shown in minutes.
MINUTES_BELOW = 100 * 60


@dataclass(frozen=True, slots=True)
class Quote:
    """A base model and its price. `tokens` are those of all epochs; `usd` is None where the price is not known.

    `lives` is the number of days until the base is shut down, None where no date is known. For open weights, `effort`
    says how long training takes on this machine and how much memory it needs.
    """

    model: Tunable
    chosen: bool
    tokens: int
    epochs: int
    usd: Decimal | None
    lives: int | None
    warning: str
    effort: str = ""

    @property
    def starts_at_once(self) -> bool:
        """Whether training costs neither money nor hours, so that one press may start it."""
        return self.usd == 0 and not self.effort

    @property
    def price(self) -> str:
        """The price for people."""
        if self.usd is None:
            return _("not known")
        # Translators: of a price: it costs nothing.
        return _("free") if not self.usd else _("${usd:,.2f}", usd=self.usd)


def quotes(
    characters: int,
    rows: int,
    base: str,
    profile: Profile,
    *,
    shutdown: str = "",
    local: Mapping[str, Base] | None = None,
    here: Machine | None = None,
    labelled: bool = False,
) -> list[Quote]:
    """A quote for every known base model, the chosen one first.

    `characters` and `rows` are those of the training file; `profile` is the provider that has `base`. `shutdown` is
    the ISO date on which the provider itself says that the base is shut down; it replaces the one of the profile.
    `labelled` says that the rows are labelled inputs. `local` are the open weights that can be tuned on the machine
    `here`, by the names that they are tuned under.
    """
    today = datetime.now(UTC).date()
    known_as = tunable(base, profile.name)
    date_told = _date(shutdown)
    chosen = known_as if date_told is None else replace(known_as, shutdown=date_told)
    weights = local or {}
    others = [known for known in tunables() if known is not known_as]
    others[0:0] = [tunable(name, profile.name) for name in weights if name != base]
    found = [_quote(known, known is chosen, characters, rows, today, labelled) for known in [chosen, *others]]
    return [
        _with_effort(quote, weights[quote.model.name], here) if here and quote.model.name in weights else quote
        for quote in found
    ]


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


def blocked(profile: Profile, today: date | None = None) -> str:
    """A message, to be translated, that says why the provider creates no jobs any more; empty where it does."""
    today = today or datetime.now(UTC).date()
    return profile.warning if profile.closes is not None and today > profile.closes else ""


def _quote(known: Tunable, chosen: bool, characters: int, rows: int, today: date, labelled: bool) -> Quote:
    profile = PROFILES[known.provider]
    epochs = int(profile.hyperparameters(known, rows, False, labelled).get("n_epochs", 3))
    tokens = int(characters / known.characters_per_token) * epochs
    usd = None if known.training is None else known.training * tokens / 1_000_000
    lives = None if known.shutdown is None else (known.shutdown - today).days
    warnings = [_(profile.warning)] if profile.warning else []
    if lives is not None and lives < SHORT_LIFE:
        warnings.append(_short_life(lives, str(known.shutdown)))
    return Quote(known, chosen, tokens, epochs, usd, lives, " ".join(warnings))


def _with_effort(quote: Quote, base: Base, here: Machine) -> Quote:
    """The quote of open weights, with hours and memory, and a warning where the memory does not suffice."""
    seconds, memory = base.training_seconds(quote.tokens, here), base.training_memory
    if seconds is None or memory is None:
        return replace(quote, effort=_("hours and memory not known before the download"))
    if seconds < MINUTES_BELOW:
        time = ngettext("about {n:,} minute", "about {n:,} minutes", max(1, round(seconds / 60)))
    else:
        time = ngettext("about {n:,} hour", "about {n:,} hours", round(seconds / 3600))
    effort = _("{time} on the processor, {memory:,.1f} GiB of memory", time=time, memory=memory / GIB)
    if memory <= here.free_memory:
        return replace(quote, effort=effort)
    short = _(
        "Training {model} needs {memory:,.1f} GiB of memory, and {free:,.1f} GiB are free.",
        model=quote.model.name,
        memory=memory / GIB,
        free=here.free_memory / GIB,
    )
    return replace(quote, effort=effort, warning=" ".join(filter(None, [quote.warning, short])))


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
    """The quotes as a table of plain text, with each warning once below."""
    rows = [f"  {'model':<40} {'where':<7} {'tokens':>12} {'price':>10} {'per 1M asked':>14} {'shutdown':>11}"]
    for quote in lines:
        known = quote.model
        asked = _("not known") if known.prompt is None else f"{known.prompt}/{known.completion}"
        if known.prompt == 0:
            asked = _("free")
        # What this machine trains, it also answers with: nobody shuts that down.
        end = str(known.shutdown or (_("never") if PROFILES[known.provider].is_local else _("not known")))
        mark = "→" if quote.chosen else " "
        rows.append(
            f"{mark} {known.name:<40} {known.provider:<7} {quote.tokens:>12,} {quote.price:>10} {asked:>14} {end:>11}"
        )
    warnings = dict.fromkeys(f"{quote.model.provider}: {quote.warning}" for quote in lines if quote.warning)
    efforts = [f"{quote.model.name}: {quote.effort}" for quote in lines if quote.effort]
    return "\n".join([*rows, _("Prices in US dollars, read {day}.", day=AS_OF), *efforts, *warnings])
