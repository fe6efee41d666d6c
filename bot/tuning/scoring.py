"""Scoring a tuned model: trained, held-out, noisy and unanswerable questions, and what base models make of them.

`Scorer` asks; every answer is stored at once, so that after a crash nothing is asked twice. `Scorecard` is the result.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from functools import partial
from time import time
from typing import Any

from bot.core.caller import Caller
from bot.core.errors import ModelError, NoModelError, ReplyError
from bot.core.i18n import N_, _
from bot.core.json_text import read_json, without_surrogates
from bot.llm.completion import Answer
from bot.llm.request import Request
from bot.llm.template import ChatTemplate
from bot.server.ledger import NANO
from bot.server.model_gateway import ModelGateway
from bot.storage import tuning as tuning_rows
from bot.storage.database import Database
from bot.storage.datasets import PairRow
from bot.storage.tuning import JobRow, ModelRow
from bot.tuning import lineage
from bot.tuning.corpus import Corpora
from bot.tuning.corrections import confirmed_pairs
from bot.tuning.inference import TUNED, WITH_FACTS, base_of, for_model, question_values
from bot.tuning.localized_text import localize, serialize
from bot.tuning.providers import Provider
from bot.tuning.questions import Progress, no_progress
from bot.tuning.retrieval import NearestQuestions, facts_of
from bot.tuning.rows import ANSWERABLE
from bot.tuning.split import HELD_OUT
from bot.tuning.subjects import CorpusSubject, TemplateSubject, subject_of
from bot.tuning.words import digest

# The lines of a card, by the names that they are stored under and shown with in a table.
TRAINED, HELD, NOISY = N_("train"), N_("held-out"), N_("noisy")
REFUSED_HELD, REFUSED_UNSEEN = N_("refusals, held-out"), N_("refusals, never seen")
FIRST_APART = N_("first 100 written apart")
# Answers that people corrected, and an operator confirmed.
CORRECTED = N_("corrected by people")
NEAREST, BASE, BASE_WITH_FACTS = N_("nearest question's answer"), N_("base"), N_("base, with the facts")
# Lines of a model that was tuned for a template. The chat model answers the same inputs with all examples.
NEAR, FEW_SHOT = N_("held-out, at most one star off"), N_("few-shot prompt")
FEW_SHOT_NEAR = N_("few-shot prompt, at most one star off")
# Wrong answers that a card keeps, to be read by people.
SHOWN_WRONG = 40
# Training rows that are asked again, drawn alike in every process: enough for a percent, cheap enough to pay.
SAMPLE = 200
# Held-out questions that the base models are asked; their prompts are long.
BASE_SAMPLE = 50
# Questions that a release is judged by, where there are as many.
FIRST = 100
# Questions asked at one time, and stored together.
CONCURRENT = 16
Sets = dict[str, list[PairRow]]
# Says whether an answer is `right`, `refused` or `wrong`.
Judge = Callable[[str, PairRow], str]


@dataclass(frozen=True, slots=True)
class ScoreLine:
    """One line of a card. `right` counts proper refusals too; `refused` are answers that were known and not given.

    `note` is serialized (`bot.tuning.localized_text`); `remark` is its sentence.
    """

    name: str
    right: int
    refused: int
    wrong: int
    model: str = ""
    note: str = ""

    @property
    def total(self) -> int:
        """The questions asked."""
        return self.right + self.refused + self.wrong

    @property
    def remark(self) -> str:
        """The note in the reader's language."""
        return localize(self.note)

    @property
    def share(self) -> float:
        """The share that is right; 1 where nothing was asked."""
        return self.right / self.total if self.total else 1.0


@dataclass(frozen=True, slots=True)
class WrongAnswer:
    """A wrong answer; `mark` is the name of its line."""

    mark: str
    question: str
    wanted: str
    said: str


@dataclass(frozen=True, slots=True)
class Scorecard:
    """All lines of one model; `at` in seconds since 1970."""

    model: str
    at: float
    marks: tuple[ScoreLine, ...]
    wrong: tuple[WrongAnswer, ...] = ()

    def mark(self, name: str) -> ScoreLine | None:
        """The line of that name."""
        return next((mark for mark in self.marks if mark.name == name), None)

    def share(self, *names: str) -> float | None:
        """The share that is right over several lines; None where none of them asked anything."""
        found = [mark for name in names if (mark := self.mark(name)) is not None and mark.total]
        return sum(mark.right for mark in found) / sum(mark.total for mark in found) if found else None

    def to_json(self) -> str:
        """The card as text for the database."""
        return without_surrogates(json.dumps(asdict(self), ensure_ascii=False))

    @classmethod
    def from_json(cls, text: str) -> "Scorecard":
        """The card of a text that `to_json` returned."""
        data: dict[str, Any] = read_json(text)
        marks = tuple(ScoreLine(**mark) for mark in data["marks"])
        return cls(data["model"], data["at"], marks, tuple(WrongAnswer(**wrong) for wrong in data["wrong"]))


class Scorer:
    """Scores models; one for the process. `gateway` asks the chat model."""

    def __init__(
        self, database: Database, templates: Mapping[str, ChatTemplate], gateway: ModelGateway, corpora: Corpora
    ) -> None:
        self._database, self._templates, self._gateway, self._corpora = database, templates, gateway, corpora

    async def score(
        self, model: ModelRow, provider: Provider, caller: Caller, progress: Progress = no_progress
    ) -> Scorecard:
        """Ask everything that was not asked yet, and store the card. Raises `LimitError` or `ModelError`."""
        ids = await lineage.dataset_ids(self._database, model.dataset_id, model.parent)
        trained, _ = await lineage.training_pairs(self._database, ids)
        dataset = await lineage.get_dataset(self._database, model.dataset_id)
        untrained = await lineage.test_pairs(self._database, ids)
        sets = await asyncio.to_thread(question_sets, trained, untrained)
        sets[CORRECTED] = await confirmed_pairs(self._database, model.corpus, dataset.refusal)
        asking = _Asking(self._database, caller, progress)
        subject = subject_of(self._templates, dataset)
        requests = {
            pair.question: subject.request(pair.question, model.name) for pairs in sets.values() for pair in pairs
        }
        answers = await asking.all(model.name, requests, provider.gateway)
        marks, wrong = await asyncio.to_thread(_score_lines, sets, trained, answers, subject.judge, model.name)
        held = sets[HELD] + sets[REFUSED_HELD]
        marks.append(await asyncio.to_thread(_nearest, trained, held, subject.judge))
        if isinstance(subject, TemplateSubject):
            marks = [mark for mark in marks if mark.total]  # It refuses nothing.
            marks += await self._few_shot_lines(subject, model, held, answers, asking)
        else:
            marks += await self._base_lines(subject, model, held, provider, asking)
        card = Scorecard(model.name, time(), tuple(marks), tuple(wrong[:SHOWN_WRONG]))
        await tuning_rows.change_model(self._database, model.name, scorecard=card.to_json())
        return card

    async def _few_shot_lines(
        self,
        subject: TemplateSubject,
        model: ModelRow,
        held: Sequence[PairRow],
        answers: Mapping[str, str],
        asking: "_Asking",
    ) -> list[ScoreLine]:
        """The chat model with all examples on the same inputs, with prices and times. Ratings have two lines more."""
        judge = partial(subject.judge, loosely=True)
        name = self._gateway.model
        requests = {pair.question: subject.few_shot(pair.question) for pair in held}
        few_shot, unavailable = await _others(asking, f"{name} ({FEW_SHOT})", requests, self._gateway)
        marks = []
        if subject.is_rating:
            near = [(pair, answers[pair.question]) for pair in held]
            marks.append(_score_line(NEAR, near, judge, model=model.name)[0])
        if unavailable:
            return [*marks, ScoreLine(FEW_SHOT, 0, 0, 0, name, unavailable)]
        job = await tuning_rows.get_job(self._database, model.job_id)
        note = _costs(asking.spent.get(f"{name} ({FEW_SHOT})"), asking.spent.get(model.name), name, job)
        answered = [(pair, few_shot[pair.question]) for pair in held]
        marks.append(_score_line(FEW_SHOT, answered, subject.judge, model=name, note=note)[0])
        if subject.is_rating:
            marks.append(_score_line(FEW_SHOT_NEAR, answered, judge, model=name, note=name)[0])
        return marks

    async def _base_lines(
        self,
        subject: CorpusSubject,
        model: ModelRow,
        held: Sequence[PairRow],
        provider: Provider,
        asking: "_Asking",
    ) -> list[ScoreLine]:
        """The base model without and with the facts in its prompt; a line that cannot be asked says why."""
        sample = sorted(held, key=lambda pair: digest("rival", pair.question))[:BASE_SAMPLE]
        name, gateway = base_of(model, self._gateway, provider.gateway)
        judge = partial(subject.judge, loosely=True)
        facts = await asyncio.to_thread(facts_of, self._corpora.get(model.corpus))
        bare, with_facts = (for_model(self._templates[key], name) for key in (TUNED, WITH_FACTS))
        bare_requests, facts_requests = {}, {}
        for pair in sample:
            bare_requests[pair.question] = bare.fill(question_values(pair.question, model.corpus, subject.refusal))
            about = await asyncio.to_thread(facts.about, pair.question)
            values = {"question": pair.question, "facts": about, "refusal": subject.refusal}
            facts_requests[pair.question] = with_facts.fill(values)
        marks = []
        for line, requests in ((BASE, bare_requests), (BASE_WITH_FACTS, facts_requests)):
            answers, unavailable = await _others(asking, f"{name} ({line})", requests, gateway)
            if unavailable:
                marks.append(ScoreLine(line, 0, 0, 0, name, unavailable))
                continue
            answered = [(pair, answers[pair.question]) for pair in sample]
            note = serialize(N_("{model}, {n:,} of them"), model=name, n=len(sample))
            marks.append(_score_line(line, answered, judge, model=name, note=note)[0])
        return marks


class _Asking:
    """Asks the questions that are not answered yet, several at a time, and stores the answers of each round."""

    def __init__(self, database: Database, caller: Caller, progress: Progress) -> None:
        self._database, self._caller, self._progress = database, caller, progress
        # The price, in US dollars, and the seconds of each answer that was asked now, by the model's name.
        self.spent: dict[str, list[tuple[Decimal | None, float]]] = {}

    async def all(self, name: str, requests: Mapping[str, Request], gateway: ModelGateway) -> dict[str, str]:
        """The answer to every question; `name` is the model that they are stored under."""
        keys = {
            question: digest(json.dumps(request.messages, ensure_ascii=False)) for question, request in requests.items()
        }
        known = await tuning_rows.score_answers(self._database, name)
        waiting = [question for question, key in keys.items() if key not in known]
        for at in range(0, len(waiting), CONCURRENT):
            self._progress(len(requests) - len(waiting) + at, len(requests))
            some = waiting[at : at + CONCURRENT]
            answers = await asyncio.gather(*(self._answer(name, requests[question], gateway) for question in some))
            new = {keys[question]: without_surrogates(answer) for question, answer in zip(some, answers, strict=True)}
            await tuning_rows.add_score_answers(self._database, name, new)
            known |= new
        self._progress(len(requests), len(requests))
        return {question: known[key] for question, key in keys.items()}

    async def _answer(self, name: str, request: Request, gateway: ModelGateway) -> str:
        """One answer; empty where no model is connected and the stand-in has no rule for the question."""
        try:
            answer = await gateway.ask(self._caller, request, cache=False, background=True)
        except NoModelError:
            return ""
        except ReplyError as error:  # It is judged as it is.
            if not isinstance(error.answer, Answer):
                raise
            answer = error.answer
        self.spent.setdefault(name, []).append((answer.price, answer.seconds))
        return answer.text


async def _others(
    asking: _Asking, name: str, requests: Mapping[str, Request], gateway: ModelGateway
) -> tuple[dict[str, str], str]:
    """The answers of another model; or none, and the serialized reason."""
    try:
        answers = await asking.all(name, requests, gateway)
    except ModelError:
        return {}, serialize(N_("not available"))
    return answers, "" if any(answers.values()) else serialize(N_("no model connected"))


def _costs(
    few_shot: list[tuple[Decimal | None, float]] | None,
    tuned: list[tuple[Decimal | None, float]] | None,
    name: str,
    job: JobRow | None,
) -> str:
    """What a call of each way costs and takes, and when training has paid for itself; serialized."""
    if not few_shot or not tuned:
        return name
    times = {"model": name, "a": _mean([at for _, at in few_shot]), "b": _mean([at for _, at in tuned])}
    prices = [[price for price, _ in spent if price is not None] for spent in (few_shot, tuned)]
    if not all(prices) or job is None or job.nanodollars is None:
        return serialize(N_("{model}, {a:,.1f} s a call; the tuned model {b:,.1f} s"), **times)
    one, other = (sum(each, Decimal(0)) / len(each) for each in prices)
    usd = {"usd": float(one), "tuned": float(other)}
    saved = one - other
    if saved <= 0:
        return serialize(
            N_("{model}, ${usd:,.6f} and {a:,.1f} s a call; the tuned model ${tuned:,.6f} and {b:,.1f} s"),
            **times,
            **usd,
        )
    calls = int(Decimal(job.nanodollars) / NANO / saved) + 1
    return serialize(
        N_(
            "{model}, ${usd:,.6f} and {a:,.1f} s a call; the tuned model ${tuned:,.6f} and {b:,.1f} s, so that "
            "training pays after {n:,} calls"
        ),
        **times,
        **usd,
        n=calls,
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def question_sets(trained: Sequence[PairRow], untrained: Sequence[PairRow]) -> Sets:
    """The questions by line of the card."""
    sample = sorted(trained, key=lambda pair: digest("sample", pair.question))[:SAMPLE]
    held = [pair for pair in untrained if pair.kind == ANSWERABLE]
    refused = [pair for pair in untrained if pair.kind != ANSWERABLE]
    return {
        TRAINED: sorted(sample, key=lambda pair: pair.line),
        HELD: held,
        NOISY: [replace(pair, question=noisy(pair.question)) for pair in held],
        REFUSED_HELD: [pair for pair in refused if pair.role == HELD_OUT],
        REFUSED_UNSEEN: [pair for pair in refused if pair.role != HELD_OUT],
    }


def noisy(question: str) -> str:
    """A question as typed in haste: lower case, no question mark, two letters of a longer word swapped."""
    parts = question.lower().rstrip("?.! ").split(" ")
    long = [at for at, word in enumerate(parts) if len(word) > 4 and word.isalpha()]
    if long:
        at = long[int(digest("typo", question), 16) % len(long)]
        parts[at] = parts[at][:2] + parts[at][3] + parts[at][2] + parts[at][4:]
    return " ".join(parts)


def _score_lines(
    sets: Sets, trained: Sequence[PairRow], answers: Mapping[str, str], judge: Judge, model: str
) -> tuple[list[ScoreLine], list[WrongAnswer]]:
    """A line for each set, and one for the first hundred questions that were written apart from the rows."""
    marks, wrong = [], []
    for name, pairs in sets.items():
        mark, bad = _score_line(name, [(pair, answers[pair.question]) for pair in pairs], judge, model=model)
        if name != CORRECTED:
            marks.append(mark)
            wrong += bad
        elif pairs:  # Without the wrong answers: a scorecard holds no words of people.
            marks.append(mark)
    first = _written_apart(sets, trained)[:FIRST]
    if len(first) == FIRST:
        answered = [(pair, answers[pair.question]) for pair in first]
        marks.append(_score_line(FIRST_APART, answered, judge, model=model)[0])
    return marks, wrong


def _written_apart(sets: Sets, trained: Sequence[PairRow]) -> list[PairRow]:
    """The questions of a corpus's own test file, in its order: their lines come after all trained lines.

    Empty where wordings of the rows themselves were held out.
    """
    asked = [*sets[HELD], *sets[REFUSED_HELD], *sets[REFUSED_UNSEEN]]
    found: list[PairRow] = []
    for dataset_id in {pair.dataset_id for pair in asked}:
        last = max((pair.line for pair in trained if pair.dataset_id == dataset_id), default=0)
        mine = [pair for pair in asked if pair.dataset_id == dataset_id]
        first = min((pair.line for pair in mine if pair.role == HELD_OUT), default=0)
        if first > last:
            found += [pair for pair in mine if pair.line >= first]
    return sorted(found, key=lambda pair: (pair.dataset_id, pair.line))


def _nearest(trained: Sequence[PairRow], held: Sequence[PairRow], judge: Judge) -> ScoreLine:
    """The score of answering with the answer of the nearest training question."""
    index = NearestQuestions(trained)
    answered = [(pair, found[0][0].answer if (found := index.find(pair.question, 1)) else "") for pair in held]
    return _score_line(NEAREST, answered, judge, note=serialize(N_("a baseline, no model")))[0]


def _score_line(
    name: str,
    answered: Iterable[tuple[PairRow, str]],
    judge: Judge,
    *,
    model: str = "",
    note: str = "",
) -> tuple[ScoreLine, list[WrongAnswer]]:
    """The line for `answered`, and its wrong answers."""
    counts = {"right": 0, "refused": 0, "wrong": 0}
    wrong = []
    for pair, answer in answered:
        verdict = judge(answer, pair)
        counts[verdict] += 1
        if verdict == "wrong":
            wrong.append(WrongAnswer(name, pair.question, pair.answer, answer))
    return ScoreLine(name, counts["right"], counts["refused"], counts["wrong"], model, note), wrong


def table(card: Scorecard) -> str:
    """The card as a table of plain text."""
    lines = [f"{'questions':<30} {'right':>13} {'refused':>8} {'wrong':>6}"]
    for mark in card.marks:
        if not mark.total:
            remark = mark.remark or _("none asked")
            lines.append(f"{_(mark.name):<30} {remark:>13}")
            continue
        right = f"{mark.right}/{mark.total} {mark.share:>4.0%}"
        note = f"  {mark.remark}" if mark.note else ""
        lines.append(f"{_(mark.name):<30} {right:>13} {mark.refused:>8} {mark.wrong:>6}{note}")
    return "\n".join(lines)


def side_by_side(left: Scorecard, right: Scorecard, titles: tuple[str, str]) -> str:
    """A table of two scorecards, with the lines about the tuned models that both have."""
    lines = [f"{'questions':<30} {titles[0]:>22} {titles[1]:>22}"]
    for mark in left.marks:
        other = right.mark(mark.name)
        if mark.model == left.model and mark.total and other is not None and other.total:
            lines.append(f"{_(mark.name):<30} {_short(mark):>22} {_short(other):>22}")
    return "\n".join(lines)


def _short(mark: ScoreLine) -> str:
    return f"{mark.right}/{mark.total} {mark.share:.0%}, {mark.wrong} wrong"
