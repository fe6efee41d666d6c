"""The tests that ship, such as 50 labelled reviews, on chat models: each test is asked once for all servers.

The answers of a model's version are stored one by one, so that an interrupted run goes on, and no answer is paid for
twice. They are asked again after `MAX_AGE`.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import astuple, dataclass, field, replace
from hashlib import sha256
from time import time

from bot.core.caller import SERVER, Caller
from bot.core.errors import FewshotError
from bot.core.json_text import read_json
from bot.llm.completion import Answer
from bot.llm.request import Request
from bot.llm.template import ChatTemplate
from bot.server.evaluation import shipped_cases
from bot.server.model_gateway import ModelGateway
from bot.server.trick_form import PARAMETERS, to_trick
from bot.server.trick_plan import Plan, run
from bot.server.trick_tests import TrickTest
from bot.storage import leases
from bot.storage.database import Database
from bot.storage.key_value import SHIPPED, get_value, names_with_prefix, set_value
from bot.storage.trick_tests import CellRow

# Seconds after which the answers of a model are asked again.
MAX_AGE = 30 * 86_400.0
# The lease of the process that asks, renewed at each answer, and the seconds after which another one may ask.
LEASE, LEASE_SECONDS = "shipped-tests", 900.0


@dataclass(frozen=True, slots=True)
class ShippedAnswers:
    """What a version of a model answers to the tests of a template, by test; `version` is empty where not known."""

    template: str
    model: str
    version: str
    at: float
    cells: dict[str, CellRow] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The name under which they are stored."""
        return f"{_prefix(self.template, self.model)}{_digest(self.version)}"


class ShippedTests:
    """Plans, asks and stores; one for the process. `judge` is the template of a judging model."""

    def __init__(
        self, database: Database, templates: Mapping[str, ChatTemplate], gateway: ModelGateway, judge: ChatTemplate
    ) -> None:
        self._database, self._templates, self._gateway, self._judge = database, templates, gateway, judge
        self._holder = secrets.token_hex(8)

    async def plans(self, model: str) -> dict[str, Plan]:
        """By template: all its tests on `model`, judged exactly."""
        plans = {}
        for name, template in self._templates.items():
            cases = await asyncio.to_thread(shipped_cases, name)
            if cases:
                parameters = {key: value for key, value in template.parameters.items() if key in PARAMETERS}
                tests = [TrickTest(_digest(case.text), case.text, case.expected) for case in cases]
                trick = to_trick(replace(template, parameters=parameters))
                plans[name] = Plan(trick, tests, self._judge, kind="watch", all_only=True, model=model)
        return plans

    async def answers(self, template: str, model: str, version: str) -> ShippedAnswers:
        """The newest stored answers of a version of a model; of any version, where `version` is empty."""
        found = []
        for name in await names_with_prefix(self._database, _prefix(template, model)):
            data = read_json(await get_value(self._database, name) or "null")
            if data and time() - data["at"] < MAX_AGE and (not version or data["version"] in ("", version)):
                cells = {cell[0]: CellRow(*cell) for cell in data["cells"]}
                found.append(ShippedAnswers(template, model, data["version"], data["at"], cells))
        return max(found, key=lambda each: each.at, default=ShippedAnswers(template, model, version, time()))

    async def ask(self, plan: Plan, answers: ShippedAnswers) -> tuple[list[CellRow], FewshotError | None]:
        """Ask the tests of `plan` that are not in `answers`, which get them; returns these, and why it ended early."""
        caller, asked, storing = Caller(SERVER), list[CellRow](), asyncio.Lock()

        async def ask(request: Request) -> Answer:
            return await self._gateway.ask(caller, request, cache=False)

        async def store(cell: CellRow) -> None:
            async with storing:
                asked.append(cell)
                answers.cells[cell.test_id] = cell
                # A version that was not known before is that of the answers.
                version = answers.version or self._gateway.version(answers.model)
                rows = [astuple(each) for each in answers.cells.values()]
                data = {"version": version, "at": answers.at, "cells": rows}
                await set_value(self._database, answers.key, json.dumps(data, ensure_ascii=False))
                await leases.acquire(self._database, LEASE, self._holder, LEASE_SECONDS)

        done = [cell for cell in answers.cells.values() if cell.test_id in {test.id for test in plan.tests}]
        return asked, await run(plan, done, ask, store, lambda _done, _all: None)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[bool]:
        """Whether no other process asks while the block runs."""
        taken = await leases.acquire(self._database, LEASE, self._holder, LEASE_SECONDS)
        try:
            yield taken
        finally:
            if taken:
                await leases.release(self._database, LEASE, self._holder)


def _prefix(template: str, model: str) -> str:
    return f"{SHIPPED}{_digest(f'{template} {model}')}:"


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]
