"""The ledger: tokens reserved before a call, settled to what was used after it.

Today's sums live in memory, since one process serves a data folder, so the check and the reservation are one
step that nobody can slip into: a hundred calls at the same instant cannot pass a limit together. Every
reservation is durable before its call is made; those that a crash left open are settled at their estimate at
the next start. A day is a UTC day, a month a UTC month.
"""

import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from time import time
from types import MappingProxyType

from bot.core.caller import SERVER, Caller
from bot.core.errors import LimitError
from bot.core.i18n import N_
from bot.llm.usage import Usage
from bot.server.guilds import UNSET, GuildSettingsStore
from bot.storage import calls
from bot.storage.database import Database

NANO = 1_000_000_000
# The refusals, by whose limit it is; with Discord's own way to write a time, so that everyone reads it in their zone.
FULL: Mapping[str, str] = MappingProxyType(
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
    """Tokens a UTC day for a person, a server and the whole bot, and US dollars a UTC month for the bot."""

    user: int
    guild: int
    everyone: int
    monthly_usd: float


class Ledger:
    """One for the process; made by `open_ledger`."""

    def __init__(
        self,
        database: Database,
        limits: Limits,
        guilds: GuildSettingsStore | None = None,
        now: Callable[[], float] = time,
    ) -> None:
        self._database, self._limits, self._guild_settings, self._now = database, limits, guilds, now
        self._day = ""
        self._month = ""
        self._users: Counter[int] = Counter()
        self._guilds: Counter[int] = Counter()
        # By server and person: what a server's own limit for a person counts.
        self._members: Counter[tuple[int, int]] = Counter()
        self._total = 0
        self._spent = 0
        self._open: dict[str, calls.Call] = {}

    async def load(self) -> int:
        """Read today's sums, after settling what a crash left open; how many calls that were."""
        orphans = await calls.settle_orphans(self._database)
        self._turn_page()
        for day in await calls.sums_of_day(self._database, self._day):
            self._count(day.user_id, day.guild_id, day.tokens)
        self._spent = await calls.nanodollars_since(self._database, f"{self._month}-01")
        return orphans

    async def reserve(self, caller: Caller, purpose: str, model: str, tokens: int) -> str:
        """Set `tokens` aside for a call and give its id; raises `LimitError` that says when a limit frees up."""
        self._turn_page()
        self._refuse_if_full(caller, tokens)
        call = calls.Call(
            secrets.token_hex(8), self._day, self._now(), caller.user_id, caller.guild_id, purpose, model, tokens
        )
        self._count(caller.user_id, caller.guild_id, tokens)
        self._open[call.id] = call
        try:
            await calls.reserve(self._database, call)
        except BaseException:
            # Also when the asker went away: the row may be on its way, and nothing will be spent on it.
            self.settle(call.id, model, Usage(), None)
            raise
        return call.id

    def settle(self, call_id: str, model: str, usage: Usage, usd: Decimal | None) -> None:
        """Replace a reservation by its `usage`; a price that is not known counts as nothing.

        Counts at once and is written with the next group, so that no answer waits for it.
        A call that never reached a model is settled with no usage, which frees all that was set aside.
        """
        call = self._open.get(call_id)
        if call is None:
            return
        self._turn_page()
        self._give_back(call, usage.total)
        nanodollars = int((usd or Decimal(0)) * NANO)
        self._spent += nanodollars
        calls.settle(
            self._database,
            calls.Settlement(call_id, model or call.model, usage.prompt, usage.cached, usage.completion, nanodollars),
        )

    def spent(self, bill: calls.Bill) -> None:
        """Count a tuning job's price, which is in the database: no tokens, dollars of the month that it is of."""
        self._turn_page()
        if bill.day[:7] == self._month:
            self._spent += bill.nanodollars

    def _refuse_if_full(self, caller: Caller, tokens: int) -> None:
        at = self.frees_up
        for who, limit, used in self._counts(caller):
            if used + tokens > limit:
                raise LimitError(FULL[who], wanted=tokens, left=max(limit - used, 0), at=at)
        if self._spent >= self._limits.monthly_usd * NANO:
            at = self._next_month()
            raise LimitError("The bot's budget for this month is spent; it resets <t:{at}:R>.", at=at)

    def today(self, caller: Caller) -> dict[str, tuple[int, int]]:
        """What was used today, reservations included, and the limit: for the `user`, the `member` in a server that
        has a limit of its own, the `guild`, and the `bot`.
        """
        self._turn_page()
        return {who: (used, limit) for who, limit, used in self._counts(caller)}

    @property
    def frees_up(self) -> int:
        """When the day's limits free up, in seconds since 1970."""
        return int(self._midnight().timestamp())

    def month(self) -> tuple[float, float]:
        """US dollars spent in this month, and how many may be."""
        self._turn_page()
        return self._spent / NANO, self._limits.monthly_usd

    async def days(
        self, count: int, *, user_id: int | None = None, guild_id: int | None = None
    ) -> list[tuple[str, calls.DayUse]]:
        """The last `count` days with their use, the newest last: of a person, of a server, or of all."""
        self._turn_page()
        today = date.fromisoformat(self._day)
        names = [(today - timedelta(days=back)).isoformat() for back in range(count - 1, -1, -1)]
        used = await calls.uses_by_day(self._database, names[0], user_id=user_id, guild_id=guild_id)
        return [(name, used.get(name, calls.DayUse())) for name in names]

    def _counts(self, caller: Caller) -> Iterator[tuple[str, int, int]]:
        """Who is limited, to how many tokens a day, and what they used: the operator's limits and the server's."""
        limits, user, guild = self._limits, caller.user_id, caller.guild_id
        own = self._guild_settings.of(guild) if self._guild_settings else UNSET
        if user != SERVER:
            yield "user", limits.user, self._users[user]
            if guild is not None and own.user_tokens is not None:
                yield "member", own.user_tokens, self._members[guild, user]
        if guild is not None:
            yield "guild", min(limits.guild, own.guild_tokens or limits.guild), self._guilds[guild]
        yield "bot", limits.everyone, self._total

    def _next_month(self) -> int:
        """When the next UTC month begins, in seconds since 1970."""
        first = datetime.fromtimestamp(self._now(), UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return int((first + timedelta(days=32)).replace(day=1).timestamp())

    def _midnight(self) -> datetime:
        today = datetime.fromtimestamp(self._now(), UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return today + timedelta(days=1)

    def _turn_page(self) -> None:
        """Begin a new day, and a new month, when they have begun."""
        day = datetime.fromtimestamp(self._now(), UTC).date().isoformat()
        if day != self._day:
            self._day, self._total = day, 0
            self._users.clear()
            self._guilds.clear()
            self._members.clear()
        if day[:7] != self._month:
            self._month, self._spent = day[:7], 0

    def _count(self, user_id: int, guild_id: int | None, tokens: int) -> None:
        self._users[user_id] += tokens
        self._total += tokens
        if guild_id is not None:
            self._guilds[guild_id] += tokens
            self._members[guild_id, user_id] += tokens

    def _give_back(self, call: calls.Call, used: int) -> None:
        """Close the reservation; what it held of today's sums becomes what was used."""
        del self._open[call.id]
        if call.day == self._day:
            self._count(call.user_id, call.guild_id, used - call.reserved)


async def open_ledger(database: Database, limits: Limits, guilds: GuildSettingsStore | None = None) -> Ledger:
    """A ledger that knows today's sums, and obeys what servers set in `guilds`."""
    ledger = Ledger(database, limits, guilds)
    await ledger.load()
    return ledger
