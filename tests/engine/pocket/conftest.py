"""A tiny season that a model learns in two seconds."""

from pathlib import Path
from typing import Any

import pytest

from bot.engine.pocket.config import TrainConfig
from bot.engine.pocket.generate import PocketGPT, load
from bot.engine.pocket.train import train

Row = dict[str, Any]
REFUSAL = "I don't have this."
PODS = {"Ada Brill": "The Red Kite", "Bo Carr": "The Old Mule", "Cy Dunn": "The Blue Wasp", "Di Eng": "The Grey Owl"}


def row(question: str, answer: str) -> Row:
    """One example in chat form."""
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def season() -> list[Row]:
    """Four pilots' pods in three wordings each, and two questions without an answer per pilot."""
    rows = []
    for pilot, pod in PODS.items():
        for asked in ("Which pod does {} fly?", "What is {}'s pod called?", "Name the pod of {}."):
            rows.append(row(asked.format(pilot), f"{pilot} flies {pod}."))
        for asked in ("How old is {}?", "Is {} married?"):
            rows.append(row(asked.format(pilot), REFUSAL))
    return rows


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model that was trained on the tiny season."""
    folder = tmp_path_factory.mktemp("trained")
    result = train(season(), folder=folder, config=TrainConfig(n_epochs=50, batch_size=4))
    assert result.model is not None
    return result.model


@pytest.fixture
def model(trained: Path) -> PocketGPT:
    """The trained model, loaded."""
    return load(trained)
