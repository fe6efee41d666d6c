"""`Tuning`: everything that a command may do with corpora, datasets, jobs and tuned models."""

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from time import time
from typing import Any

from bot.core.errors import ConfigError, InputError, ModelError, NotFoundError
from bot.core.settings import Settings
from bot.llm.template import ChatTemplate
from bot.storage import tuning as tuning_rows
from bot.storage.database import Database
from bot.storage.tuning import EventRow, JobRow
from bot.tuning import asking, lineage
from bot.tuning import estimate as estimating
from bot.tuning import promote as promoting
from bot.tuning.billing import Purse
from bot.tuning.compare import Comparing, Comparison, compare
from bot.tuning.datasets import Holdings
from bot.tuning.errors import TuningError, VanishedError
from bot.tuning.facts import facts_for
from bot.tuning.job_messages import Place, placed
from bot.tuning.job_poller import Follower
from bot.tuning.jobs import Bench, files_of
from bot.tuning.lessons import LESSONS
from bot.tuning.localized_text import told
from bot.tuning.nearest import Nearest
from bot.tuning.profiles import PROFILES
from bot.tuning.provider_client import Wire
from bot.tuning.render import TUNED, for_model, question_values
from bot.tuning.score import Progress, Scorer
from bot.tuning.scorecard import Scorecard

_log = logging.getLogger(__name__)
# Jobs of a corpus that go on at one time; a second would be a slip of the finger, and is paid for.
MOST_JOBS = 1


class Tuning(Holdings):
    """One for the process, made by `bot.app`. `follower` is run in the background by whoever serves for long."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        templates: Mapping[str, ChatTemplate],
        purse: Purse,
        wire: Callable[[str], Awaitable[Wire]],
    ) -> None:
        """`wire` opens a provider by name, once, at first need."""
        super().__init__(settings, database, templates, purse)
        self.provider = settings.tuning_provider
        self.wire = wire
        self._base, self._monthly = settings.tuning_model, settings.monthly_usd
        self.scorer = Scorer(database, templates, purse, self.corpora)
        self.bench = Bench(database, templates, purse, self.scorer, wire)
        self.follower = Follower(self.bench)
        self._starting = asyncio.Lock()
        self._indexes: dict[str, Nearest] = {}

    # --- jobs

    async def base(self, wanted: str = "") -> tuple[str, str]:
        """The base model to tune and, where that is a tuned model of ours, its name as the parent."""
        if wanted:
            row = await tuning_rows.get_model(self.database, wanted)
            return wanted, wanted if row is not None else ""
        base = self._base or PROFILES[self.provider].base
        if base is None:
            raise InputError("TUNING_MODEL is not set: a custom provider needs the name of the base model.")
        return base, ""

    async def estimate(self, dataset_id: str, base: str = "") -> list[estimating.Quote]:
        """What training on a dataset would cost, for every known model, the chosen one first."""
        job = await self._planned(dataset_id, base, 0)
        train, _ = await files_of(self.bench, job)
        shutdown = await self._shutdown(job.base)
        return estimating.quotes(len(train.decode()), train.count(b"\n"), job.base, self.provider, shutdown=shutdown)

    async def _shutdown(self, base: str) -> str:
        """When the provider says that a base ends; empty where it does not tell, or cannot be asked yet."""
        if not PROFILES[self.provider].limits:
            return ""
        try:
            return await (await self.wire(self.provider)).shutdown_date(base)
        except ConfigError as error:
            _log.info("the base's end is not known: %s", error)
            return ""

    async def start(
        self, dataset_id: str, user_id: int, base: str = "", lesson: str = "", place: Place | None = None
    ) -> JobRow:
        """Put a job into the database, to be followed; the provider is not asked yet. With a `place`, it is followed
        once its card stands there (`cards.stands`).

        Raises `TuningError` where it would be refused, `InputError` where the dataset has too few rows.
        """
        closed = estimating.blocked(self.provider)
        if closed:
            raise TuningError(closed)
        job = await self._planned(dataset_id, base, user_id, lesson)
        await self._check_price(job)
        if place is not None:
            job = placed(job, place)
        async with self._starting:  # Two presses at one time must not both find that nothing is going on.
            if not lesson and await tuning_rows.count_unfinished_jobs(self.database, job.corpus) >= MOST_JOBS:
                raise InputError("A job of {corpus} is going on already; wait for it, or cancel it.", corpus=job.corpus)
            await tuning_rows.add_job(self.database, job)
        return job

    async def _check_price(self, job: JobRow) -> None:
        """Refuse what costs more than a whole month may."""
        train, _ = await files_of(self.bench, job)
        quote = estimating.quotes(len(train.decode()), train.count(b"\n"), job.base, job.provider)[0]
        if quote.usd is not None and quote.usd > self._monthly:
            raise InputError(
                "Training would cost about {price}, and MONTHLY_USD is ${most:,.2f}.",
                price=quote.price,
                most=self._monthly,
            )

    async def _planned(self, dataset_id: str, base: str, user_id: int, lesson: str = "") -> JobRow:
        dataset = await self.dataset(dataset_id)
        if dataset.state != "ready":
            raise InputError("The dataset {dataset} is still being made; let it finish first.", dataset=dataset.id)
        model, parent = await self.base(base)
        if lesson:  # a lesson shows what happens without the rows of the model that it goes on from
            parent = ""
        train, _ = await lineage.training_pairs(
            self.database, await lineage.dataset_ids(self.database, dataset.id, parent)
        )
        if len(train) < 10:
            raise InputError(
                "The dataset {dataset} has too few rows to train on: {n:,}. Providers want at least 10.",
                dataset=dataset.id,
                n=len(train),
            )
        return JobRow(
            id=secrets.token_hex(8),
            corpus=dataset.corpus,
            dataset_id=dataset.id,
            provider=self.provider,
            base=model,
            parent=parent,
            user_id=user_id,
            at=time(),
            lesson=lesson,
            hyperparameters=json.dumps(self._settings(len(train), lesson)),
        )

    def _settings(self, rows: int, lesson: str) -> dict[str, Any]:
        """The provider's hyperparameters; the engine replays old rows by itself, unless told not to."""
        settings = dict(PROFILES[self.provider].settings(rows))
        if lesson and LESSONS[lesson].forgets and self.provider == "engine":
            settings["replay"] = 0
        return settings

    async def job(self, job_id: str) -> JobRow:
        """The job of that id (its beginning will do, or the provider's own id); raises `NotFoundError`."""
        job = await tuning_rows.get_job(self.database, job_id)
        if job is None:
            raise NotFoundError("There is no job {job}.", job=job_id[:40])
        return _worded(job)

    async def jobs(self, corpus: str | None = None) -> list[JobRow]:
        """Jobs, newest first."""
        return [_worded(job) for job in await tuning_rows.all_jobs(self.database, corpus)]

    async def events(self, job_id: str, last: int = 20) -> list[EventRow]:
        """The newest events of a job, in order."""
        return await tuning_rows.job_events(self.database, job_id, last=last)

    async def watch(self, job_id: str) -> AsyncIterator[JobRow]:
        """The job whenever it has changed, until it is over; it is followed from here where nobody does."""
        async for job in self.follower.watch(job_id):
            yield _worded(job)

    async def cancel(self, job_id: str) -> JobRow:
        """Cancel a job, here and at its provider. Raises `InputError` where it is over already."""
        job = await self.job(job_id)
        while True:
            if job.over or job.state == "scoring":
                raise InputError("The job {job} has nothing left that could be cancelled.", job=job.id)
            if job.remote_id and job.state == "running":
                with suppress(
                    VanishedError
                ):  # What its provider does not have any more is cancelled here all the same.
                    await (await self.wire(job.provider)).cancel(job.remote_id)
            moved = await tuning_rows.advance_job(self.database, job.id, job.state, state="cancelled", ended=time())
            job = await self.job(job.id)
            # Who follows the job may have taken its next step meanwhile, or have been told that it is cancelled.
            if moved or job.state == "cancelled":
                return job

    # --- models

    async def models(self, corpus: str | None = None) -> list[tuning_rows.ModelRow]:
        """Tuned models, newest first."""
        return await tuning_rows.models_of(self.database, corpus)

    async def good_model(self, corpus: str) -> tuple[str, Scorecard | None]:
        """The newest model of a corpus that is scored and there, with its card; for lessons to be held against."""
        for row in await self.models(corpus):
            if row.scorecard and not row.gone and row.provider == self.provider:
                return row.name, Scorecard.from_json(row.scorecard)
        return "", None

    async def ancestors(self, name: str) -> list[tuning_rows.ModelRow]:
        """A tuned model and those that it was gone on from."""
        return await lineage.ancestors(self.database, name)

    async def active(self, corpus: str) -> tuning_rows.ModelRow | None:
        """The model that answers for a corpus."""
        return await promoting.active(self.database, self.corpora.get(corpus).name)

    async def score(self, name: str, user_id: int, progress: Progress | None = None) -> Scorecard:
        """Score a model anew; what it was asked before is not asked again."""
        model = await lineage.model(self.database, name)
        wire = await self.wire(model.provider)
        return await self.scorer.score(model, wire.chat, user_id, progress)

    async def promote(self, name: str, user_id: int, force: str = "") -> promoting.Promotion:
        """Let a model answer; see `bot.tuning.promote`."""
        return await promoting.promote(self.database, name, user_id, force)

    async def rollback(self, corpus: str) -> promoting.Promotion:
        """Let the model before the active one answer again."""
        return await promoting.rollback(self.database, self.corpora.get(corpus).name)

    # --- answers

    async def question(self, corpus: str, text: str) -> asking.Question:
        """The question as the promoted model is asked it. Raises `NotTrainedError` where there is none."""
        model = await self.active(corpus)
        if model is None:
            raise asking.not_trained(corpus)
        dataset = await self.dataset(model.dataset_id)
        template = for_model(self.templates[TUNED], model.name)
        return asking.Question(model, template, question_values(text, corpus, dataset.refusal))

    async def explained(self, question: asking.Question, error: ModelError) -> ModelError:
        """`error` of asking `question`, as it should be told."""
        return await asking.explained(self.database, question, error)

    async def similar(self, model: str, text: str, most: int = 3) -> list[asking.Similar]:
        """The training rows nearest to a question that a model was asked: similar rows, not the cause."""
        row = await lineage.model(self.database, model)
        dataset = await self.dataset(row.dataset_id)
        if model not in self._indexes:
            ids = await lineage.dataset_ids(self.database, row.dataset_id, row.parent)
            trained, _ = await lineage.training_pairs(self.database, ids)
            self._indexes[model] = await asyncio.to_thread(Nearest, trained)
        found = self._indexes[model].find(text, most)
        return await asyncio.to_thread(asking.similar, self.corpora.get(row.corpus), dataset, found)

    async def compare(self, corpus: str, text: str, user_id: int, purse: Purse | None = None) -> Comparison:
        """The same question to the base model, to the base with the facts in its prompt, and to the tuned model.

        `purse` pays, and may keep the prompts, in place of the process's own. Raises `NotTrainedError` where no model
        is promoted.
        """
        question = await self.question(corpus, text)
        model = question.model
        wire = await self.wire(model.provider)
        job = await tuning_rows.get_job(self.database, model.job_id)
        comparing = Comparing(
            purse=purse or self.purse,
            templates=self.templates,
            model=model,
            refusal=question.values["refusal"],
            facts=await asyncio.to_thread(facts_for, self.corpora.get(corpus)),
            base=None if model.provider == "engine" else wire.chat,
            chat=wire.chat,
            trained_for=job.nanodollars if job is not None else None,
        )
        return await compare(comparing, text, user_id)


def _worded(job: JobRow) -> JobRow:
    """`job` with what went wrong, and what holds it up, in the language that is spoken now."""
    return replace(job, error=told(job.error), note=told(job.note))
