"""How well a trick does with none, one, three and all of its examples, on inputs whose answers are known."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from bot.core.caller import Caller
from bot.core.errors import FewshotError, NoModelError, ReplyError
from bot.llm.completion import Answer
from bot.llm.output_parsers import Rating
from bot.llm.template import ChatTemplate
from bot.server.model_gateway import ModelGateway
from bot.server.similarity import likeness
from bot.server.tricks import Trick

LABELLED = Path(__file__).resolve().parents[2] / "templates" / "labelled"
RUNGS = (0, 1, 3)
# Calls at one time, so that one test leaves most of the model's places to everyone else.
SIDE_BY_SIDE = 8


@dataclass(frozen=True, slots=True)
class Case:
    """An input and the answer that is wanted: for ratings the number of stars, else a text."""

    text: str
    wanted: str


class Course(Protocol):
    """What is measured: the cases, how many examples to try, and the prompt for each."""

    @property
    def cases(self) -> Sequence[Case]:
        """The inputs with their answers."""

    @property
    def rungs(self) -> Sequence[int]:
        """Numbers of examples, from few to many."""

    def prompt(self, case: Case, examples: int) -> tuple[ChatTemplate, Mapping[str, str]]:
        """A template with so many examples, and what to fill it with."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """A template of ours on the labelled inputs that come with it."""

    template: ChatTemplate
    cases: Sequence[Case]

    @property
    def rungs(self) -> Sequence[int]:
        """None, one, three and all."""
        return _rungs(len(self.template.examples))

    def prompt(self, case: Case, examples: int) -> tuple[ChatTemplate, Mapping[str, str]]:
        """The template on the case's text."""
        template = self.template.with_examples(examples)
        return template, {template.placeholders[-1]: case.text}


@dataclass(frozen=True, slots=True)
class Taught:
    """A server's trick on each of its own examples, shown the others: never the one that is asked for."""

    trick: Trick

    @property
    def cases(self) -> Sequence[Case]:
        """The examples whose input can be told."""
        inputs = ((self.trick.input_of(example), example) for example in self.trick.examples)
        return [Case(text, example.wanted) for text, example in inputs if text is not None]

    @property
    def rungs(self) -> Sequence[int]:
        """None, one, three and all of the others."""
        return _rungs(len(self.trick.examples) - 1)

    def prompt(self, case: Case, examples: int) -> tuple[ChatTemplate, Mapping[str, str]]:
        """The trick without the example that is the case."""
        framed = self.trick.user_message(case.text)
        others = tuple(example for example in self.trick.examples if example.given != framed)
        template = replace(self.trick, examples=others).for_text(case.text)
        return template.with_examples(examples), {self.trick.input: case.text}


@dataclass(slots=True)
class Point:
    """What came of so many examples: the mean score from 0 to 1, over `asked` cases, and what they took."""

    examples: int
    scores: list[float] = field(default_factory=list)
    tokens: int = 0

    @property
    def score(self) -> float:
        """The mean score."""
        return sum(self.scores) / len(self.scores) if self.scores else 0.0


@dataclass(frozen=True, slots=True)
class Measured:
    """The points of a curve; `problem` says why some of the cases were not tried."""

    points: Sequence[Point]
    problem: str = ""


async def measure(
    gateway: ModelGateway, caller: Caller, course: Course, progress: Callable[[int, int], None]
) -> Measured:
    """Ask all cases of `course` on every rung; `progress` gets the calls done and all of them.

    An answer in a wrong form scores 0. A limit, or a model that fails, ends it: what was tried counts, and where
    nothing was, the error is raised, as is `NoModelError`.
    """
    points = {rung: Point(rung) for rung in course.rungs}
    total = len(course.cases) * len(points)
    waiting, stop = _calls(course), list[FewshotError]()

    async def worker() -> None:
        for case, rung in waiting:
            if stop:
                return
            template, values = course.prompt(case, rung)
            try:
                answer = await gateway.ask(caller, template.fill(values), cache=False)
            except ReplyError:
                points[rung].scores.append(0.0)
            except NoModelError:
                raise
            except FewshotError as error:
                stop.append(error)
                return
            else:
                points[rung].scores.append(_score(answer, case))
                points[rung].tokens += answer.usage.total
            progress(sum(len(point.scores) for point in points.values()), total)

    # Gathered, and not as a group of tasks: an error of a worker comes out as it is.
    workers = [asyncio.create_task(worker(), name="measuring") for _ in range(min(SIDE_BY_SIDE, total))]
    try:
        await asyncio.gather(*workers)
    finally:
        for task in workers:
            task.cancel()
    if stop and not any(point.scores for point in points.values()):
        raise stop[0]
    return Measured(list(points.values()), str(stop[0]) if stop else "")


def labelled(name: str, folder: Path = LABELLED) -> list[Case]:
    """The labelled inputs for the shipped template `name`; none where none come with it. Reads a file."""
    path = folder / f"{name}.jsonl"
    if not path.is_file():
        return []
    lines = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    return [Case(line["input"], str(line["wanted"])) for line in lines]


def _calls(course: Course) -> Iterator[tuple[Case, int]]:
    """Case by case, so that a test that ends early has tried the same cases on every rung."""
    return ((case, rung) for case in course.cases for rung in course.rungs)


def _rungs(most: int) -> Sequence[int]:
    return sorted({rung for rung in RUNGS if rung < most} | {max(most, 0)})


def _score(answer: Answer, case: Case) -> float:
    """1 for the same number of stars; for texts how much they share."""
    reply = answer.reply
    if isinstance(reply, Rating):
        return float(str(reply.stars) == case.wanted.partition(":")[0].strip())
    return likeness(answer.text, case.wanted)
