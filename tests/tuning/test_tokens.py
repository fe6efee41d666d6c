"""The estimate of a job on the pocket GPT, against what training then counts."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bot.app import TEMPLATES
from bot.engine.pocket.config import TrainConfig
from bot.engine.pocket.train import train
from bot.llm.template_registry import open_template_registry
from bot.storage.datasets import PairRow
from bot.tuning.estimate import quotes
from bot.tuning.inference import TUNED
from bot.tuning.profiles import PROFILES
from bot.tuning.rows import as_lines
from bot.tuning.subjects import CorpusSubject, training_row
from tests.bench.season import REFUSAL, season
from tests.racing import season as racing

Dataset = Callable[[], tuple[list[tuple[str, str]], str]]


def shipped() -> tuple[list[tuple[str, str]], str]:
    """The season's pairs and its refusal."""
    return [(racing.question(row), racing.answer(row)) for row in racing.rows("questions.jsonl")], racing.REFUSAL


def made_up() -> tuple[list[tuple[str, str]], str]:
    """A generated season, whose answers are sentences."""
    return season(7, pilots=4, races=4).train, REFUSAL


@pytest.mark.parametrize("dataset", [shipped, made_up])
def test_the_estimate_is_within_15_percent_of_the_words_that_are_trained(dataset: Dataset, tmp_path: Path) -> None:
    """Every round of a training reads about the same number of words, so that one round tells."""
    pairs, refusal = dataset()
    template = open_template_registry(TEMPLATES).templates[TUNED]
    rows = [
        training_row(CorpusSubject("racing", template, refusal), PairRow(line, "", "", asked, said))
        for line, (asked, said) in enumerate(pairs, 1)
    ]
    quote = quotes(len(as_lines(rows)), len(rows), "pocket-gpt", PROFILES["engine"])[0]
    trained = train(rows, folder=tmp_path, config=TrainConfig(n_epochs=1, keep_models=0)).state.trained_tokens
    assert quote.tokens == pytest.approx(trained * quote.epochs, rel=0.15)
