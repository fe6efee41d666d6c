"""The ledger: reserves tokens and money before a call, and settles them at the actual usage after it.

`bot.server.sums` has the sums that the limits are compared with. Every reservation is in the database before its call
is made. Reservations that a crash left open are settled at their estimates at the next start. A day is a UTC day, a
month a UTC month.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from time import time
from types import MappingProxyType
from typing import Self

from bot.core.caller import SERVER, Caller
from bot.core.errors import LimitError
from bot.core.i18n import N_
from bot.core.metrics import Metrics
from bot.core.settings import Settings
from bot.llm.prices import Prices
from bot.llm.usage import Usage
from bot.server.guilds import UNSET, GuildSettingsStore
from bot.server.sums import MemorySums, SharedSums
from bot.storage import calls
from bot.storage.calls import DayUse
from bot.storage.database import Database
from bot.storage.usage_sums import Change, Key, keys_of, month_of

__all__ = ["NANO", "DayUse", "Ledger", "Limits"]

NANO = 1_000_000_000
# Seconds that no call takes.
MAX_CALL_SECONDS = 86_400
# US dollars for a million tokens of a model whose price is not known, where no setting says otherwise.
UNKNOWN_PRICE = 1.0
# The sentence for each reached limit. <t:…> is Discord's form of a time, which every user reads in their own time zone.
LIMIT_REACHED: Mapping[str, str] = MappingProxyType(
    {
        "user": N_(
            "You have used up today's tokens: this would take about {wanted:,}, and {left:,} are left. The "
            "limit resets <t:{at}:R>."
        ),
        "member": N_(
            "In this server you have used up today's tokens: this would take about {wanted:,}, and {left:,} "
            "are left. The limit resets <t:{at}:R>."
        ),
        "guild": N_(
            "This server has used up today's tokens: this would take about {wanted:,}, and {left:,} are "
            "left. The limit resets <t:{at}:R>."
        ),
        "bot": N_(
            "The bot has used up today's tokens: this would take about {wanted:,}, and {left:,} are left. "
            "The limit resets <t:{at}:R>."
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Tokens a UTC day for a person, a server and the whole bot, and US dollars a UTC month for the bot.

    `unknown_price` is counted for a million tokens of a model without a known price, in US dollars.
    """

    user: int
    guild: int
    everyone: int
    monthly_usd: float
    unknown_price: float = UNKNOWN_PRICE

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The limits of the operator."""
        return cls(
            settings.daily_tokens_per_user,
            settings.daily_tokens_per_guild,
            settings.daily_tokens,
            settings.monthly_usd,
            settings.unknown_price,
        )


class Ledger:
    """Limits and usage of all callers, from `async with`. The process has one instance.

    It also applies the limits that servers set in `guilds`.
    `slot` is that of the process, None on the command line. `shared` says that other processes use the database too.
    """

    def __init__(
        self,
        database: Database,
        limits: Limits,
        guilds: GuildSettingsStore | None = None,
        metrics: Metrics | None = None,
        now: Callable[[], float] = time,
        prices: Prices | None = None,
        slot: int | None = 0,
        shared: bool = False,
    ) -> None:
        self._database, self._limits, self._guild_settings, self._now = database, limits, guilds, now
        self._sums = SharedSums(database) if shared else MemorySums(database)
        self._slot, self._metrics, self.prices = slot, metrics or Metrics(), prices or Prices()
        self._open: dict[str, calls.Call] = {}
        self._budget = int(Decimal(str(limits.monthly_usd)) * NANO)
        # Billionths of a US dollar for a token of a model without a known price.
        self._unknown = int(Decimal(str(limits.unknown_price)) * 1_000)

    async def __aenter__(self) -> Self:
        await self.load()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Store the settlements that wait."""
        await self._sums.flush()

    async def load(self) -> int:
        """Settle the reservations that a crash left open, and read the sums; returns the number of reservations."""
        orphans = await calls.settle_orphans(self._database, self._slot, self._now() - MAX_CALL_SECONDS)
        await self._load()
        return orphans

    async def reserve(self, caller: Caller, purpose: str, model: str, prompt: int, completion: int = 0) -> str:
        """Reserve a call's estimated tokens and their price; returns the call's id.

        Raises `LimitError`, which says when the limit resets.
        """
        await self.prices.load([model])
        tokens, nanodollars = prompt + completion, self._price(model, Usage(prompt, 0, completion))
        call = calls.Call(
            id=secrets.token_hex(8),
            day=await self._load(),
            at=self._now(),
            user_id=caller.user_id,
            guild_id=caller.guild_id,
            purpose=purpose,
            model=model,
            reserved=tokens,
            nanodollars=nanodollars,
            slot=self._slot,
        )
        await self._sums.reserve(call, partial(self._refuse_if_full, caller, call.day, tokens, nanodollars))
        self._open[call.id] = call
        return call.id

    async def check(self, caller: Caller, model: str, usage: Usage) -> Decimal | None:
        """The price of `usage` on `model`; None where it is not known. Raises `LimitError` if it does not fit today."""
        await self.prices.load([model])
        self._refuse_if_full(caller, await self._load(), usage.total, self._price(model, usage), self._sums.of)
        return self.prices.cost(model, usage)

    def refuse_blocked(self, caller: Caller) -> None:
        """Raises `NotAllowedError` where a server's managers do not let `caller` ask a model."""
        if self._guild_settings is not None:
            self._guild_settings.refuse_blocked(caller)

    def settle(self, call_id: str, model: str, usage: Usage) -> None:
        """Replace a reservation by the actual `usage` of `model`, or of the reserved one where that is empty.

        The sums change at once. The database is written later, so that no answer waits for it. A call that did not
        reach a model is settled with an empty usage, which releases the whole reservation.
        """
        call = self._open.pop(call_id, None)
        if call is None:
            return
        model = model or call.model
        nanodollars = self._price(model, usage)
        if usage.total:
            self._metrics.tokens(call.model, usage.prompt, usage.completion)
            self._metrics.dollars(call.model, nanodollars / NANO)
        done = calls.Settlement(call_id, model, usage.prompt, usage.cached, usage.completion, nanodollars)
        self._sums.settle(Change(call, done))

    def add_bill(self, bill: calls.Bill) -> None:
        """Count the price of a tuning job, which is stored already (`bot.storage.calls.pay`), in its month."""
        self._metrics.dollars(bill.model, bill.nanodollars / NANO)
        self._sums.add({month_of(bill.day): bill.nanodollars})

    def today(self, caller: Caller) -> dict[str, tuple[int, int]]:
        """Tokens used today, reservations included, and the limit.

        For the `user`, for the `member` where the server sets a limit of its own, for the `guild`, and for the `bot`.
        """
        return {who: (self._sums.of(key), limit) for who, limit, key in self._limits_of(caller, self._today)}

    async def refresh(self, caller: Caller) -> None:
        """Read what `today` says about `caller` again, where other processes change it."""
        day = self._today
        await self._sums.refresh([*keys_of(day, caller.user_id, caller.guild_id), month_of(day)])

    @property
    def resets_at(self) -> int:
        """When the limits of the day reset, in seconds since 1970."""
        today = datetime.fromtimestamp(self._now(), UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return int((today + timedelta(days=1)).timestamp())

    @property
    def unknown_price(self) -> float:
        """US dollars that are counted for a million tokens of a model without a known price."""
        return self._limits.unknown_price

    def month(self) -> tuple[float, float]:
        """US dollars spent or reserved in this month, and the most that may be spent."""
        return self._sums.of(month_of(self._today)) / NANO, self._limits.monthly_usd

    async def days(
        self, count: int, *, user_id: int | None = None, guild_id: int | None = None
    ) -> list[tuple[str, DayUse]]:
        """The usage of the last `count` days, the newest last: of a person, of a server, or of all."""
        names = self._last_days(count)
        await self._sums.flush()
        used = await calls.uses_by_day(self._database, names[0], user_id=user_id, guild_id=guild_id)
        return [(name, used.get(name, DayUse())) for name in names]

    async def by_model(
        self, count: int, *, user_id: int | None = None, guild_id: int | None = None
    ) -> dict[str, DayUse]:
        """The usage of the last `count` days by model, the most expensive first. Their prices are loaded."""
        since = self._last_days(count)[0]
        used = await calls.uses_by_model(self._database, since, user_id=user_id, guild_id=guild_id)
        await self.prices.load(used)
        return dict(sorted(used.items(), key=lambda item: (item[1].nanodollars, item[1].tokens), reverse=True))

    def at_unknown_price(self, used: Mapping[str, DayUse]) -> Decimal:
        """US dollars of `used`, by model, that were counted by `unknown_price`."""
        return Decimal(sum(use.nanodollars for model, use in used.items() if self.prices.of(model) is None)) / NANO

    def _price(self, model: str, usage: Usage) -> int:
        """Billionths of a US dollar for `usage`, by the price of `model` or else by `unknown_price`."""
        usd = self.prices.cost(model, usage)
        return self._unknown * usage.total if usd is None else int(usd * NANO)

    def _last_days(self, count: int) -> list[str]:
        today = date.fromisoformat(self._today)
        return [(today - timedelta(days=back)).isoformat() for back in range(count - 1, -1, -1)]

    def _refuse_if_full(
        self, caller: Caller, day: str, tokens: int, nanodollars: int, sum_of: Callable[[Key], int]
    ) -> None:
        for who, limit, key in self._limits_of(caller, day):
            if (used := sum_of(key)) + tokens > limit:
                raise LimitError(LIMIT_REACHED[who], wanted=tokens, left=max(limit - used, 0), at=self.resets_at)
        spent = sum_of(month_of(day))
        # Once the budget is spent, free calls are refused too: their next call may not be free.
        if spent >= self._budget or spent + nanodollars > self._budget:
            raise LimitError("The bot's budget for this month is spent; it resets <t:{at}:R>.", at=self._next_month())

    def _limits_of(self, caller: Caller, day: str) -> Iterator[tuple[str, int, Key]]:
        """The limits that apply to `caller`, the operator's and the server's: (whose, tokens a day, their sum)."""
        limits, user, guild = self._limits, caller.user_id, caller.guild_id
        own = self._guild_settings.of(guild) if self._guild_settings else UNSET
        if user != SERVER:
            yield "user", limits.user, (day, user, 0)
            if guild is not None and (member := own.tokens_of(caller.roles, limits.user)) is not None:
                yield "member", member, (day, user, guild)
        if guild is not None:
            yield "guild", min(limits.guild, own.guild_tokens or limits.guild), (day, 0, guild)
        yield "bot", limits.everyone, (day, 0, 0)

    def _next_month(self) -> int:
        """When the next UTC month begins, in seconds since 1970."""
        first = datetime.fromtimestamp(self._now(), UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return int((first + timedelta(days=32)).replace(day=1).timestamp())

    @property
    def _today(self) -> str:
        """The UTC date."""
        return datetime.fromtimestamp(self._now(), UTC).date().isoformat()

    async def _load(self) -> str:
        """The UTC date, once the sums of that day and its month are in memory.

        On a new day they are read and not set to zero, because the clock may have been wrong when the process started.
        """
        while not self._sums.has(day := self._today):  # Midnight may pass while the database is read.
            await self._sums.load(day)
        return day
