"""Asking the promoted model, and what can be shown beside its answer."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.core.errors import ModelError, NotFoundError
from bot.llm.template import ChatTemplate
from bot.storage import tuning as tuning_rows
from bot.storage.database import Database
from bot.storage.datasets import DatasetRow, PairRow
from bot.tuning.corpus import Corpus


class NotTrainedError(NotFoundError):
    """No model is promoted for this corpus; the sentence says who can train one."""


class GoneError(ModelError):
    """The promoted model is not there any more; the sentence says how to go back."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question to the promoted model: a template that names it, filled with `values`."""

    model: tuning_rows.ModelRow
    template: ChatTemplate
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Similar:
    """A training row that is near a question. Similar, not the cause of an answer.

    `file_line` is the line of the source that the quote stands on, counted from 1; 0 where it cannot be found.
    """

    pair: PairRow
    likeness: float
    file_line: int


def not_trained(corpus: str) -> NotTrainedError:
    """No model has been promoted for `corpus`."""
    return NotTrainedError(
        "No model is trained for {corpus} yet. The bot's operator can train one with /finetune start, or with "
        "`fewshot tune start {corpus}`, and then promote it.",
        corpus=corpus,
    )


async def explained(database: Database, question: Question, error: ModelError) -> ModelError:
    """`error` as it should be told: a model that its provider has deleted is named, with the way back."""
    from openai import NotFoundError as UnknownModelError

    if not isinstance(error.__cause__, UnknownModelError):
        return error
    await tuning_rows.change_model(database, question.model.name, gone=True)
    gone = GoneError(
        "The model that answered for {corpus} is not there any more. The bot's operator can go back to the one "
        "before it with /finetune rollback, or `fewshot tune rollback {corpus}`.",
        corpus=question.model.corpus,
    )
    gone.__cause__ = error
    return gone


def similar(corpus: Corpus, dataset: DatasetRow, found: list[tuple[PairRow, float]]) -> list[Similar]:
    """Rows with the lines of their quotes. Reads the texts, so it belongs off the event loop."""
    texts = dict(corpus.texts()) if any(pair.quote for pair, _ in found) else {}
    return [Similar(pair, likeness, _line(texts.get(pair.source, ""), pair.quote)) for pair, likeness in found]


def _line(text: str, quote: str) -> int:
    at = text.find(quote) if quote else -1
    return text.count("\n", 0, at) + 1 if at >= 0 else 0
