"""Test runs of servers' tricks. Each answer is stored when it arrives, so that a run goes on after a crash."""

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from time import time

from bot.core.caller import Caller
from bot.core.errors import FewshotError, InputError, NotFoundError
from bot.core.i18n import N_
from bot.core.json_text import read_json
from bot.llm.completion import Answer
from bot.llm.request import Request
from bot.llm.template import ChatTemplate
from bot.server.judging import JUDGES, judge_of
from bot.server.model_gateway import Estimate, ModelGateway
from bot.server.trick_form import Trick
from bot.server.trick_plan import Plan, Results, run
from bot.server.trick_tests import TrickTest, TrickTests, is_example
from bot.server.tricks import NO_VERSION, REMOVED, Tricks, Version
from bot.storage import trick_tests as rows
from bot.storage.database import Database
from bot.storage.trick_tests import RunKind, TrickRun

__all__ = ["MAX_REPEAT", "Prepared", "TrickRun", "TrickRuns", "Watched"]
MAX_REPEAT = 5
RUN_NOT_STORED = N_("This test run is not stored any more.")
BUSY = N_("A test of {name} is running already; wait for it, or stop it.")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan, and the tests that it leaves out because they are examples of the trick."""

    plan: Plan
    left_out: Sequence[TrickTest]


@dataclass(frozen=True, slots=True)
class Watched:
    """A plan to ask a model a trick's tests, and the stored runs that it is compared with, oldest first."""

    plan: Plan
    earlier: Sequence[TrickRun]


class TrickRuns:
    """Prepares, starts and executes test runs; one for the process."""

    def __init__(
        self, database: Database, tricks: Tricks, tests: TrickTests, gateway: ModelGateway, judge: ChatTemplate
    ) -> None:
        self._database, self._tricks, self._tests, self._gateway = database, tricks, tests, gateway
        self.judge_template = judge

    async def prepare(
        self, guild_id: int, name: str, *, kind: RunKind = "score", judge: str = "", repeat: int = 1, source: str = ""
    ) -> Prepared:
        """Plan a run of a trick's tests, or of those that failed in the run `source`.

        A trick without tests is tested on its own examples, each asked for with the others in the prompt. Raises
        `InputError` where there is nothing to test, or `NotFoundError`.
        """
        trick, tests = await self._tests.all(guild_id, name)
        if source:
            tests = [failure.test for failure in (await self.results(await self.find(source))).failures]
        elif not tests:
            tests = _from_examples(trick)
            if len(tests) < 2:
                raise InputError("{name} has no test yet: add one with /trick test add.", name=trick.name)
            return Prepared(await self._plan(guild_id, trick, tests, kind, judge, repeat), ())
        good = [test for test in tests if not is_example(trick, test.input)]
        if not good:
            raise InputError("There is nothing left to test: every test is an example of {name}.", name=trick.name)
        plan = await self._plan(guild_id, trick, good, kind, judge, repeat)
        return Prepared(plan, [test for test in tests if test not in good])

    async def prepare_input(self, guild_id: int, user_id: int, name: str, text: str) -> Plan:
        """Plan to leave out each example in turn on one input, which has no expected answer."""
        trick = await self._tricks.get(guild_id, name)
        return await self._plan(guild_id, trick, [TrickTest("input", text, "", user_id)], "examples", "", 1)

    async def estimate(self, caller: Caller, plan: Plan) -> Estimate:
        """What a run may take; raises `LimitError` where it does not fit into today's limits."""
        return await self._gateway.estimate(caller, plan.calls)

    async def prepare_watch(
        self, guild_id: int, name: str, model: str, old: Sequence[str], at: float
    ) -> Watched | None:
        """Plan to ask `model` a trick's tests once, judged as in the last run before `at` of one of the models `old`.

        None where the trick has no test that is not an example of it.
        """
        trick, tests = await self._tests.all(guild_id, name)
        good = [test for test in tests if not is_example(trick, test.input)]
        if not good:
            return None
        earlier = await rows.earlier_runs(self._database, guild_id, trick.name, trick.version, old, at)
        judge = earlier[-1].row.judge if earlier else judge_of(trick)
        plan = Plan(trick, good, self.judge_template, kind="watch", judge=judge, all_only=True, model=model)
        return Watched(plan, [run for run in earlier if run.row.judge == judge])

    async def start(self, caller: Caller, plan: Plan, run_id: str = "") -> TrickRun:
        """Store a new run, which `execute` executes. Raises `LimitError`, `InputError` or `NotFoundError`."""
        estimate = await self.estimate(caller, plan)
        assert caller.guild_id is not None, "tricks belong to servers"
        assert caller.channel_id is not None, "a command is used in a channel"
        row = rows.RunRow(
            run_id or secrets.token_hex(8),
            caller.user_id,
            time(),
            plan.kind,
            plan.trick.version,
            plan.judge,
            plan.repeat,
            json.dumps([asdict(test) for test in plan.tests], ensure_ascii=False),
            caller.channel_id,
            plan.model or estimate.model,
        )
        outcome = await rows.add_run(self._database, caller.guild_id, plan.trick.name, row)
        if outcome == "busy":
            raise InputError(BUSY, name=plan.trick.name)
        if outcome == "gone":
            raise NotFoundError(REMOVED)
        return TrickRun(caller.guild_id, plan.trick.name, row)

    async def go_on(self, caller: Caller, run_id: str) -> TrickRun:
        """Let a stopped run go on, with its stored answers. Raises `InputError`, `LimitError` or `NotFoundError`."""
        found = await self.find(run_id)
        await self._gateway.estimate(caller, self._rest(await self._load(found), await self._cells(found)))
        if not await rows.resume_run(self._database, run_id):
            raise InputError(BUSY, name=found.name)
        return await self.find(run_id)

    async def execute(self, found: TrickRun, progress: Callable[[int, int], None]) -> TrickRun:
        """Ask what is not answered yet; returns the run at its end. `progress` gets the finished and all answers.

        After a cancellation the run is still running: it goes on at the next start.
        """
        row = found.row
        caller = Caller(row.user_id, found.guild_id, row.channel_id)

        async def ask(request: Request) -> Answer:
            return await self._gateway.ask(caller, request, cache=False)

        async def store(cell: rows.CellRow) -> None:
            await rows.add_cell(self._database, row.id, cell)

        try:
            plan, done = await self._load(found), await self._cells(found)
            problem = await run(plan, done, ask, store, progress)
        except FewshotError as error:  # The version is not stored any more, or the database cannot be used.
            problem = error
        await rows.end_run(self._database, row.id, "stopped" if problem else "done", str(problem or ""))
        return await self.find(row.id)

    async def stop(self, run_id: str) -> None:
        """Store that a run was stopped, if it is not over. Its task must have ended."""
        await rows.end_run(self._database, run_id, "stopped")

    async def set_message(self, run_id: str, message_id: int) -> None:
        """Store which message shows a run."""
        await rows.set_run_message(self._database, run_id, message_id)

    async def watch_runs(self, guild_id: int) -> list[TrickRun]:
        """The runs of the model watch of a server."""
        return await rows.watch_runs(self._database, guild_id)

    async def running(self) -> list[TrickRun]:
        """The runs that a stop or a crash of the bot has interrupted, of all servers."""
        return await rows.running(self._database)

    async def find(self, run_id: str, guild_id: int | None = None) -> TrickRun:
        """A run, of that server where it is given; raises `NotFoundError`."""
        found = await rows.find_run(self._database, run_id)
        if found is None or guild_id not in (None, found.guild_id):
            raise NotFoundError(RUN_NOT_STORED)
        return found

    async def results(self, found: TrickRun) -> Results:
        """The answers of a run so far."""
        return Results(await self._load(found), await self._cells(found))

    async def _cells(self, found: TrickRun) -> list[rows.CellRow]:
        return await rows.cells_of(self._database, found.row.id)

    async def _load(self, found: TrickRun) -> Plan:
        """The plan of a stored run."""
        row = found.row
        tests = [TrickTest(**test) for test in read_json(row.tests)]
        _name, versions = await self._tricks.history(found.guild_id, found.name)
        trick = _at(versions, row.version, found.name)
        if trick is None:
            raise NotFoundError(NO_VERSION)
        before = _at(versions, row.version - 1, found.name) if row.kind == "score" else None
        model = row.model if row.kind == "watch" else ""
        return Plan(
            trick,
            tests,
            self.judge_template,
            before,
            row.kind,
            row.judge,
            row.repeat,
            all_only=bool(model),
            model=model,
        )

    async def _plan(
        self, guild_id: int, trick: Trick, tests: Sequence[TrickTest], kind: RunKind, judge: str, repeat: int
    ) -> Plan:
        before = None
        if kind == "score" and trick.version > 1:
            _name, versions = await self._tricks.history(guild_id, trick.name)
            before = _at(versions, trick.version - 1, trick.name)
        judge = judge if judge in JUDGES else judge_of(trick)
        return Plan(trick, tests, self.judge_template, before, kind, judge, min(max(repeat, 1), MAX_REPEAT))

    def _rest(self, plan: Plan, done: Sequence[rows.CellRow]) -> list[tuple[Request, int]]:
        """The calls of a plan, as many as are not answered yet: close enough for an estimate."""
        left = 1 - len(done) / max(len(plan.cells), 1)
        calls = list(plan.calls)
        return calls[: max(int(left * len(calls)), 1)]


def _at(versions: Sequence[Version], number: int, name: str) -> Trick | None:
    """The trick as it was in a version; None where that is not stored or not allowed any more."""
    version = next((version for version in versions if version.number == number), None)
    try:
        return None if version is None else version.trick(name)
    except FewshotError:
        return None


def _from_examples(trick: Trick) -> list[TrickTest]:
    """The examples whose input can be told from their message, as tests."""
    inputs = ((place, trick.input_of(example), example.wanted) for place, example in enumerate(trick.examples))
    return [TrickTest(f"example-{place}", text, wanted) for place, text, wanted in inputs if text]
