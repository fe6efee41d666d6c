"""Evaluate a shipped template with no, one, three and all examples on inputs with known answers."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot.core.caller import Caller
from bot.core.concurrency import for_each
from bot.core.errors import FewshotError, NoModelError, ReplyError
from bot.llm.completion import Answer
from bot.llm.output_parsers import Rating
from bot.llm.template import ChatTemplate
from bot.server.model_gateway import ModelGateway
from bot.server.similarity import likeness

LABELLED = Path(__file__).resolve().parents[2] / "templates" / "labelled"
SHOT_COUNTS = (0, 1, 3)
# Concurrent calls of one evaluation. The rest of CHAT_CONCURRENCY stays free for other commands.
CONCURRENT_CALLS = 8


@dataclass(frozen=True, slots=True)
class Case:
    """An input and its expected answer: for ratings the number of stars, otherwise a text."""

    text: str
    expected: str


@dataclass(frozen=True, slots=True)
class LabelledTestSet:
    """A shipped template on the labelled inputs that ship with it."""

    template: ChatTemplate
    cases: Sequence[Case]

    @property
    def shot_counts(self) -> Sequence[int]:
        """No, one, three and all examples."""
        return shot_counts(len(self.template.examples))

    def prompt(self, case: Case, examples: int) -> tuple[ChatTemplate, Mapping[str, str]]:
        """The template filled with the case's text."""
        template = self.template.with_examples(examples)
        return template, {template.placeholders[-1]: case.text}


@dataclass(slots=True)
class Point:
    """The results with one number of examples: scores from 0 to 1, and the tokens used."""

    examples: int
    scores: list[float] = field(default_factory=list)
    tokens: int = 0

    @property
    def score(self) -> float:
        """The mean score."""
        return sum(self.scores) / len(self.scores) if self.scores else 0.0


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """The results for each number of examples; `problem` says why some cases were not tried."""

    points: Sequence[Point]
    problem: str = ""


async def evaluate(
    gateway: ModelGateway, caller: Caller, test_set: LabelledTestSet, progress: Callable[[int, int], None]
) -> LearningCurve:
    """Ask every case with every number of examples; `progress` is called with the finished and the total calls.

    A reply that cannot be parsed scores 0. A reached limit or a failing model ends the evaluation: the results so far
    are returned, or the error is raised if there are none. Raises `NoModelError` at once.
    """
    points = {shots: Point(shots) for shots in test_set.shot_counts}
    total = len(test_set.cases) * len(points)
    # Case by case, so that an evaluation that ends early has the same cases for each number of examples.
    calls = ((case, shots) for case in test_set.cases for shots in test_set.shot_counts)
    stop = list[FewshotError]()

    async def ask(call: tuple[Case, int]) -> None:
        if stop:
            return
        case, shots = call
        template, values = test_set.prompt(case, shots)
        try:
            answer = await gateway.ask(caller, template.fill(values), cache=False)
        except ReplyError:
            points[shots].scores.append(0.0)
        except NoModelError:
            raise
        except FewshotError as error:
            stop.append(error)
            return
        else:
            points[shots].scores.append(_score(answer, case))
            points[shots].tokens += answer.usage.total
        progress(sum(len(point.scores) for point in points.values()), total)

    await for_each(calls, ask, at_once=CONCURRENT_CALLS)
    if stop and not any(point.scores for point in points.values()):
        raise stop[0]
    return LearningCurve(list(points.values()), str(stop[0]) if stop else "")


def shipped_cases(name: str) -> list[Case]:
    """The labelled inputs of the shipped template `name`, or an empty list. Reads a file."""
    path = LABELLED / f"{name}.jsonl"
    return read_cases(path.read_text(encoding="utf-8")) if path.is_file() else []


def read_cases(text: str) -> list[Case]:
    """The cases in JSON Lines with `input` and `wanted`."""
    rows = (json.loads(line) for line in text.splitlines() if line.strip())
    return [Case(row["input"], str(row["wanted"])) for row in rows]


def shot_counts(examples: int) -> Sequence[int]:
    """No, one, three and all of so many examples."""
    return sorted({shots for shots in SHOT_COUNTS if shots < examples} | {max(examples, 0)})


def _score(answer: Answer, case: Case) -> float:
    """For ratings 1 if the stars are equal, else 0; for texts their similarity."""
    reply = answer.reply
    if isinstance(reply, Rating):
        return float(str(reply.stars) == case.expected.partition(":")[0].strip())
    return likeness(answer.text, case.expected)
