"""A run of tests on a trick: which prompts it sends for each test, how it sends them, and what the answers say.

A cell is one answer: a test, an arm and a round. An arm is a way to choose the examples in the prompt:

`0`, `1`, `3`  that many examples
`all`          all examples; of more than `EXAMPLES_IN_PROMPT`, those that are nearest to the input
`random`       of more than `EXAMPLES_IN_PROMPT` examples, as many as `all` shows, chosen at random
`before`       the version before, with all its examples
`without-4`    `all` without the fifth example
"""

import random
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from bot.core.concurrency import for_each
from bot.core.errors import FewshotError, ReplyError
from bot.core.i18n import N_, _
from bot.llm.completion import Answer
from bot.llm.request import Request
from bot.llm.template import ChatTemplate
from bot.server import judging
from bot.server.evaluation import CONCURRENT_CALLS, SHOT_COUNTS
from bot.server.judging import plain
from bot.server.ledger import NANO
from bot.server.moderation import BlockedError
from bot.server.similarity import nearest
from bot.server.trick_form import EXAMPLES_IN_PROMPT, Trick
from bot.server.trick_tests import TrickTest
from bot.storage.trick_tests import CellRow, RunKind

# Characters that an answer may have beyond the expected one, for the estimate, and those of a judge's answer.
MORE_CHARACTERS, VERDICT_CHARACTERS = 200, 120
# The arms with so many examples.
SHOTS = tuple(map(str, SHOT_COUNTS))
UNJUDGED = N_("The judge's answer could not be read.")
Ask = Callable[[Request], Coroutine[Any, Any, Answer]]
Store = Callable[[CellRow], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Cell:
    """One answer that a run wants."""

    test: TrickTest
    arm: str
    round: int

    @property
    def key(self) -> tuple[str, str, int]:
        """What identifies the cell in its run."""
        return self.test.id, self.arm, self.round


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run asks: `tests` on `trick`, and on the version `before` it where there is one; each `repeat` times.

    `judge` is one of `JUDGES`, and `judge_template` asks the model that judges. With `all_only`, `all` is the only arm.
    `model` is asked, or by default the one that answers in the channel.
    """

    trick: Trick
    tests: Sequence[TrickTest]
    judge_template: ChatTemplate
    before: Trick | None = None
    kind: RunKind = "score"
    judge: str = "exact"
    repeat: int = 1
    all_only: bool = False
    model: str = ""
    _places: dict[tuple[int, str], list[int]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def cells(self) -> list[Cell]:
        """All cells, test by test, so that a run that ends early has the same tests in each arm."""
        rounds, arms = range(1, self.repeat + 1), self.arms
        return [Cell(test, arm, number) for test in self.tests for number in rounds for arm in arms[test.id]]

    @property
    def arms(self) -> dict[str, list[str]]:
        """The arms of each test, by its id: at most nine where each example is left out in turn."""
        if self.kind == "examples":
            return {test.id: ["all", *(f"without-{place}" for place in self.places(test))] for test in self.tests}
        return dict.fromkeys([test.id for test in self.tests], self.score_arms)

    @property
    def score_arms(self) -> list[str]:
        """The arms that say what the examples are worth together."""
        if self.all_only:
            return ["all"]
        count = min((len(_others(self.trick, test)) for test in self.tests), default=0)
        arms = [shots for shots in SHOTS if int(shots) < count]
        return [*arms, "all", *(["random"] if count > EXAMPLES_IN_PROMPT else []), *(["before"] if self.before else [])]

    def places(self, test: TrickTest, trick: Trick | None = None) -> list[int]:
        """The places of the examples in the prompt of `all`. An example with the test's input is never in a prompt."""
        trick = trick or self.trick
        key = (trick.version, test.id)
        if key not in self._places:
            others = _others(trick, test)
            if len(others) > EXAMPLES_IN_PROMPT:
                texts = [trick.examples[place].given for place in others]
                others = [others[place] for place in nearest(trick.user_message(test.input), texts, EXAMPLES_IN_PROMPT)]
            self._places[key] = others
        return list(self._places[key])

    def request(self, cell: Cell) -> Request:
        """What is sent for a cell."""
        trick = self.before if cell.arm == "before" and self.before is not None else self.trick
        places = self.places(cell.test, trick)
        if cell.arm == "random":
            # The same choice when a run goes on after a restart.
            chooser = random.Random(f"{cell.test.id} {cell.round}")
            places = sorted(chooser.sample(_others(trick, cell.test), len(places)))
        elif cell.arm.startswith("without-"):
            places.remove(int(cell.arm.removeprefix("without-")))
        elif cell.arm in SHOTS:
            places = places[: int(cell.arm)]
        template = trick.template([trick.examples[place] for place in places])
        if self.kind == "examples":  # An answer should change by the example alone, and not by chance.
            template = replace(template, parameters={**template.parameters, "temperature": 0})
        return template.fill({trick.input: cell.test.input}).with_model(self.model or None)

    @property
    def calls(self) -> Iterator[tuple[Request, int]]:
        """Each request, with the characters that its answer may have, for an estimate."""
        for cell in replace(self, repeat=1).cells:
            request, expected = self.request(cell), cell.test.expected or cell.test.input
            calls = [(request, len(expected) + MORE_CHARACTERS)]
            if self.is_judged_by_model:
                asked = judging.question(self.judge_template, cell.test.input, expected, expected)
                calls.append((asked, VERDICT_CHARACTERS))
            for _round in range(self.repeat):
                yield from calls

    @property
    def is_judged_by_model(self) -> bool:
        """Whether each cell needs a second call."""
        return self.judge == "model" and any(test.expected for test in self.tests)


def _others(trick: Trick, test: TrickTest) -> list[int]:
    """The places of the examples that have another input than `test`."""
    given = plain(trick.user_message(test.input))
    return [place for place, example in enumerate(trick.examples) if plain(example.given) != given]


async def run(
    plan: Plan, done: Collection[CellRow], ask: Ask, store: Store, progress: Callable[[int, int], None]
) -> FewshotError | None:
    """Ask every cell that is not `done`, and `store` each answer; `progress` gets the finished and all cells.

    Returns the error that ended the run early: a reached limit, or a model that fails.
    """
    cells = plan.cells
    finished = {(cell.test_id, cell.arm, cell.round) for cell in done}
    waiting = (cell for cell in cells if cell.key not in finished)
    count, stop = len(finished), list[FewshotError]()
    progress(count, len(cells))

    async def answer(cell: Cell) -> None:
        nonlocal count
        if stop:
            return
        try:
            found = await _answered(plan, cell, ask)
        except FewshotError as error:
            stop.append(error)
            return
        await store(found)
        count += 1
        progress(count, len(cells))

    await for_each(waiting, answer, at_once=CONCURRENT_CALLS)
    return stop[0] if stop else None


async def _answered(plan: Plan, cell: Cell, ask: Ask) -> CellRow:
    """The cell with its answer and its score."""
    try:
        answer = await ask(plan.request(cell))
    except ReplyError as error:
        unread = error.answer if isinstance(error.answer, Answer) else None
        return _row(cell, 0.0, str(error), *([unread] if unread else []))
    except BlockedError as error:
        return _row(cell, None, str(error))
    if not cell.test.expected:
        return _row(cell, None, "", answer)
    if plan.judge != "model":
        return _row(cell, judging.compare(plan.judge, answer.reply, answer.text, cell.test.expected), "", answer)
    asked = judging.question(plan.judge_template, cell.test.input, cell.test.expected, answer.text)
    try:
        judgement = await ask(asked)
    except (ReplyError, BlockedError) as error:
        unread = error.answer if isinstance(error, ReplyError) and isinstance(error.answer, Answer) else None
        return _row(cell, None, _(UNJUDGED), answer, *([unread] if unread else []))
    return _row(cell, judging.verdict(judgement), "", answer, judgement)


def _row(cell: Cell, score: float | None, problem: str, *answers: Answer) -> CellRow:
    """The row of a cell: the text of the first answer, and what all of them took."""
    prices = [answer.price for answer in answers]
    known = [price for price in prices if price is not None]
    price = int(sum(known) * NANO) if len(known) == len(prices) else None
    tokens = sum(answer.usage.total for answer in answers)
    return CellRow(*cell.key, answers[0].text if answers else "", score, problem, tokens, price)


# --- what the answers say


def total(cells: Sequence[CellRow]) -> tuple[int, Decimal | None]:
    """The tokens of all cells, and their price in US dollars; None where one is not known."""
    prices = [cell.nanodollars for cell in cells if cell.nanodollars is not None]
    usd = Decimal(sum(prices)) / NANO if len(prices) == len(cells) else None
    return sum(cell.tokens for cell in cells), usd


@dataclass(frozen=True, slots=True)
class ArmResult:
    """The cells of one arm. Scores are from 0 to 1."""

    name: str
    cells: Sequence[CellRow]

    @property
    def rounds(self) -> list[float]:
        """The mean score of each round that has one."""
        rounds: dict[int, list[float]] = {}
        for cell in self.cells:
            if cell.score is not None:
                rounds.setdefault(cell.round, []).append(cell.score)
        return [sum(scores) / len(scores) for _number, scores in sorted(rounds.items())]

    @property
    def score(self) -> float | None:
        """The mean of all scores; None where nothing could be judged."""
        scores = [cell.score for cell in self.cells if cell.score is not None]
        return sum(scores) / len(scores) if scores else None

    @property
    def tokens(self) -> int:
        """The mean number of tokens of a cell."""
        return sum(cell.tokens for cell in self.cells) // max(len(self.cells), 1)


@dataclass(frozen=True, slots=True)
class Failure:
    """A test that the arm `all` got wrong, and its answer in the round when it did."""

    test: TrickTest
    cell: CellRow


@dataclass(frozen=True, slots=True)
class ExampleEffect:
    """What leaving out the example at `place` does, on the `tried` tests that show it.

    `changed` counts other answers, `better` and `worse` tests whose score rises and falls. `tokens` is what the example
    costs a call.
    """

    place: int
    tried: int
    changed: int
    better: int
    worse: int
    tokens: int

    @property
    def is_idle(self) -> bool:
        """Whether the example changes no answer."""
        return self.tried > 0 and not self.changed

    @property
    def is_harmful(self) -> bool:
        """Whether the answers are better without the example."""
        return self.better > self.worse


@dataclass(frozen=True, slots=True)
class Results:
    """The answers of a run, by arm."""

    plan: Plan
    cells: Sequence[CellRow]

    @property
    def arms(self) -> list[ArmResult]:
        """The arms that have an answer, in the order of the plan."""
        names = dict.fromkeys(arm for arms in self.plan.arms.values() for arm in arms)
        found = [ArmResult(name, [cell for cell in self.cells if cell.arm == name]) for name in names]
        return [arm for arm in found if arm.cells]

    @property
    def failures(self) -> list[Failure]:
        """The tests that `all` got wrong in some round."""
        wrong = {
            cell.test_id: cell for cell in self.cells if cell.arm == "all" and cell.score is not None and cell.score < 1
        }
        return [Failure(test, wrong[test.id]) for test in self.plan.tests if test.id in wrong]

    @property
    def unjudged(self) -> list[CellRow]:
        """The cells without a score, of tests that expect an answer."""
        expecting = {test.id for test in self.plan.tests if test.expected}
        return [cell for cell in self.cells if cell.score is None and cell.test_id in expecting]

    @property
    def effects(self) -> list[ExampleEffect]:
        """What each example does, in their order; examples that no test showed are left out."""
        found = {(cell.test_id, cell.arm): cell for cell in self.cells}
        effects = []
        for place in range(len(self.plan.trick.examples)):
            pairs = [
                (found[test.id, "all"], cell)
                for test in self.plan.tests
                if (cell := found.get((test.id, f"without-{place}"))) and (test.id, "all") in found
            ]
            if pairs:
                effects.append(_effect(place, pairs))
        return effects


def _effect(place: int, pairs: Sequence[tuple[CellRow, CellRow]]) -> ExampleEffect:
    """`pairs` are the answers with all examples and without the one at `place`."""
    scores = [(both.score or 0.0, left.score or 0.0) for both, left in pairs]
    return ExampleEffect(
        place,
        len(pairs),
        sum(plain(both.answer) != plain(left.answer) for both, left in pairs),
        sum(left > both for both, left in scores),
        sum(left < both for both, left in scores),
        sum(both.tokens - left.tokens for both, left in pairs) // len(pairs),
    )
