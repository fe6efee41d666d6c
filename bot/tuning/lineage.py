"""What a model learnt and is scored on: the pairs of its own dataset, and of the models that it was tuned from."""

import asyncio

from bot.core.errors import NotFoundError
from bot.storage import datasets as dataset_rows
from bot.storage import tuning as tuning_rows
from bot.storage.database import Database
from bot.storage.datasets import DatasetRow, PairRow
from bot.storage.tuning import ModelRow
from bot.tuning.split import HELD_OUT, NEVER_SEEN, TRAIN, VALIDATION
from bot.tuning.words import sentence_key


async def get_dataset(database: Database, dataset_id: str) -> DatasetRow:
    """The dataset of that id; raises `NotFoundError`."""
    row = await dataset_rows.get(database, dataset_id)
    if row is None:
        raise NotFoundError("There is no dataset {dataset}.", dataset=dataset_id[:40])
    return row


async def get_model(database: Database, name: str) -> ModelRow:
    """The tuned model of that name; raises `NotFoundError`."""
    row = await tuning_rows.get_model(database, name)
    if row is None:
        raise NotFoundError(
            "There is no tuned model {model}; /finetune models and `fewshot tune list` show those that there are.",
            model=name[:100],
        )
    return row


async def ancestors(database: Database, name: str) -> list[ModelRow]:
    """A tuned model and those that it was tuned from, the oldest last; empty where `name` is no tuned model."""
    found: list[ModelRow] = []
    while name and all(row.name != name for row in found):
        row = await tuning_rows.get_model(database, name)
        if row is None:
            break
        found.append(row)
        name = row.parent
    return found


async def dataset_ids(database: Database, dataset_id: str, parent: str) -> list[str]:
    """The datasets of a job on `dataset_id` that tunes the model `parent` further, the newest first."""
    older = [row.dataset_id for row in await ancestors(database, parent)]
    return list(dict.fromkeys([dataset_id, *older]))


async def training_pairs(database: Database, ids: list[str]) -> tuple[list[PairRow], list[PairRow]]:
    """The pairs that train and those that validate.

    The rows of older datasets are replayed: without them a model forgets what it knew. A question that is asked again
    loses its old answer, and a question that one of the datasets holds out is not trained.
    """
    pairs = [pair for dataset_id in ids for pair in await dataset_rows.pairs(database, dataset_id)]
    return await asyncio.to_thread(_training_pairs, pairs)


def _training_pairs(pairs: list[PairRow]) -> tuple[list[PairRow], list[PairRow]]:
    usable = [pair for pair in pairs if is_usable(pair)]
    kept_back = {sentence_key(pair.question) for pair in usable if pair.role != TRAIN}
    train: dict[tuple[str, ...], PairRow] = {}
    for pair in usable:
        key = sentence_key(pair.question)
        if pair.role == TRAIN and key not in kept_back:
            train.setdefault(key, pair)
    return list(train.values()), [pair for pair in usable if pair.role == VALIDATION]


async def test_pairs(database: Database, ids: list[str]) -> list[PairRow]:
    """The questions that were never trained, with those of older datasets."""
    found: dict[tuple[str, ...], PairRow] = {}
    for dataset_id in ids:
        for pair in await dataset_rows.pairs(database, dataset_id, HELD_OUT, NEVER_SEEN):
            if is_usable(pair):
                found.setdefault(sentence_key(pair.question), pair)
    return list(found.values())


def is_usable(pair: PairRow) -> bool:
    """Whether a pair may be trained and scored: it has no flags, or a person has kept or edited it."""
    return not pair.flags or pair.decision in ("kept", "edited")
