"""The ledger: tokens reserved before a call, settled to what was used after it.

Today's sums live in memory, since one process serves a data folder, so the check and the reservation are one
step that nobody can slip into: a hundred calls at the same instant cannot pass a limit together. Every
reservation is durable before its call is made; those that a crash left open are settled at their estimate at
the next start. A day is a UTC day, a month a UTC month.
"""

import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from time import time

from bot.core.errors import LimitError
from bot.llm.prices import Usage
from bot.storage import calls
from bot.storage.database import Database

NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and where: ids of Discord; `guild_id` is None in direct messages."""

    user_id: int
    guild_id: int | None = None
    channel_id: int | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Tokens a UTC day for a person, a server and the whole bot, and US dollars a UTC month for the bot."""

    user: int
    guild: int
    everyone: int
    monthly_usd: float


class Ledger:
    """One for the process; made by `open_ledger`."""

    def __init__(self, database: Database, limits: Limits, now: Callable[[], float] = time) -> None:
        self._database, self._limits, self._now = database, limits, now
        self._day = ""
        self._month = ""
        self._users: Counter[int] = Counter()
        self._guilds: Counter[int] = Counter()
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

    async def reserve(self, asker: Asker, purpose: str, model: str, tokens: int) -> str:
        """Set `tokens` aside for a call and give its id; raises `LimitError` that says when a limit frees up."""
        self._turn_page()
        self._refuse_if_full(asker, tokens)
        call = calls.Call(
            secrets.token_hex(8), self._day, self._now(), asker.user_id, asker.guild_id, purpose, model, tokens
        )
        self._count(asker.user_id, asker.guild_id, tokens)
        self._open[call.id] = call
        try:
            await calls.reserve(self._database, call)
        except BaseException:
            self._give_back(call, 0)
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

    def _refuse_if_full(self, asker: Asker, tokens: int) -> None:
        limits, at = self._limits, int(self._midnight().timestamp())
        if self._users[asker.user_id] + tokens > limits.user:
            raise LimitError(_sentence("You have", tokens, limits.user - self._users[asker.user_id], at))
        if asker.guild_id is not None and self._guilds[asker.guild_id] + tokens > limits.guild:
            raise LimitError(_sentence("This server has", tokens, limits.guild - self._guilds[asker.guild_id], at))
        if self._total + tokens > limits.everyone:
            raise LimitError(_sentence("The bot has", tokens, limits.everyone - self._total, at))
        if self._spent >= limits.monthly_usd * NANO:
            raise LimitError("The bot's budget for this month is spent; it frees up on the first of the next month.")

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
        if day[:7] != self._month:
            self._month, self._spent = day[:7], 0

    def _count(self, user_id: int, guild_id: int | None, tokens: int) -> None:
        self._users[user_id] += tokens
        self._total += tokens
        if guild_id is not None:
            self._guilds[guild_id] += tokens

    def _give_back(self, call: calls.Call, used: int) -> None:
        """Close the reservation; what it held of today's sums becomes what was used."""
        del self._open[call.id]
        if call.day == self._day:
            self._count(call.user_id, call.guild_id, used - call.reserved)


async def open_ledger(database: Database, limits: Limits) -> Ledger:
    """A ledger that knows today's sums."""
    ledger = Ledger(database, limits)
    await ledger.load()
    return ledger


def _sentence(who: str, wanted: int, left: int, at: int) -> str:
    """The refusal, with Discord's own way to write a time so that everyone reads it in their own zone."""
    return (
        f"{who} used up today's tokens: this would take about {wanted:,}, and {max(left, 0):,} are left. "
        f"The limit frees up <t:{at}:R>."
    )
