"""`Holdings`: corpora and datasets, as commands use them; the first half of `service.Tuning`."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bot.core.errors import InputError, NoModelError, NotFoundError
from bot.core.settings import STAND_IN, Settings
from bot.llm.template import ChatTemplate
from bot.storage import datasets as stored
from bot.storage.database import Database
from bot.storage.datasets import DatasetRow, PairRow
from bot.tuning import lineage
from bot.tuning import prepare as preparing
from bot.tuning.billing import Purse
from bot.tuning.check import Report, check_pairs
from bot.tuning.corpus import Corpora
from bot.tuning.localized_text import told
from bot.tuning.questions import Generator, Progress


class Holdings:
    """What there is to train on."""

    def __init__(
        self, settings: Settings, database: Database, templates: Mapping[str, ChatTemplate], purse: Purse
    ) -> None:
        """Raises `ConfigError` for a corpus whose name cannot be a command's."""
        self.corpora = Corpora(settings.corpora)
        self.database, self.templates, self.purse = database, templates, purse
        self.generator = Generator(database, templates, purse)
        self._preparing: set[str] = set()

    async def prepare(
        self, corpus: str, user_id: int, size: int = 20, progress: Progress | None = None, *, retry: bool = False
    ) -> preparing.Prepared:
        """Make a dataset of a corpus, or go on making it: by the chat model, else the one that ships with it.

        Raises `NoModelError` where there is neither, `LimitError` where the day's tokens end half-way, `InputError`
        where this process makes one of that corpus already.
        """
        found = self.corpora.get(corpus)
        if self.purse.chat_model == STAND_IN:
            shipped = await preparing.shipped(self.database, found)
            if shipped is None:
                found.files()
                raise NoModelError(
                    "Questions about {corpus} are written by a language model, and none is connected: set "
                    "OPENAI_API_KEY or OPENAI_BASE_URL. Only the racing season brings a dataset of its own.",
                    corpus=corpus,
                )
            return shipped
        order = preparing.Order(size, self.purse.chat_model, user_id, retry)
        with self._alone(corpus):
            return await preparing.generated(self.database, found, self.generator, order, progress)

    async def try_again(self, dataset_id: str, user_id: int, progress: Progress | None = None) -> preparing.Prepared:
        """Ask again about the pieces of a dataset that could not be used, and about no other; raises as `prepare`."""
        row = await self.dataset(dataset_id)
        found = self.corpora.get(row.corpus)
        with self._alone(row.corpus):
            return await preparing.tried_again(self.database, found, self.generator, row, user_id, progress)

    @contextmanager
    def _alone(self, corpus: str) -> Iterator[None]:
        """Two at one time would ask about the same chunks, and both would be paid."""
        if corpus in self._preparing:
            raise InputError("A dataset of {corpus} is being made already; wait for it.", corpus=corpus)
        self._preparing.add(corpus)
        try:
            yield
        finally:
            self._preparing.remove(corpus)

    async def passed_over(self, corpus: str) -> list[str]:
        """The files in the folder of a corpus that are not read: of another kind, too large, or not in UTF-8."""
        found = self.corpora.get(corpus)
        return await asyncio.to_thread(lambda: [*found.files()[1], *found.unreadable()])

    async def report(self, dataset_id: str) -> Report:
        """What the checker finds in a dataset."""
        row = await self.dataset(dataset_id)
        pairs = await stored.pairs(self.database, row.id)
        corpus = self.corpora.get(row.corpus)
        return await asyncio.to_thread(lambda: check_pairs(pairs, dict(corpus.texts()), title=preparing.name_of(row)))

    async def shipped(self, corpus: str) -> preparing.Prepared | None:
        """The dataset that ships with a corpus, put into the database once."""
        return await preparing.shipped(self.database, self.corpora.get(corpus))

    async def imported(self, corpus: str, file: Path) -> DatasetRow:
        """A dataset from a file of the operator's."""
        return await preparing.imported(self.database, self.corpora.get(corpus), file)

    async def dataset(self, dataset_id: str) -> DatasetRow:
        """The dataset of that id; raises `NotFoundError`."""
        return await lineage.dataset(self.database, dataset_id)

    async def datasets(self, corpus: str) -> list[DatasetRow]:
        """The datasets of a corpus, newest first."""
        return await stored.of_corpus(self.database, self.corpora.get(corpus).name)

    async def newest(self, corpus: str) -> DatasetRow:
        """The newest dataset that can be trained on; the one that ships where none was made. Drafts do not count.

        Raises `NotFoundError` that says how to make one.
        """
        for row in await self.datasets(corpus):
            if row.state == "ready" and row.origin != preparing.PREPARED_DRAFT:
                return row
        shipped = await self.shipped(corpus)
        if shipped is None:
            raise NotFoundError(
                "There is no dataset of {corpus} yet: make one with `fewshot dataset build {corpus}`.", corpus=corpus
            )
        return shipped.dataset

    async def pairs(self, dataset_id: str) -> list[PairRow]:
        """A dataset's pairs, less those that were dropped."""
        return _worded(await stored.pairs(self.database, dataset_id))

    async def flagged(self, dataset_id: str) -> list[PairRow]:
        """The pairs that a person should look at; those with a `decision` are done."""
        return _worded(await stored.flagged(self.database, dataset_id))

    async def decide(self, pair: PairRow, decision: str, question: str = "", answer: str = "") -> None:
        """Keep, edit (with the new texts) or drop a flagged pair. Undecided ones are not trained."""
        if decision not in ("kept", "edited", "dropped"):
            raise InputError("A pair is kept, edited or dropped.")
        texts = {"question": question.strip(), "answer": answer.strip()}
        if decision == "edited" and not all(texts.values()):
            raise InputError("An edited pair needs a question and an answer.")
        await stored.decide(self.database, pair.id, decision, **(texts if decision == "edited" else {}))


def _worded(pairs: Iterable[PairRow]) -> list[PairRow]:
    """Pairs with their flags in the language that is spoken now."""
    return [replace(pair, flags=tuple(map(told, pair.flags))) if pair.flags else pair for pair in pairs]
