"""Snapshots: what a model answers at its checkpoints, while it trains.

At each checkpoint, three test questions are asked, and the question that the operator has pinned to the job. This costs
tokens, so only the checkpoints of the local engine are asked, which are free.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from time import time

from bot.core.caller import Caller
from bot.core.errors import FewshotError, StorageError
from bot.core.json_text import read_json, without_surrogates
from bot.llm.template import ChatTemplate
from bot.storage import tuning as tuning_rows
from bot.storage.database import Database
from bot.storage.datasets import PairRow
from bot.storage.tuning import EventRow, JobRow
from bot.tuning import lineage
from bot.tuning.providers import Provider
from bot.tuning.rows import ANSWERABLE
from bot.tuning.subjects import subject_of
from bot.tuning.words import digest

_log = logging.getLogger(__name__)
# The kind of the events that hold snapshots.
KIND = "snapshot"
# Test questions that are asked: two that have an answer, and one that must be refused.
ANSWERED, REFUSED = 2, 1
# Characters of an answer that are stored.
MAX_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The answers after `step` steps, in the order of `test_questions`. `pinned` is empty before a question is."""

    step: int
    answers: tuple[str, ...]
    pinned: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """The answers to one question so far: step, answer, and whether it is right. `wanted` is empty for a pinned one."""

    question: str
    wanted: str
    answers: tuple[tuple[int, str, bool], ...]


async def histories(database: Database, templates: Mapping[str, ChatTemplate], job: JobRow) -> list[History]:
    """The answers of a job's checkpoints by question, the pinned question last; none before the first snapshot."""
    found = await snapshots(database, job.id)
    if not found:
        return []
    subject = subject_of(templates, await lineage.get_dataset(database, job.dataset_id))
    result = []
    for at, pair in enumerate(await test_questions(database, job)):
        answers = [(snapshot.step, snapshot.answers[at]) for snapshot in found if at < len(snapshot.answers)]
        judged = tuple((step, text, subject.judge(text, pair) == "right") for step, text in answers)
        result.append(History(pair.question, pair.answer, judged))
    if job.pinned:
        pinned = tuple((snapshot.step, snapshot.pinned, False) for snapshot in found if snapshot.pinned)
        result.append(History(job.pinned, "", pinned))
    return result


async def test_questions(database: Database, job: JobRow) -> list[PairRow]:
    """The test questions of a job's snapshots: the same in every process."""
    ids = await lineage.dataset_ids(database, job.dataset_id, job.parent)
    pairs = sorted(await lineage.test_pairs(database, ids), key=lambda pair: digest("snapshot", pair.question))
    known = [pair for pair in pairs if pair.kind == ANSWERABLE][:ANSWERED]
    return known + [pair for pair in pairs if pair.kind != ANSWERABLE][:REFUSED]


async def snapshots(database: Database, job_id: str) -> list[Snapshot]:
    """The snapshots of a job so far, by step."""
    events = [read_json(event.data) for event in await tuning_rows.job_events(database, job_id, KIND)]
    return [Snapshot(data["step"], tuple(data["answers"]), data["pinned"]) for data in events]


async def take(database: Database, templates: Mapping[str, ChatTemplate], job: JobRow, provider: Provider) -> None:
    """Ask the newest checkpoint of a running job, unless it was asked already. A failure is logged, and ends no job."""
    try:
        newest = await provider.newest_checkpoint(job.remote_id)
        known = await snapshots(database, job.id)
        if newest is None or any(snapshot.step >= newest[0] for snapshot in known):
            return
        step, model = newest
        subject = subject_of(templates, await lineage.get_dataset(database, job.dataset_id))
        questions = [pair.question for pair in await test_questions(database, job)]
        answers = []
        for question in [*questions, *([job.pinned] if job.pinned else [])]:
            request = subject.request(question, model)
            answer = await provider.gateway.ask(Caller(job.user_id), request, cache=False, background=True)
            answers.append(without_surrogates(answer.text)[:MAX_LENGTH])
        snapshot = Snapshot(step, tuple(answers[: len(questions)]), "".join(answers[len(questions) :]))
        data = json.dumps(asdict(snapshot), ensure_ascii=False)
        await tuning_rows.add_events(database, job.id, [EventRow(f"{KIND} {step}", time(), "info", KIND, "", data)])
    except StorageError:
        raise
    except FewshotError as error:
        _log.info("no snapshot of job %s: %s", job.id, error)
