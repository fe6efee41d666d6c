"""Model watch: when the model that answers in a server changes, the server's tests run once on the new one.

What was reported about a server's model is stored, and the change whose tests are not over. A run's id is computed from
its server, trick and change, so that a run goes on after a crash and is never made twice.
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from time import monotonic, time
from typing import Any, Literal

from bot.core.caller import SERVER, Caller
from bot.core.errors import LimitError, NotFoundError
from bot.core.text import read_json
from bot.server.chat_models import ChatModel, ChatModels
from bot.server.guilds import GuildSettingsStore
from bot.server.model_gateway import Estimate, ModelGateway
from bot.server.trick_runs import TrickRun, TrickRuns, Watched
from bot.server.trick_tests import TrickTest
from bot.server.tricks import Tricks
from bot.storage.database import Database
from bot.storage.key_value import WATCHED, get_value, set_value
from bot.storage.trick_tests import CellRow

# Days before the shutdown of a model at which it is reported.
WARNING_DAYS = 30
# Versions of a model that are reported. A model server that names another one in each answer would cost a run each.
MAX_VERSIONS = 20
# Seconds until a model server is asked again for the last day of a model.
ASK_AGAIN = 86_400.0
# A run that began so many seconds before the first answer of another version may have got answers of that version.
LONGEST_RUN = 3_600.0
# `model`: another one answers. `version`: the same one has another version. `shutdown`: it will be shut down.
Why = Literal["model", "version", "shutdown"]


@dataclass(frozen=True, slots=True)
class Seen:
    """The model that answers in a server, what people call it, its known versions, and its last day if it is told."""

    model: str
    shown: str
    versions: tuple[str, ...] = ()
    last_day: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to the model `old` at a time, and the model `new` on which the tests run.

    `new` is empty where there is none; `detail` is the new version, or the last day.
    """

    why: Why
    old: str
    old_shown: str
    new: str
    new_shown: str
    detail: str
    at: float


@dataclass(frozen=True, slots=True)
class Difference:
    """A trick's answers by test: the newest ones before the change that are stored, and those of the new model."""

    run: TrickRun
    tests: Sequence[TrickTest]
    earlier: dict[str, CellRow]
    now: dict[str, CellRow]

    @property
    def both(self) -> list[TrickTest]:
        """The tests that both runs judged."""
        return [test for test in self.tests if _is_judged(self.earlier, test) and _is_judged(self.now, test)]

    @property
    def broken(self) -> list[TrickTest]:
        """The tests whose score is lower now."""
        return [test for test in self.both if _score(self.now, test) < _score(self.earlier, test)]

    @property
    def better(self) -> list[TrickTest]:
        """The tests whose score is higher now."""
        return [test for test in self.both if _score(self.now, test) > _score(self.earlier, test)]

    @staticmethod
    def right(cells: dict[str, CellRow], tests: Sequence[TrickTest]) -> int:
        """How many of `tests` are right in `cells`."""
        return sum(_score(cells, test) == 1 for test in tests)


@dataclass(frozen=True, slots=True)
class Report:
    """What the tests say about a change. Where they take more than the budget, `refused` is their estimate."""

    change: Change
    differences: Sequence[Difference]
    refused: Estimate | None = None
    problem: str = ""


def due(seen: Seen | None, now: Seen, today: date) -> Why | None:
    """Why the tests of a server run; None where nothing happened, or nothing is known of its model before."""
    if seen is None:
        return None
    if now.model != seen.model:
        return "model"
    if 0 < len(seen.versions) < MAX_VERSIONS and set(now.versions) - set(seen.versions):
        return "version"
    if now.last_day and now.last_day != seen.last_day and _days_until(now.last_day, today) <= WARNING_DAYS:
        return "shutdown"
    return None


def known(seen: Seen | None, now: Seen, why: Why | None) -> Seen:
    """What is stored after `due`; a last day only once it was reported."""
    same = seen is not None and seen.model == now.model
    before = seen.versions if same and seen else ()
    told = now.last_day if why == "shutdown" else seen.last_day if same and seen else ""
    versions = tuple(dict.fromkeys([*before, *now.versions]))[:MAX_VERSIONS]
    return Seen(now.model, now.shown, versions, told)


class ModelWatch:
    """Watches the models of servers; one for the process. `most_usd` bounds the tests of one change, 0 turns it off.

    `unknown_price` is counted for a million tokens of a model without a known price.
    """

    def __init__(
        self,
        database: Database,
        models: ChatModels,
        gateway: ModelGateway,
        tricks: Tricks,
        runs: TrickRuns,
        guilds: GuildSettingsStore,
        most_usd: float,
        unknown_price: float,
    ) -> None:
        self._database, self._models, self._gateway, self._tricks, self._runs = database, models, gateway, tricks, runs
        self._guilds = guilds
        self.most_usd, self._unknown_price = Decimal(str(most_usd)), Decimal(str(unknown_price))
        self._last_days: dict[str, tuple[str, float]] = {}
        self._changing = asyncio.Lock()

    async def check(self, guild_id: int, channel_id: int) -> Report | None:
        """Run the tests of a change that is not over; None where nothing happened. `channel_id` gets the report.

        Raises `FewshotError` where they cannot run now. `end` ends the change, after its report was sent.
        """
        async with self._changing:
            change = await self._change(guild_id)
        if change is None:
            return None
        runs, report = await self._start(guild_id, channel_id, change)
        for run in runs:
            if run.row.state == "running":
                await self._runs.execute(run, lambda _done, _all: None)
        if report is not None:
            return report
        differences = []
        for run in runs:
            with suppress(NotFoundError):  # The trick was removed in the meantime.
                differences.append(await self._difference(change, await self._runs.find(run.row.id)))
        problems = (each.run.row.problem for each in differences)
        return Report(change, differences, problem=next(filter(None, problems), ""))

    async def end(self, guild_id: int) -> None:
        """Store that the change of a server is over."""
        async with self._changing:
            seen, _change = await self._stored(guild_id)
            await self._store(guild_id, seen, None)

    async def use(self, guild_id: int, name: str) -> ChatModel:
        """Make the model `name` a server's default because of a report; no tests run for that. Raises `InputError`."""
        async with self._changing:
            model = self._models.choose(guild_id, name)
            await self._guilds.change(guild_id, model=model.name)
            _seen, change = await self._stored(guild_id)
            await self._store(guild_id, Seen(model.name, model.shown), change)
        return model

    async def _change(self, guild_id: int) -> Change | None:
        """The change that is not over, or a new one, which is stored first."""
        seen, change = await self._stored(guild_id)
        if change is not None:
            return change
        model = self._models.default(Caller(SERVER, guild_id))
        version, since = self._gateway.versions.get(model.name, ("", 0.0))
        # A server that names no version repeats the name.
        versions = (version,) if version not in ("", model.name) else ()
        now = Seen(model.name, model.shown, versions, await self._last_day(model))
        why = due(seen, now, datetime.now(UTC).date())
        if seen is not None and why is not None:
            change = Change(why, seen.model, seen.shown, model.name, model.shown, "", time())
            if why == "version":
                change = Change(why, seen.model, seen.shown, model.name, model.shown, version, since - LONGEST_RUN)
            elif why == "shutdown":
                other = next((each for each in self._models.allowed(guild_id) if each.name != model.name), None)
                new, shown = (other.name, other.shown) if other else ("", "")
                change = Change(why, model.name, model.shown, new, shown, now.last_day, time())
        after = known(seen, now, why)
        if after != seen:
            await self._store(guild_id, after, change)
        return change

    async def _start(self, guild_id: int, channel_id: int, change: Change) -> tuple[list[TrickRun], Report | None]:
        """All runs of a change, which are estimated together and stored before the first call.

        A report where there are none: they take too much, or do not fit into today's limits.
        """
        caller, started, plans = Caller(SERVER, guild_id, channel_id), list[TrickRun](), dict[str, Watched]()
        there = {run.row.id: run for run in await self._runs.watch_runs(guild_id)}
        for name in await self._tricks.all(guild_id) if change.new else ():
            run_id = sha256(f"{guild_id} {name} {change.at}".encode()).hexdigest()[:16]
            if run_id in there:
                started.append(there[run_id])
            elif watched := await self._watched(guild_id, name, change):
                plans[run_id] = watched
        if plans:
            calls = (call for watched in plans.values() for call in watched.plan.calls)
            try:
                estimate = await self._gateway.estimate(caller, calls)
            except LimitError as error:
                return started, Report(change, (), problem=str(error))
            price = self._unknown_price * estimate.usage.total / 1_000_000 if estimate.price is None else estimate.price
            if price > self.most_usd:
                return started, Report(change, (), replace(estimate, price=price))
        started += [await self._runs.start(caller, watched.plan, run_id) for run_id, watched in plans.items()]
        return started, None

    async def _watched(self, guild_id: int, name: str, change: Change) -> Watched | None:
        return await self._runs.prepare_watch(guild_id, name, change.new, [change.old, change.old_shown], change.at)

    async def _difference(self, change: Change, run: TrickRun) -> Difference:
        results, earlier = await self._runs.results(run), dict[str, CellRow]()
        watched = await self._watched(run.guild_id, run.name, change)
        for before in watched.earlier if watched and watched.plan.trick.version == run.row.version else ():
            cells = (await self._runs.results(before)).cells
            earlier |= {cell.test_id: cell for cell in cells if cell.arm == "all" and cell.round == 1}
        return Difference(run, results.plan.tests, earlier, {cell.test_id: cell for cell in results.cells})

    async def _last_day(self, model: ChatModel) -> str:
        day, at = self._last_days.get(model.name, ("", 0.0))
        if not at or monotonic() - at > ASK_AGAIN:
            day = await model.client.shutdown_date(model.name)
            self._last_days[model.name] = day, monotonic()
        return day

    async def _stored(self, guild_id: int) -> tuple[Seen | None, Change | None]:
        text = await get_value(self._database, f"{WATCHED}{guild_id}")
        if text is None:
            return None, None
        data: dict[str, Any] = read_json(text)
        seen = data["seen"] | {"versions": tuple(data["seen"]["versions"])}
        return Seen(**seen), Change(**data["change"]) if data["change"] else None

    async def _store(self, guild_id: int, seen: Seen | None, change: Change | None) -> None:
        if seen is not None:
            data = {"seen": asdict(seen), "change": asdict(change) if change else None}
            await set_value(self._database, f"{WATCHED}{guild_id}", json.dumps(data))


def _is_judged(cells: dict[str, CellRow], test: TrickTest) -> bool:
    return test.id in cells and cells[test.id].score is not None


def _score(cells: dict[str, CellRow], test: TrickTest) -> float:
    return (cells[test.id].score or 0.0) if test.id in cells else 0.0


def _days_until(day: str, today: date) -> int:
    """Days until an ISO date; of a text that is none, more than a warning is about."""
    try:
        return (date.fromisoformat(day[:10]) - today).days
    except ValueError:
        return WARNING_DAYS + 1
