"""The ledger: reserves tokens and money before a call, and settles them at the actual usage after it.

One process has the sums of the day and the month in memory: the check and the reservation are one step, so a hundred
calls at the same time cannot exceed a limit together. Several processes share sums in the database: all reservations
that wait are checked and counted in one transaction, which first reads the sums into memory. Every reservation is in
the database before its call is made. Reservations that a crash left open are settled at their estimates at the next
start. A day is a UTC day, a month a UTC month.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from time import time
from types import MappingProxyType
from typing import Self

from bot.core.caller import SERVER, Caller
from bot.core.errors import FewshotError, LimitError, StorageError
from bot.core.i18n import N_
from bot.core.metrics import Metrics
from bot.core.settings import Settings
from bot.llm.prices import Prices
from bot.llm.usage import Usage
from bot.server.guilds import UNSET, GuildSettingsStore
from bot.storage import calls, usage_sums
from bot.storage.calls import DayUse
from bot.storage.database import Database
from bot.storage.errors import InDoubtError
from bot.storage.usage_sums import Key

__all__ = ["NANO", "DayUse", "Ledger", "Limits", "open_ledger"]

NANO = 1_000_000_000
# Days whose sums are cached, so that a clock that jumps to another day and back does not lose them.
CACHED_DAYS = 3
# Seconds that no call takes.
MAX_CALL_SECONDS = 86_400
# Shared sums: reservations in a transaction, seconds that a settlement may wait for one, and seconds between two tries.
BATCH, SETTLE_PAUSE, RETRY_PAUSE = 500, 0.5, 5.0
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


@dataclass(slots=True)
class _Day:
    """Tokens of one day, reservations included."""

    users: Counter[int] = field(default_factory=Counter)
    guilds: Counter[int] = field(default_factory=Counter)
    # By server and person: for the limit that a server sets for its members.
    members: Counter[tuple[int, int]] = field(default_factory=Counter)
    total: int = 0

    def count(self, user_id: int, guild_id: int | None, tokens: int) -> None:
        self.users[user_id] += tokens
        self.total += tokens
        if guild_id is not None:
            self.guilds[guild_id] += tokens
            self.members[guild_id, user_id] += tokens


@dataclass(slots=True, eq=False)
class _Waiting:
    """A reservation that waits for its transaction. `done` raises the reason why the call may not be made."""

    caller: Caller
    call: calls.Call
    done: "asyncio.Future[None]"


class Ledger:
    """Limits and usage of all callers. Made by `open_ledger`; the process has one instance.

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
        self._slot, self._shared = slot, shared
        self._waiting: list[_Waiting] = []
        self._settled: list[usage_sums.Change] = []
        self._timer: asyncio.TimerHandle | None = None
        self._counting: asyncio.Task[None] | None = None
        self._database, self._limits, self._guild_settings, self._now = database, limits, guilds, now
        self._metrics = metrics or Metrics()
        self.prices = prices or Prices()
        self._days: dict[str, _Day] = {}
        # Billionths of a US dollar by month, reservations included.
        self._spent: dict[str, int] = {}
        self._open: dict[str, calls.Call] = {}
        self._loading = asyncio.Lock()
        self._budget = int(Decimal(str(limits.monthly_usd)) * NANO)
        # Billionths of a US dollar for a token of a model without a known price.
        self._unknown = int(Decimal(str(limits.unknown_price)) * 1_000)

    async def load(self) -> int:
        """Settle the reservations that a crash left open, and read the sums; returns the number of reservations."""
        orphans = await calls.settle_orphans(self._database, self._slot, self._now() - MAX_CALL_SECONDS)
        await self._load()
        return orphans

    async def reserve(self, caller: Caller, purpose: str, model: str, prompt: int, completion: int = 0) -> str:
        """Reserve a call's estimated tokens and their price; returns the call's id.

        Raises `LimitError`, which says when the limit resets.
        """
        if not self._is_loaded:
            await self._load()
        await self.prices.load([model])
        tokens, nanodollars = prompt + completion, self._price(model, Usage(prompt, 0, completion))
        if not self._shared:
            self._refuse_if_full(caller, tokens, nanodollars)
        now = self._now()
        call = calls.Call(
            id=secrets.token_hex(8),
            day=_day_of(now),
            at=now,
            user_id=caller.user_id,
            guild_id=caller.guild_id,
            purpose=purpose,
            model=model,
            reserved=tokens,
            nanodollars=nanodollars,
            slot=self._slot,
        )
        self._open[call.id] = call
        try:
            if self._shared:
                await self._reserve_shared(caller, call)
            else:
                # A new day may have begun since the check above.
                self._count(call)
                await calls.reserve(self._database, call)
        except BaseException:
            # Also when the task is cancelled: the row may be written already, but no call follows.
            self.settle(call.id, model, Usage())
            raise
        return call.id

    async def check(self, caller: Caller, model: str, usage: Usage) -> Decimal | None:
        """The price of `usage` on `model`; None where it is not known. Raises `LimitError` if it does not fit today."""
        if not self._is_loaded:
            await self._load()
        await self.prices.load([model])
        self._refuse_if_full(caller, usage.total, self._price(model, usage))
        return self.prices.cost(model, usage)

    def refuse_blocked(self, caller: Caller) -> None:
        """Raises `NotAllowedError` where a server's managers do not let `caller` ask a model."""
        if self._guild_settings is not None:
            self._guild_settings.refuse_blocked(caller)

    def settle(self, call_id: str, model: str, usage: Usage, usd: Decimal | None = None) -> None:
        """Replace a reservation by the actual `usage`, which costs `usd` (default: the price of `model`).

        The sums change at once. The database is written later, so that no answer waits for it. A call that did not
        reach a model is settled with an empty usage, which releases the whole reservation.
        """
        call = self._open.pop(call_id, None)
        if call is None:
            return
        nanodollars = self._price(model or call.model, usage) if usd is None else int(usd * NANO)
        if usage.total:
            self._metrics.tokens(call.model, usage.prompt, usage.completion)
            self._metrics.dollars(call.model, nanodollars / NANO)
        # The day may have ended, and its sums may not be cached any more.
        if call.day in self._days:
            self._days[call.day].count(call.user_id, call.guild_id, usage.total - call.reserved)
        if call.day[:7] in self._spent:
            self._spent[call.day[:7]] += nanodollars - call.nanodollars
        done = calls.Settlement(call_id, model or call.model, usage.prompt, usage.cached, usage.completion, nanodollars)
        if self._shared:
            tokens = usage.total - call.reserved
            self._settled.append(usage_sums.Change(call, done, tokens, nanodollars - call.nanodollars))
            self._count_soon(SETTLE_PAUSE)
        else:
            calls.settle(self._database, done)

    def add_bill(self, bill: calls.Bill) -> None:
        """Count the price of a tuning job, which is stored already (`bot.storage.calls.pay`), in its month."""
        self._metrics.dollars(bill.model, bill.nanodollars / NANO)
        if bill.day[:7] in self._spent:
            self._spent[bill.day[:7]] += bill.nanodollars

    def today(self, caller: Caller) -> dict[str, tuple[int, int]]:
        """Tokens used today, reservations included, and the limit.

        For the `user`, for the `member` where the server sets a limit of its own, for the `guild`, and for the `bot`.
        """
        return {who: (used, limit) for who, limit, used in self._counts(caller)}

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
        return self._spent.get(_day_of(self._now())[:7], 0) / NANO, self._limits.monthly_usd

    async def days(
        self, count: int, *, user_id: int | None = None, guild_id: int | None = None
    ) -> list[tuple[str, DayUse]]:
        """The usage of the last `count` days, the newest last: of a person, of a server, or of all."""
        names = self._last_days(count)
        await self._count_now()
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
        today = date.fromisoformat(_day_of(self._now()))
        return [(today - timedelta(days=back)).isoformat() for back in range(count - 1, -1, -1)]

    def _refuse_if_full(self, caller: Caller, tokens: int, nanodollars: int) -> None:
        at = self.resets_at
        for who, limit, used in self._counts(caller):
            if used + tokens > limit:
                raise LimitError(LIMIT_REACHED[who], wanted=tokens, left=max(limit - used, 0), at=at)
        budget, spent = self._budget, self._spent.get(_day_of(self._now())[:7], 0)
        # Once the budget is spent, free calls are refused too: their next call may not be free.
        if spent >= budget or spent + nanodollars > budget:
            raise LimitError("The bot's budget for this month is spent; it resets <t:{at}:R>.", at=self._next_month())

    def _counts(self, caller: Caller) -> Iterator[tuple[str, int, int]]:
        """The limits that apply to `caller`, the operator's and the server's: (whose, tokens a day, tokens used)."""
        limits, user, guild = self._limits, caller.user_id, caller.guild_id
        day = self._days.get(_day_of(self._now())) or _Day()
        own = self._guild_settings.of(guild) if self._guild_settings else UNSET
        if user != SERVER:
            yield "user", limits.user, day.users[user]
            if guild is not None and (member := own.tokens_of(caller.roles, limits.user)) is not None:
                yield "member", member, day.members[guild, user]
        if guild is not None:
            yield "guild", min(limits.guild, own.guild_tokens or limits.guild), day.guilds[guild]
        yield "bot", limits.everyone, day.total

    def _next_month(self) -> int:
        """When the next UTC month begins, in seconds since 1970."""
        first = datetime.fromtimestamp(self._now(), UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return int((first + timedelta(days=32)).replace(day=1).timestamp())

    def _count(self, call: calls.Call) -> None:
        """Count a reservation in memory."""
        self._days.setdefault(call.day, _Day()).count(call.user_id, call.guild_id, call.reserved)
        self._spent[call.day[:7]] = self._spent.get(call.day[:7], 0) + call.nanodollars

    @property
    def _is_loaded(self) -> bool:
        """Whether the sums of the current day and month are in memory."""
        day = _day_of(self._now())
        return day in self._days and day[:7] in self._spent

    async def _load(self) -> None:
        """Read the sums of the current day and month, unless they are in memory.

        On a new day they are read and not set to zero, because the clock may have been wrong when the process started.
        """
        async with self._loading:
            while not self._is_loaded:  # Midnight may pass while the database is read.
                name = _day_of(self._now())
                day = _Day()
                for part in await calls.sums_of_day(self._database, name):
                    day.count(part.user_id, part.guild_id, part.tokens)
                spent = await calls.nanodollars_of_month(self._database, name[:7])
                self._days.setdefault(name, day)
                self._spent.setdefault(name[:7], spent)
                while len(self._days) > CACHED_DAYS:
                    del self._days[next(iter(self._days))]
                while len(self._spent) > CACHED_DAYS:
                    del self._spent[next(iter(self._spent))]

    # --- sums that several processes share

    async def refresh(self, caller: Caller) -> None:
        """Read the sums of `caller` from the database, where other processes change them."""
        if self._shared:
            day = _day_of(self._now())
            keys = usage_sums.keys_of(day, caller.user_id, caller.guild_id)
            stored = await usage_sums.read(self._database, keys)
            self._remember({key: stored.get(key, 0) for key in keys})

    async def close(self) -> None:
        """Store the settlements that wait."""
        if self._timer is not None:
            self._timer.cancel()
        await self._count_now()

    async def _reserve_shared(self, caller: Caller, call: calls.Call) -> None:
        """Check and count a reservation together with all others that wait. Raises `LimitError`."""
        waiting = _Waiting(caller, call, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._start_counting()
        await waiting.done

    def _count_soon(self, pause: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(pause, self._start_counting)

    def _start_counting(self) -> None:
        if self._counting is None:
            self._counting = asyncio.create_task(self._count_all())

    async def _count_now(self) -> None:
        """Count all that waits, and return when it is stored."""
        if self._settled and self._counting is None:
            self._start_counting()
        if self._counting is not None:
            await asyncio.wait({self._counting})

    async def _count_all(self) -> None:
        """Write all that waits, in one transaction after the other. What arrives meanwhile is in the next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            while self._waiting or self._settled:
                waiting, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                settled, self._settled = self._settled, []
                refused: dict[str, LimitError] = {}
                decide = partial(self._decide, waiting, refused)
                try:
                    await usage_sums.count(self._database, [one.call for one in waiting], settled, decide)
                except StorageError as error:
                    # What may be stored already must not be counted twice; the next start settles it.
                    self._settled = ([] if isinstance(error, InDoubtError) else settled) + self._settled
                    self._count_soon(RETRY_PAUSE)
                    self._answer(waiting, dict.fromkeys((one.call.id for one in waiting), error))
                    return
                self._answer(waiting, refused)
        finally:
            self._counting = None

    def _answer(self, waiting: list[_Waiting], refused: Mapping[str, FewshotError]) -> None:
        """Pass on which calls may be made. Those that may not are not stored, so there is nothing to settle."""
        self._settled = [change for change in self._settled if change.call.id not in refused]
        for one in waiting:
            if (error := refused.get(one.call.id)) is not None:
                self._open.pop(one.call.id, None)
            if one.done.done():
                continue  # Its caller was cancelled.
            if error is None:
                one.done.set_result(None)
            else:
                one.done.set_exception(error)

    def _decide(
        self, waiting: list[_Waiting], refused: dict[str, LimitError], sums: Mapping[Key, int]
    ) -> list[calls.Call]:
        """The calls that the limits allow, with these `sums` in the database; the others are `refused`, by call."""
        self._remember(sums)
        refused.clear()  # The transaction may be repeated.
        for one in waiting:
            try:
                self._refuse_if_full(one.caller, one.call.reserved, one.call.nanodollars)
            except LimitError as error:
                refused[one.call.id] = error
            else:
                self._count(one.call)
        return [one.call for one in waiting if one.call.id not in refused]

    def _remember(self, sums: Mapping[Key, int]) -> None:
        """Set the sums in memory to those of the database."""
        for (period, user, guild), amount in sums.items():
            day = self._days.setdefault(period, _Day()) if len(period) > usage_sums.MONTH_LENGTH else None
            if day is None:
                self._spent[period] = amount
            elif user and guild:
                day.members[guild, user] = amount
            elif user:
                day.users[user] = amount
            elif guild:
                day.guilds[guild] = amount
            else:
                day.total = amount


def _day_of(at: float) -> str:
    """The UTC date of a time in seconds since 1970."""
    return datetime.fromtimestamp(at, UTC).date().isoformat()


@asynccontextmanager
async def open_ledger(
    database: Database,
    limits: Limits,
    guilds: GuildSettingsStore | None = None,
    metrics: Metrics | None = None,
    prices: Prices | None = None,
    slot: int | None = 0,
    shared: bool = False,
) -> AsyncIterator[Ledger]:
    """A ledger with the sums of today. It applies the limits that servers set in `guilds`."""
    ledger = Ledger(database, limits, guilds, metrics, prices=prices, slot=slot, shared=shared)
    await ledger.load()
    try:
        yield ledger
    finally:
        await ledger.close()
