"""What a model learnt and what it is asked about: its own dataset's pairs, and those of the models before it."""

from bot.core.errors import NotFoundError
from bot.storage import datasets
from bot.storage import tuning as tuning_rows
from bot.storage.database import Database
from bot.storage.datasets import DatasetRow, PairRow
from bot.tuning.split import HELD_OUT, NEVER_SEEN, TRAIN, VALIDATION
from bot.tuning.words import sentence_key


async def dataset(database: Database, dataset_id: str) -> DatasetRow:
    """The dataset of that id; raises `NotFoundError`."""
    row = await datasets.get(database, dataset_id)
    if row is None:
        raise NotFoundError("There is no dataset {dataset}.", dataset=dataset_id[:40])
    return row


async def model(database: Database, name: str) -> tuning_rows.ModelRow:
    """The tuned model of that name; raises `NotFoundError`."""
    row = await tuning_rows.get_model(database, name)
    if row is None:
        raise NotFoundError("There is no tuned model {model}.", model=name[:100])
    return row


async def ancestors(database: Database, name: str) -> list[tuning_rows.ModelRow]:
    """The tuned models that a model goes back to, itself first, the oldest last."""
    found: list[tuning_rows.ModelRow] = []
    while name and all(row.name != name for row in found):
        row = await tuning_rows.get_model(database, name)
        if row is None:
            break
        found.append(row)
        name = row.parent
    return found


async def dataset_ids(database: Database, dataset_id: str, parent: str) -> list[str]:
    """The datasets behind a job on `dataset_id` that goes on from the model `parent`, the newest first."""
    older = [row.dataset_id for row in await ancestors(database, parent)]
    return list(dict.fromkeys([dataset_id, *older]))


async def training_pairs(database: Database, ids: list[str]) -> tuple[list[PairRow], list[PairRow]]:
    """The pairs that train and those that validate. The rows of older datasets are replayed: without them a model
    forgets what it knew. A question that is asked anew loses its old answer, and what a dataset holds out is
    trained by none.
    """
    everything = [pair for dataset_id in ids for pair in await datasets.pairs(database, dataset_id) if usable(pair)]
    kept_back = {sentence_key(pair.question) for pair in everything if pair.role != TRAIN}
    train: dict[tuple[str, ...], PairRow] = {}
    for pair in everything:
        key = sentence_key(pair.question)
        if pair.role == TRAIN and key not in kept_back:
            train.setdefault(key, pair)
    return list(train.values()), [pair for pair in everything if pair.role == VALIDATION]


async def questions_of(database: Database, ids: list[str]) -> list[PairRow]:
    """The questions that were never trained, those of older datasets among them."""
    found: dict[tuple[str, ...], PairRow] = {}
    for dataset_id in ids:
        for pair in await datasets.pairs(database, dataset_id, HELD_OUT, NEVER_SEEN):
            if usable(pair):
                found.setdefault(sentence_key(pair.question), pair)
    return list(found.values())


def usable(pair: PairRow) -> bool:
    """Whether a pair may be trained and scored: nobody doubts it, or a person has decided on it."""
    return not pair.flags or pair.decision in ("kept", "edited")
