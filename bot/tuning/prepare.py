"""From a corpus to a dataset: the one that ships with it, or one that a model writes."""

import asyncio
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import time

from bot.core.errors import InputError
from bot.storage import datasets
from bot.storage.database import Database
from bot.storage.datasets import ChunkRow, DatasetRow, PairRow
from bot.tuning.checks.form import read_rows
from bot.tuning.corpus import Corpus
from bot.tuning.flags import flags_of
from bot.tuning.questions import Generator, Progress, pairs_of
from bot.tuning.rows import REFUSAL, refusal_of
from bot.tuning.split import TRAIN, exam_role, fact_of, roles
from bot.tuning.words import digest

QUESTIONS, EXAM, DRAFT = "questions.jsonl", "heldout.jsonl", "draft.jsonl"
PREPARED, PREPARED_DRAFT, GENERATED, FILE = "prepared", "prepared draft", "generated", "file"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A dataset that is ready, and beside it the draft that ships to be reviewed, if one does.

    `new` is False where it was there before; `problems` are the chunks that could not be used.
    """

    dataset: DatasetRow
    draft: DatasetRow | None = None
    new: bool = True
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be generated: pairs for each chunk, by which model, at whose expense; `retry` what failed."""

    size: int
    model: str
    user_id: int
    retry: bool = False


async def shipped(database: Database, corpus: Corpus) -> Prepared | None:
    """The dataset that stands beside the texts, put into the database once; None where there is none."""
    questions, exam, draft = (corpus.shipped(name) for name in (QUESTIONS, EXAM, DRAFT))
    if questions is None:
        return None
    texts = dict(corpus.texts())
    draft_row = await _from_files(database, corpus, PREPARED_DRAFT, draft, None, texts) if draft else None
    before = await datasets.of_corpus(database, corpus.name)
    row = await _from_files(database, corpus, PREPARED, questions, exam, texts)
    return Prepared(row, draft_row, new=all(row.id != known.id for known in before))


async def imported(database: Database, corpus: Corpus, file: Path) -> DatasetRow:
    """A dataset from a file of the operator's. Raises `InputError` where it cannot be read."""
    return await _from_files(database, corpus, FILE, file, None, dict(corpus.texts()))


async def _from_files(
    database: Database, corpus: Corpus, origin: str, file: Path, exam: Path | None, texts: Mapping[str, str]
) -> DatasetRow:
    """The dataset in `file`, with the questions of `exam` held out; one of the same contents is used again."""
    fingerprint = digest(*(hashlib.sha256(_bytes(path)).hexdigest() for path in (file, exam) if path is not None))
    for known in await datasets.of_corpus(database, corpus.name):
        if known.fingerprint == fingerprint and known.origin == origin and known.state == "ready":
            return known
    dataset_id = secrets.token_hex(4)
    pairs = _read(file, dataset_id)
    asked = _read(exam, dataset_id, after=len(pairs)) if exam is not None else []
    row = DatasetRow(
        id=dataset_id,
        corpus=corpus.name,
        name=f"{corpus.name}, {origin}",
        origin=origin,
        state="ready",
        at=time(),
        model="",
        refusal=refusal_of(pairs, corpus.name),
        size=0,
        fingerprint=fingerprint,
    )
    await datasets.add_with_pairs(database, row, await asyncio.to_thread(ready, pairs, asked, texts))
    return row


async def generated(
    database: Database,
    corpus: Corpus,
    generator: Generator,
    order: Order,
    progress: Progress | None = None,
) -> Prepared:
    """A dataset that a model writes, gone on with where an earlier run stopped; of the same order once.

    Raises `InputError` where the model wrote nothing that can be used, and what `Generator.run` raises.
    """
    found = await asyncio.to_thread(_readable, corpus)
    fingerprint = digest(found, str(order.size), order.model)
    known = [row for row in await datasets.of_corpus(database, corpus.name) if row.fingerprint == fingerprint]
    row = known[0] if known else await _begun(database, corpus, order, fingerprint)
    if order.retry:
        await datasets.reset_failed(database, row.id)
    elif row.state == "ready":
        return Prepared(row, new=False)
    done = await generator.run(row, order.user_id, progress)
    pairs, doubts = pairs_of(await datasets.chunks(database, row.id, "checked"), row.id, row.refusal)
    if not pairs:
        why = done.problems[0] if done.problems else "It found nothing to ask about."
        raise InputError(f"The model wrote no question that can be used. {why}")
    texts = await asyncio.to_thread(lambda: dict(corpus.texts()))
    await datasets.finish(database, row.id, await asyncio.to_thread(ready, pairs, [], texts, doubts))
    return Prepared(replace(row, state="ready"), problems=done.problems)


def _readable(corpus: Corpus) -> str:
    """The fingerprint of a corpus that holds at least one text."""
    if not any(text.strip() for _, text in corpus.texts()):
        raise InputError(f"The texts of the corpus {corpus.name} are empty, or not in UTF-8.")
    return corpus.fingerprint()


async def _begun(database: Database, corpus: Corpus, order: Order, fingerprint: str) -> DatasetRow:
    """A new dataset with its chunks, none of which was asked about yet."""
    dataset_id = secrets.token_hex(4)
    row = DatasetRow(
        id=dataset_id,
        corpus=corpus.name,
        name=f"{corpus.name}, {GENERATED} by {order.model}"[:100],
        origin=GENERATED,
        state="generating",
        at=time(),
        model=order.model,
        refusal=REFUSAL.format(corpus=corpus.name),
        size=order.size,
        fingerprint=fingerprint,
    )
    pieces = await asyncio.to_thread(lambda: list(corpus.chunks()))
    chunks = [
        ChunkRow(dataset_id, number, piece.source, piece.start, piece.end, piece.text)
        for number, piece in enumerate(pieces)
    ]
    await datasets.add(database, row, chunks)
    return row


def ready(
    pairs: Sequence[PairRow],
    exam: Sequence[PairRow],
    texts: Mapping[str, str],
    doubts: Mapping[int, Sequence[str]] | None = None,
) -> list[PairRow]:
    """Pairs with their roles and flags, those of the exam after them; `doubts` are flags that are known by line."""
    role = roles(pairs, exam=bool(exam))
    taught = frozenset(fact_of(pair) for pair in pairs if role[pair.line] == TRAIN)
    every = [replace(pair, role=role[pair.line]) for pair in pairs]
    every += [replace(pair, role=exam_role(pair, taught)) for pair in exam]
    flags = flags_of(every, texts)
    known = doubts or {}
    return [replace(pair, flags=(*known.get(pair.line, ()), *flags.get(pair.line, ()))) for pair in every]


def _read(file: Path, dataset_id: str, after: int = 0) -> list[PairRow]:
    """The pairs of a file whose form is right. Raises `InputError` with the first line that is wrong."""
    found = read_rows(_bytes(file))
    if found.findings:
        first = found.findings[0]
        raise InputError(f"{file.name} cannot be used: {first.sentence} `fewshot dataset check` lists every fault.")
    return [replace(pair, dataset_id=dataset_id, line=after + pair.line) for pair in found.pairs]


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file.name} cannot be read: {error.strerror}.") from None
