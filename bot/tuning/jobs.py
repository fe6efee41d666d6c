"""Tuning jobs, as commands use them: estimate, start, cancel, read, and their cards in channels.

The channel of a job's card is stored together with the job, before the card is posted, so that a crash in between costs
neither. Until the card is posted, the job's lease is `CARD_HOLDER`'s, and no process takes its first step.
"""

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, replace
from time import time
from types import MappingProxyType
from typing import Any

from bot.core.errors import ConfigError, FewshotError, InputError, NotAllowedError, NotFoundError
from bot.core.i18n import N_
from bot.core.settings import Settings
from bot.engine.llama.catalog import machine
from bot.engine.llama.store import ModelStore
from bot.engine.lora.bases import Base, find_base
from bot.storage import tuning as tuning_rows
from bot.storage.tuning import EventRow, JobRow
from bot.tuning import estimate, lineage, snapshots
from bot.tuning.errors import TuningError, VanishedError
from bot.tuning.estimate import Quote
from bot.tuning.job_runner import STATUSES, JobRunner, JobTools, training_files, training_pairs
from bot.tuning.lessons import LESSONS
from bot.tuning.localized_text import localize
from bot.tuning.profiles import is_pocket_gpt, tunable
from bot.tuning.snapshots import History
from bot.tuning.subjects import is_template
from bot.tuning.words import squeezed
from bot.tuning.workers import Workers

__all__ = ["STATE_NAMES", "STATUSES", "EventRow", "History", "JobRow", "Jobs", "Place"]

_log = logging.getLogger(__name__)
# Jobs of a corpus that may be unfinished at one time: a second one would be a mistake, and is paid for.
MAX_JOBS = 1
# Rows that providers want at least (OpenAI's fine-tuning guide, 2026-11-22).
MIN_ROWS = 10
# The holder of the lease of a job whose card is being posted, and its seconds: more than discord.py's retries take.
CARD_HOLDER, POSTING = "card", 30.0
# What people read for a job's states.
STATE_NAMES = MappingProxyType(
    {
        "uploading": N_("uploading the dataset"),
        "creating": N_("creating the job"),
        "running": N_("training"),
        "deploying": N_("deploying the model"),
        "scoring": N_("scoring the model"),
        "done": N_("done"),
        "failed": N_("failed"),
        "cancelled": N_("cancelled"),
    }
)


@dataclass(frozen=True, slots=True)
class Place:
    """The channel of a job's card, and its server."""

    guild_id: int | None
    channel_id: int


class Jobs:
    """The jobs of all corpora; one for the process. `runner` takes their steps."""

    def __init__(self, settings: Settings, tools: JobTools, workers: Workers) -> None:
        self.profile = tools.providers.default
        self.tools, self.runner = tools, JobRunner(tools, workers)
        self._database = tools.database
        self._base, self._monthly_usd = settings.tuning_model, settings.monthly_usd
        self._store, self._served_elsewhere = ModelStore(settings.models), settings.serving_url is not None

    async def base(self, wanted: str) -> tuple[str, str]:
        """The base model to tune, and its name again as the parent if it is a model that was tuned before."""
        if wanted:
            row = await tuning_rows.get_model(self._database, wanted)
            return wanted, wanted if row is not None else ""
        base = self._base or self.profile.base
        if base is None:
            raise InputError("TUNING_MODEL is not set: a custom provider needs the name of the base model.")
        return base, ""

    async def estimate(self, dataset_id: str, base: str = "") -> list[Quote]:
        """What training on a dataset would cost with every known model, the chosen one first."""
        job = await self._planned(dataset_id, base, 0)
        train, _ = await training_files(self.tools, job)
        return estimate.quotes(
            len(train.decode()),
            train.count(b"\n"),
            job.base,
            self.profile,
            shutdown=await self._shutdown(job.base),
            local=await self._tunable_here(job.base),
            here=await asyncio.to_thread(machine, self._store.folder),
            labelled=is_template(self.tools.templates, job.corpus),
        )

    async def bases(self) -> list[str]:
        """The base models that the provider is known to tune, and the ones installed on this machine where it can."""
        known = [model.name for model in self.profile.models]
        if not self.profile.is_local:
            return known
        return [*known, *(model.name for model in await asyncio.to_thread(self._store.all))]

    async def _tunable_here(self, wanted: str) -> dict[str, Base]:
        """The open weights that can be tuned on this machine: `wanted` first, which may be tuned already.

        Raises the reason where `wanted` cannot be. Others that cannot be are left out.
        """
        if not self.profile.is_local:
            return {}
        tuned_from = await lineage.ancestors(self._database, wanted)
        root = tuned_from[-1].base if tuned_from else wanted

        def look() -> dict[str, Base]:
            found: dict[str, Base] = {}
            if not is_pocket_gpt(root, self.profile.name):
                found[wanted] = find_base(self._store, root, served_elsewhere=self._served_elsewhere)
            for model in self._store.all():
                with suppress(FewshotError):
                    base = find_base(self._store, model.name, served_elsewhere=self._served_elsewhere)
                    found.setdefault(model.name, base)
            return found

        return await asyncio.to_thread(look)

    async def _shutdown(self, base: str) -> str:
        """The date on which the provider shuts a base down; empty where it does not say, or cannot be asked yet."""
        if not self.profile.has_limits:
            return ""
        try:
            return await (await self.tools.providers.get(self.profile.name)).shutdown_date(base)
        except ConfigError as error:
            _log.info("the base's shutdown date is not known: %s", error)
            return ""

    async def start(
        self, dataset_id: str, user_id: int, base: str = "", lesson: str = "", place: Place | None = None
    ) -> JobRow:
        """Store a new job; the runner takes it from there. With a `place`, it waits until `set_card` says where.

        Raises `TuningError` where it would be refused, `InputError` where the dataset has too few rows, or a job of
        the corpus is unfinished.
        """
        closed = estimate.blocked(self.profile)
        if closed:
            raise TuningError(closed)
        job = await self._planned(dataset_id, base, user_id, lesson)
        await self._check_price(job)
        if place is not None:
            job = replace(job, guild_id=place.guild_id, channel_id=place.channel_id)
        lease = ("", 0.0) if place is None else (CARD_HOLDER, POSTING)
        if not await tuning_rows.add_job(self._database, job, None if lesson else MAX_JOBS, lease):
            raise InputError("A job of {corpus} is going on already; wait for it, or cancel it.", corpus=job.corpus)
        return job

    async def _check_price(self, job: JobRow) -> None:
        """Raises `InputError` for a job that costs more than a month's limit."""
        train, _ = await training_files(self.tools, job)
        quote = estimate.quotes(len(train.decode()), train.count(b"\n"), job.base, self.profile)[0]
        if quote.usd is not None and quote.usd > self._monthly_usd:
            raise InputError(
                "Training would cost about {price}, and MONTHLY_USD is ${most:,.2f}.",
                price=quote.price,
                most=self._monthly_usd,
            )

    async def _planned(self, dataset_id: str, base: str, user_id: int, lesson: str = "") -> JobRow:
        """The record of a job that is not stored yet."""
        dataset = await lineage.get_dataset(self._database, dataset_id)
        if dataset.state != "ready":
            raise InputError("The dataset {dataset} is still being made; let it finish first.", dataset=dataset.id)
        model, parent = await self.base(base)
        if lesson:  # A lesson trains without the rows of earlier models.
            parent = ""
        job = JobRow(
            id=secrets.token_hex(8),
            corpus=dataset.corpus,
            dataset_id=dataset.id,
            provider=self.profile.name,
            base=model,
            parent=parent,
            user_id=user_id,
            at=time(),
        )
        await self._tunable_here(model)  # raises the reason where it cannot be tuned
        train, _ = await training_pairs(self._database, job)
        if len(train) < MIN_ROWS:
            raise InputError(
                "The dataset {dataset} has too few rows to train on: {n:,}. Providers want at least 10.",
                dataset=dataset.id,
                n=len(train),
            )
        return replace(job, lesson=lesson, hyperparameters=json.dumps(self._hyperparameters(job, len(train), lesson)))

    def _hyperparameters(self, job: JobRow, rows: int, lesson: str) -> dict[str, Any]:
        forgets = bool(lesson) and LESSONS[lesson].forgets
        labelled = is_template(self.tools.templates, job.corpus)
        return dict(self.profile.hyperparameters(tunable(job.base, self.profile.name), rows, forgets, labelled))

    async def get(self, job_id: str) -> JobRow:
        """The job of that id, of an id that begins so, or with that id at its provider; raises `NotFoundError`."""
        job = await tuning_rows.get_job(self._database, job_id)
        if job is None:
            raise NotFoundError(
                "There is no job {job}; /finetune jobs and `fewshot tune list` show those that there are.",
                job=job_id[:40],
            )
        return _localized(job)

    async def all(self, corpus: str | None = None) -> list[JobRow]:
        """Jobs, newest first."""
        return [_localized(job) for job in await tuning_rows.all_jobs(self._database, corpus)]

    async def unfinished(self, corpus: str) -> JobRow | None:
        """The newest job of a corpus that is not over."""
        return next((job for job in await self.all(corpus) if not job.over), None)

    async def events(self, job_id: str, last: int = 20) -> list[EventRow]:
        """The newest events of a job, in order."""
        return await tuning_rows.job_events(self._database, job_id, last=last)

    async def metrics(self, job_id: str) -> list[EventRow]:
        """The events of a job that hold its losses, in order."""
        return await tuning_rows.job_events(self._database, job_id, "metrics")

    async def answers_so_far(self, job: JobRow) -> list[History]:
        """What the checkpoints of a job have answered, by question."""
        return await snapshots.histories(self._database, self.tools.templates, job)

    async def pin(self, job_id: str, user_id: int, question: str) -> None:
        """Ask every later checkpoint of a job `question`. Raises `InputError` where that is too late, or done."""
        job = await self.get(job_id)
        if job.user_id != user_id:
            raise NotAllowedError("Only the person who started the job can pin a question to it.")
        question = squeezed(question)
        if not question:
            raise InputError("There is nothing to answer: the question is empty.")
        if job.over or job.pinned:
            raise InputError("A question can be pinned once, while the job is going on.")
        await tuning_rows.change_job(self._database, job.id, pinned=question)

    async def training_seconds(self, job_id: str) -> float:
        """Seconds from the first metrics of a job to the last, at least 1; 0 where there are none."""
        found = await self.metrics(job_id)
        return max(found[-1].at - found[0].at, 1.0) if found else 0.0

    async def watch(self, job_id: str) -> AsyncIterator[JobRow]:
        """The job whenever it has changed, until it is over; see `JobRunner.watch`."""
        async for job in self.runner.watch(job_id):
            yield _localized(job)

    async def cancel(self, job_id: str) -> JobRow:
        """Cancel a job, here and at its provider. Raises `InputError` where it is over already."""
        job = await self.get(job_id)
        while True:
            if job.over or job.state == "scoring":
                raise InputError("The job {job} has nothing left that could be cancelled.", job=job.id)
            if job.remote_id and job.state == "running":
                with suppress(VanishedError):  # A job that its provider has deleted is still cancelled here.
                    await (await self.tools.providers.get(job.provider)).cancel(job.remote_id)
            moved = await tuning_rows.advance_job(self._database, job.id, job.state, state="cancelled", ended=time())
            job = await self.get(job.id)
            # The runner may have taken the next step meanwhile, or have read that the job is cancelled.
            if moved or job.state == "cancelled":
                return job

    # --- cards in channels

    async def with_cards(self) -> list[JobRow]:
        """Jobs whose cards must be updated: unfinished ones, and ended ones whose card does not show the end yet."""
        return [job for job in await tuning_rows.all_jobs(self._database) if job.channel_id is not None]

    async def set_card(self, job: JobRow, message_id: int) -> None:
        """Store the message of a job's card, and let the runner take the job."""
        await tuning_rows.change_job(self._database, job.id, message_id=message_id)
        await tuning_rows.release_lease(self._database, job.id, CARD_HOLDER)

    async def close_card(self, job_id: str) -> None:
        """Stop updating a job's card: it shows the job's end, or its channel was deleted."""
        await tuning_rows.change_job(self._database, job_id, channel_id=None, message_id=None)


def _localized(job: JobRow) -> JobRow:
    """`job` with its error and its note in the reader's language."""
    return replace(job, error=localize(job.error), note=localize(job.note))
