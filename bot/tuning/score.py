"""Scoring a tuned model: it is asked what it learnt, what it never saw, and beside it what others make of the same.

Every answer is kept as soon as it is there, so that a crash asks nothing twice.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from time import time

from bot.core.errors import ModelError, NoModelError
from bot.core.i18n import N_
from bot.llm.client import ChatClient
from bot.llm.template import ChatTemplate
from bot.storage import tuning as tuning_rows
from bot.storage.database import Database
from bot.storage.datasets import PairRow
from bot.tuning import lineage
from bot.tuning.billing import Purse
from bot.tuning.corpus import Corpora
from bot.tuning.facts import facts_for
from bot.tuning.localized_text import kept
from bot.tuning.nearest import Nearest
from bot.tuning.render import TUNED, WITH_FACTS, for_model, question_values
from bot.tuning.rows import ANSWERABLE
from bot.tuning.scorecard import (
    BASE,
    BASE_WITH_FACTS,
    FIRST_APART,
    HELD,
    NEAREST,
    NOISY,
    REFUSED_HELD,
    REFUSED_UNSEEN,
    SHOWN_WRONG,
    TRAINED,
    Mark,
    Scorecard,
    Wrong,
    mark_of,
)
from bot.tuning.split import HELD_OUT
from bot.tuning.words import digest

# Training rows that are asked again, drawn the same in every process: enough for a percent, cheap enough to pay.
SAMPLE = 200
# Held-out questions that the base models are asked, since their prompts are long.
RIVALS_SAMPLE = 50
# Questions that a release is judged by, where there are as many.
FIRST = 100
# Questions asked at one time, and kept together.
TOGETHER = 16
Progress = Callable[[int, int], None]
Sets = dict[str, list[PairRow]]


class Scorer:
    """Scores models. One for the process."""

    def __init__(
        self, database: Database, templates: Mapping[str, ChatTemplate], purse: Purse, corpora: Corpora
    ) -> None:
        self._database, self._templates, self._purse, self._corpora = database, templates, purse, corpora

    async def score(
        self, model: tuning_rows.ModelRow, chat: ChatClient, user_id: int, progress: Progress | None = None
    ) -> Scorecard:
        """Ask everything that was not asked yet, and keep the card. Raises `LimitError` or `ModelError`."""
        ids = await lineage.dataset_ids(self._database, model.dataset_id, model.parent)
        trained, _ = await lineage.training_pairs(self._database, ids)
        refusal = (await lineage.dataset(self._database, model.dataset_id)).refusal
        sets = question_sets(trained, await lineage.questions_of(self._database, ids))
        asking = _Asking(self._database, self._purse, user_id, progress)
        template = for_model(self._templates[TUNED], model.name)
        filled = {
            pair.question: question_values(pair.question, model.corpus, refusal)
            for pairs in sets.values()
            for pair in pairs
        }
        said = await asking.all(model.name, template, filled, chat)
        marks, wrong = _marks(sets, trained, said, refusal, model.name)
        held = sets[HELD] + sets[REFUSED_HELD]
        marks.append(await asyncio.to_thread(_baseline, trained, held, refusal))
        marks += await self._rivals(model, held, refusal, chat, asking)
        card = Scorecard(model.name, time(), tuple(marks), tuple(wrong[:SHOWN_WRONG]))
        await tuning_rows.change_model(self._database, model.name, scorecard=card.to_json())
        return card

    async def _rivals(
        self, model: tuning_rows.ModelRow, held: Sequence[PairRow], refusal: str, chat: ChatClient, asking: "_Asking"
    ) -> list[Mark]:
        """The base model without and with the facts in its prompt. What cannot be asked says why."""
        sample = sorted(held, key=lambda pair: digest("rival", pair.question))[:RIVALS_SAMPLE]
        local = model.provider == "engine"
        name = self._purse.chat_model if local else model.base
        base = None if local else chat
        bare = {pair.question: question_values(pair.question, model.corpus, refusal) for pair in sample}
        facts = facts_for(self._corpora.get(model.corpus))
        told = {
            pair.question: {
                "question": pair.question,
                "facts": await asyncio.to_thread(facts.about, pair.question),
                "refusal": refusal,
            }
            for pair in sample
        }
        marks = []
        for line, template, values in (
            (BASE, self._templates[TUNED], bare),
            (BASE_WITH_FACTS, self._templates[WITH_FACTS], told),
        ):
            try:
                said = await asking.all(f"{name} ({line})", for_model(template, name), values, base)
            except ModelError:
                marks.append(Mark(line, 0, 0, 0, name, kept(N_("not available"))))
                continue
            if not any(said.values()):
                marks.append(Mark(line, 0, 0, 0, name, kept(N_("no model connected"))))
                continue
            answered = [(pair, said[pair.question]) for pair in sample]
            note = kept(N_("{model}, {n:,} of them"), model=name, n=len(sample))
            marks.append(mark_of(line, answered, refusal, loosely=True, model=name, note=note)[0])
        return marks


class _Asking:
    """Asks questions that are not answered yet, several at a time, and keeps each round of answers."""

    def __init__(self, database: Database, purse: Purse, user_id: int, progress: Progress | None) -> None:
        self._database, self._purse, self._user_id, self._progress = database, purse, user_id, progress

    async def all(
        self, name: str, template: ChatTemplate, filled: Mapping[str, Mapping[str, str]], chat: ChatClient | None
    ) -> dict[str, str]:
        """The answer to every question; `name` is what they are kept under."""
        keys = {
            question: digest(json.dumps(template.fill(values).messages, ensure_ascii=False))
            for question, values in filled.items()
        }
        known = await tuning_rows.score_answers(self._database, name)
        waiting = [question for question, key in keys.items() if key not in known]
        for at in range(0, len(waiting), TOGETHER):
            self._report(len(filled) - len(waiting) + at, len(filled))
            some = waiting[at : at + TOGETHER]
            answers = await asyncio.gather(*(self._answer(template, filled[question], chat) for question in some))
            new = {keys[question]: answer for question, answer in zip(some, answers, strict=True)}
            await tuning_rows.add_score_answers(self._database, name, new)
            known |= new
        self._report(len(filled), len(filled))
        return {question: known[key] for question, key in keys.items()}

    async def _answer(self, template: ChatTemplate, values: Mapping[str, str], chat: ChatClient | None) -> str:
        """One answer; empty where no model is connected and the stand-in has no skill for the question."""
        try:
            return (await self._purse.ask(self._user_id, template, values, chat)).text
        except NoModelError:
            return ""

    def _report(self, done: int, total: int) -> None:
        if self._progress:
            self._progress(done, total)


def question_sets(trained: Sequence[PairRow], untrained: Sequence[PairRow]) -> Sets:
    """The questions by line of the card."""
    sample = sorted(trained, key=lambda pair: digest("sample", pair.question))[:SAMPLE]
    held = [pair for pair in untrained if pair.kind == ANSWERABLE]
    refused = [pair for pair in untrained if pair.kind != ANSWERABLE]
    return {
        TRAINED: sorted(sample, key=lambda pair: pair.line),
        HELD: held,
        NOISY: [_with_question(pair, noisy(pair.question)) for pair in held],
        REFUSED_HELD: [pair for pair in refused if pair.role == HELD_OUT],
        REFUSED_UNSEEN: [pair for pair in refused if pair.role != HELD_OUT],
    }


def noisy(question: str) -> str:
    """As someone in haste would type it: lower case, no question mark, two letters of a longer word swapped."""
    typed = question.lower().rstrip("?.! ")
    long = [at for at, word in enumerate(typed.split(" ")) if len(word) > 4 and word.isalpha()]
    if not long:
        return typed
    parts = typed.split(" ")
    at = long[int(digest("typo", question), 16) % len(long)]
    parts[at] = parts[at][:2] + parts[at][3] + parts[at][2] + parts[at][4:]
    return " ".join(parts)


def _with_question(pair: PairRow, question: str) -> PairRow:
    return PairRow(0, pair.dataset_id, pair.line, pair.fact, pair.kind, question, pair.answer, role=pair.role)


def _marks(
    sets: Sets, trained: Sequence[PairRow], said: Mapping[str, str], refusal: str, model: str
) -> tuple[list[Mark], list[Wrong]]:
    """A line for each set, and one for the first hundred questions that were written apart, as they stand."""
    marks, wrong = [], []
    for name, pairs in sets.items():
        mark, bad = mark_of(name, [(pair, said[pair.question]) for pair in pairs], refusal, model=model)
        marks.append(mark)
        wrong += bad
    first = _written_apart(sets, trained)[:FIRST]
    if len(first) == FIRST:
        answered = [(pair, said[pair.question]) for pair in first]
        marks.append(mark_of(FIRST_APART, answered, refusal, model=model)[0])
    return marks, wrong


def _written_apart(sets: Sets, trained: Sequence[PairRow]) -> list[PairRow]:
    """The questions that a corpus ships beside its rows, in their order: all that is held out stands after all that
    is trained. Where wordings were held out among the rows, there are none.
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


def _baseline(trained: Sequence[PairRow], held: Sequence[PairRow], refusal: str) -> Mark:
    """What giving the answer of the nearest training question would score."""
    index = Nearest(trained)
    answered = [(pair, found[0][0].answer if (found := index.find(pair.question, 1)) else "") for pair in held]
    return mark_of(NEAREST, answered, refusal, note=kept(N_("a baseline, no model")))[0]
