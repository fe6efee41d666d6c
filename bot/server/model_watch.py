"""Model watch: when the model that answers in a server or in a channel changes, the tests run once on the new one.

The tests are those of the server's tricks, and those that ship. What was reported about a server's models is stored,
and the change whose tests are not over. A run's id is computed from its server, trick, change and model, so that a run
goes on after a crash and is never made twice.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from time import monotonic, time
from typing import Any, Literal

from bot.core.caller import SERVER, Caller
from bot.core.errors import InputError, LimitError, NotFoundError
from bot.core.json_text import read_json
from bot.llm.usage import Usage
from bot.server.chat_models import ChatModel, ChatModels
from bot.server.guilds import GuildSettingsStore
from bot.server.model_gateway import Estimate, ModelGateway
from bot.server.shipped_tests import ShippedAnswers, ShippedTests
from bot.server.trick_plan import Plan
from bot.server.trick_runs import TrickRun, TrickRuns
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
# A place is a channel with a default model of its own, by its id, or the rest of the server.
SERVER_PLACE = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """The model that answers in a place, what people call it, its known versions, and its last day if that is known."""

    model: str
    shown: str
    versions: tuple[str, ...] = ()
    last_day: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to the model `old` at a time, and the model `new` on which the tests run.

    `new` is empty where there is none; `detail` is the new version, or the last day. `places` are where `old` answered.
    """

    why: Why
    old: str
    old_shown: str
    new: str
    new_shown: str
    detail: str
    at: float
    old_version: str = ""
    places: tuple[str, ...] = (SERVER_PLACE,)

    @property
    def replaced(self) -> str:
        """The model that the card's button replaces: the one that answers now."""
        return self.old if self.why == "shutdown" else self.new

    @property
    def other(self) -> str:
        """The model that the card's button chooses; empty where there is none."""
        return {"shutdown": self.new, "model": self.old, "version": ""}[self.why]


@dataclass(frozen=True, slots=True)
class Difference:
    """Tests of one name, with the stored answers of the old model, and those of the new model, by test."""

    name: str
    tests: Sequence[TrickTest]
    earlier: dict[str, CellRow]
    now: dict[str, CellRow]
    problem: str = ""

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
    """What the tests say about a change, and the answers that were asked for it.

    Where they take more than the budget, `refused` is their estimate.
    """

    change: Change
    differences: Sequence[Difference] = ()
    refused: Estimate | None = None
    problem: str = ""
    asked: Sequence[CellRow] = ()


@dataclass(frozen=True, slots=True)
class _Trial:
    """A trick's tests: the stored answers of the old model, and the plans to ask the rest, by the id of their run."""

    earlier: dict[str, CellRow]
    plans: dict[str, Plan]


@dataclass(frozen=True, slots=True)
class _ShippedTrial:
    """The tests of a template on both models: their stored answers, and the plans to ask the rest with these."""

    name: str
    plan: Plan
    earlier: ShippedAnswers
    now: ShippedAnswers
    plans: Sequence[tuple[Plan, ShippedAnswers]]


def due(seen: Seen | None, now: Seen, today: date) -> Why | None:
    """Why the tests of a place run; None where nothing happened, or nothing is known of its model before."""
    if seen is None:
        return None
    if now.model != seen.model:
        return "model"
    if 0 < len(seen.versions) < MAX_VERSIONS and set(now.versions) - set(seen.versions):
        return "version"
    if now.last_day and now.last_day != seen.last_day and _days_until(now.last_day, today) <= WARNING_DAYS:
        return "shutdown"
    return None


@dataclass(frozen=True, slots=True)
class _Observation:
    """What was known of the model in a place, what is known now, and why the tests are due."""

    place: str
    before: Seen | None
    now: Seen
    why: Why | None

    @property
    def what(self) -> tuple[Why | None, str, str]:
        """What happened: it is equal in all places of one change."""
        return self.why, self.before.model if self.before else "", self.now.model


def known(seen: Seen | None, now: Seen, why: Why | None) -> Seen:
    """What is stored after `due`; a last day only once it was reported."""
    same = seen is not None and seen.model == now.model
    before = seen.versions if same and seen else ()
    reported = now.last_day if why == "shutdown" else seen.last_day if same and seen else ""
    versions = tuple(dict.fromkeys([*before, *now.versions]))[:MAX_VERSIONS]
    return Seen(now.model, now.shown, versions, reported)


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
        shipped: ShippedTests,
        guilds: GuildSettingsStore,
        most_usd: float,
        unknown_price: float,
    ) -> None:
        self._database, self._models, self._gateway, self._tricks, self._runs = database, models, gateway, tricks, runs
        self._shipped, self._guilds = shipped, guilds
        self.most_usd, self._unknown_price = Decimal(str(most_usd)), Decimal(str(unknown_price))
        self._last_days: dict[str, tuple[str, float]] = {}
        self._changing = asyncio.Lock()

    async def check(self, guild_id: int, channel_id: int) -> Report | None:
        """Run the tests of a change that is not over; None where nothing happened. `channel_id` gets the report.

        None, too, while another process asks the tests that ship: the change waits. Raises `FewshotError` where the
        tests cannot run now. `end` ends the change, after its report was sent.
        """
        async with self._changing:
            change = await self._change(guild_id)
        if change is None:
            return None
        if not change.new:
            return Report(change)
        return await self._report(Caller(SERVER, guild_id, channel_id), change)

    async def end(self, guild_id: int) -> None:
        """Store that the change of a server is over."""
        async with self._changing:
            seen, _change = await self._stored(guild_id)
            await self._store(guild_id, seen, None)

    async def use(self, guild_id: int, name: str, replaced: str) -> ChatModel:
        """Make `name` the default where the model with the digest `replaced` is; no tests run for that.

        Raises `InputError` where it may not be chosen, or the other model answers nowhere any more.
        """
        async with self._changing:
            model = self._models.choose(guild_id, name)
            channels = self._guilds.of(guild_id).channel_models
            here = [
                place for place in (SERVER_PLACE, *channels) if digest(self._default(guild_id, place).name) == replaced
            ]
            if not here:
                raise InputError("The model that this report is about answers nowhere here any more.")
            changed = {place: model.name if place in here else other for place, other in channels.items()}
            own = {"model": model.name} if SERVER_PLACE in here else {}
            await self._guilds.change(guild_id, channel_models=changed, **own)
            seen, change = await self._stored(guild_id)
            await self._store(guild_id, seen | dict.fromkeys(here, Seen(model.name, model.shown)), change)
        return model

    # --- what happened

    async def _change(self, guild_id: int) -> Change | None:
        """The change that is not over, or a new one, which is stored first: of all places where the same happened."""
        seen, change = await self._stored(guild_id)
        if change is not None:
            return change
        channels = self._guilds.of(guild_id).channel_models
        places = dict.fromkeys([SERVER_PLACE, *seen, *channels])
        # In a channel without a default of its own, the server's model answers.
        observed = [await self._observe(guild_id, place, seen.get(place, seen.get(SERVER_PLACE))) for place in places]
        first = next((one for one in observed if one.why), None)
        if first is not None:
            same = tuple(one.place for one in observed if one.what == first.what)
            change = replace(self._described(guild_id, first), places=same)
        after = {}
        for one in observed:
            if change is not None and one.why and one.place not in change.places:
                after[one.place] = one.before or one.now  # Another change, which comes next.
            elif one.place in (SERVER_PLACE, *channels):
                after[one.place] = known(one.before, one.now, one.why)
        if after != seen:
            await self._store(guild_id, after, change)
        return change

    def _described(self, guild_id: int, one: _Observation) -> Change:
        """The change in a place."""
        before, now = one.before, one.now
        assert before is not None, "a change is one from something"
        assert one.why is not None, "something has changed"
        old_version = before.versions[-1] if before.versions else ""
        change = Change(one.why, before.model, before.shown, now.model, now.shown, "", time(), old_version)
        if one.why == "version":
            _version, since = self._gateway.versions[now.model]
            return replace(change, detail=now.versions[-1], at=since - LONGEST_RUN)
        if one.why == "shutdown":
            other = next((each for each in self._models.allowed(guild_id) if each.name != now.model), None)
            new, shown = (other.name, other.shown) if other else ("", "")
            return replace(change, new=new, new_shown=shown, detail=now.last_day)
        return change

    async def _observe(self, guild_id: int, place: str, before: Seen | None) -> _Observation:
        """Compare what is known now of the model that answers in a place with what was known `before`."""
        model = self._default(guild_id, place)
        version = self._gateway.version(model.name)
        now = Seen(model.name, model.shown, (version,) if version else (), await self._last_day(model))
        return _Observation(place, before, now, due(before, now, datetime.now(UTC).date()))

    def _default(self, guild_id: int, place: str) -> ChatModel:
        return self._models.default(Caller(SERVER, guild_id, int(place) if place else None))

    async def _last_day(self, model: ChatModel) -> str:
        day, at = self._last_days.get(model.name, ("", 0.0))
        if not at or monotonic() - at > ASK_AGAIN:
            day = await model.client.shutdown_date(model.name)
            self._last_days[model.name] = day, monotonic()
        return day

    # --- the tests

    async def _report(self, caller: Caller, change: Change) -> Report | None:
        """Ask what is not answered yet. All of it is estimated before the first call."""
        guild_id = caller.guild_id
        assert guild_id is not None, "the watch is about servers"
        names = await self._tricks.all(guild_id)
        trials = {name: trial for name in names if (trial := await self._trial(guild_id, name, change))}
        there = {run.row.id: run for run in await self._runs.watch_runs(guild_id)}
        waiting = [plan for trial in trials.values() for key, plan in trial.plans.items() if key not in there]
        async with self._shipped.alone() as alone:
            if not alone:
                return None
            shipped = await self._shipped_trials(guild_id, change)
            waiting += [plan for trial in shipped for plan, _answers in trial.plans]
            refusal = await self._refusal(caller, change, waiting)
            if refusal is not None:
                return refusal
            found = [await self._asked_shipped(trial) for trial in shipped]
        for name, trial in trials.items():
            with suppress(NotFoundError):  # The trick was removed in the meantime.
                found.append(await self._asked(caller, name, trial, there))
        differences = [difference for difference, _cells in found]
        problem = next(filter(None, (difference.problem for difference in differences)), "")
        return Report(change, differences, problem=problem, asked=[cell for _each, cells in found for cell in cells])

    def _may_ask_old(self, guild_id: int, change: Change) -> bool:
        """Whether the old model still exists as it was, and may be asked in the server."""
        names = [model.name for model in self._models.allowed(guild_id)]
        return change.why != "version" and change.old in names

    async def _refusal(self, caller: Caller, change: Change, plans: Sequence[Plan]) -> Report | None:
        """The report where `plans` do not fit into today's limits or into the budget."""
        total = Estimate(change.new_shown, 0, Usage(), Decimal(0))
        for model in dict.fromkeys(plan.model for plan in plans):
            calls = (call for plan in plans if plan.model == model for call in plan.calls)
            try:
                part = await self._gateway.estimate(caller, calls)
            except LimitError as error:
                return Report(change, problem=str(error))
            price = self._unknown_price * part.usage.total / 1_000_000 if part.price is None else part.price
            price += total.price or 0
            total = replace(total, calls=total.calls + part.calls, usage=total.usage + part.usage, price=price)
        return Report(change, refused=total) if (total.price or 0) > self.most_usd else None

    async def _trial(self, guild_id: int, name: str, change: Change) -> _Trial | None:
        """What a trick's tests need; None where it has none. The old model is asked the tests without an answer."""
        old = [change.old, change.old_shown]
        watched = await self._runs.prepare_watch(guild_id, name, change.new, old, change.at)
        if watched is None:
            return None
        earlier = dict[str, CellRow]()
        for run in watched.earlier:
            cells = (await self._runs.results(run)).cells
            earlier |= {cell.test_id: cell for cell in cells if cell.arm == "all" and cell.round == 1}
        plans = {_run_id(guild_id, name, change.at, change.new): watched.plan}
        missing = [test for test in watched.plan.tests if not _is_judged(earlier, test)]
        if missing and self._may_ask_old(guild_id, change):
            plan = replace(watched.plan, tests=missing, model=change.old)
            plans[_run_id(guild_id, name, change.at, change.old)] = plan
        return _Trial(earlier, plans)

    async def _asked(
        self, caller: Caller, name: str, trial: _Trial, there: Mapping[str, TrickRun]
    ) -> tuple[Difference, Sequence[CellRow]]:
        """Start the runs of a trick, or let them go on; what they say, and their answers."""
        answers, problem, version = list[dict[str, CellRow]](), "", 0
        for key, plan in trial.plans.items():
            run = there.get(key) or await self._runs.start(caller, plan, key)
            if run.row.state == "running":
                run = await self._runs.execute(run, lambda _done, _all: None)
            cells = (await self._runs.results(run)).cells
            answers.append({cell.test_id: cell for cell in cells})
            problem = problem or run.row.problem
            # The stored answers of the old model are about the version of the trick that is there now.
            version = version or run.row.version
        now, *old = answers
        plan = next(iter(trial.plans.values()))
        earlier = trial.earlier if plan.trick.version == version else {}
        for cells_by_test in old:
            earlier = earlier | cells_by_test
        asked = [cell for cells_by_test in answers for cell in cells_by_test.values()]
        return Difference(name, plan.tests, earlier, now, problem), asked

    async def _shipped_trials(self, guild_id: int, change: Change) -> list[_ShippedTrial]:
        """What the tests that ship need: the answers of both models, and the plans to ask the rest."""
        version = change.detail if change.why == "version" else self._gateway.version(change.new)
        trials = []
        for name, plan in (await self._shipped.plans(change.new)).items():
            now = await self._shipped.answers(name, change.new, version)
            earlier = await self._shipped.answers(name, change.old, change.old_version)
            pairs = [(plan, now)]
            if self._may_ask_old(guild_id, change):
                pairs.append((replace(plan, model=change.old), earlier))
            rest = [(_rest(one, answers), answers) for one, answers in pairs]
            trials.append(_ShippedTrial(name, plan, earlier, now, [pair for pair in rest if pair[0].tests]))
        return trials

    async def _asked_shipped(self, trial: _ShippedTrial) -> tuple[Difference, Sequence[CellRow]]:
        """Ask the tests that ship; what they say, and the answers that were asked now."""
        asked, problem = list[CellRow](), ""
        for plan, answers in trial.plans:
            cells, error = await self._shipped.ask(plan, answers)
            asked += cells
            problem = problem or str(error or "")
        tests, earlier, now = trial.plan.tests, trial.earlier.cells, trial.now.cells
        return Difference(f"/{trial.name}", tests, earlier, now, problem), asked

    # --- what is stored

    async def _stored(self, guild_id: int) -> tuple[dict[str, Seen], Change | None]:
        text = await get_value(self._database, f"{WATCHED}{guild_id}")
        if text is None:
            return {}, None
        data: dict[str, Any] = read_json(text)
        if "places" not in data:  # of a version that knew no channels
            return {}, None
        seen = {place: Seen(**{**one, "versions": tuple(one["versions"])}) for place, one in data["places"].items()}
        change = data["change"]
        return seen, Change(**{**change, "places": tuple(change["places"])}) if change else None

    async def _store(self, guild_id: int, seen: Mapping[str, Seen], change: Change | None) -> None:
        places = {place: asdict(one) for place, one in seen.items()}
        data = {"places": places, "change": asdict(change) if change else None}
        await set_value(self._database, f"{WATCHED}{guild_id}", json.dumps(data))


def digest(model: str) -> str:
    """A short name of a model for a button."""
    return sha256(model.encode()).hexdigest()[:8]


def _run_id(guild_id: int, name: str, at: float, model: str) -> str:
    return sha256(f"{guild_id} {name} {at} {model}".encode()).hexdigest()[:16]


def _rest(plan: Plan, answers: ShippedAnswers) -> Plan:
    """The tests of `plan` that are not answered."""
    return replace(plan, tests=[test for test in plan.tests if test.id not in answers.cells])


def _is_judged(cells: Mapping[str, CellRow], test: TrickTest) -> bool:
    return test.id in cells and cells[test.id].score is not None


def _score(cells: Mapping[str, CellRow], test: TrickTest) -> float:
    return (cells[test.id].score or 0.0) if test.id in cells else 0.0


def _days_until(day: str, today: date) -> int:
    """Days until an ISO date; of a text that is none, more than a warning is about."""
    try:
        return (date.fromisoformat(day[:10]) - today).days
    except ValueError:
        return WARNING_DAYS + 1
