"""LoRA on a real model: SmolLM2-135M answers questions of the season, and rates reviews, as it could not before.

Ten to thirty minutes of one core each. Needs `fewshot[train]`.
"""

import pytest

from bot.tuning.scoring import FEW_SHOT, HELD, table
from tests.bench.lora import measure, scorecard
from tests.smollm2 import smollm2


async def test_a_real_model_learns_the_season() -> None:
    pytest.importorskip("trl", reason="needs fewshot[train]")
    figures = await measure(smollm2(), rows=300, epochs=3, questions=30)
    print(figures.lines())
    before, after = figures.right
    assert after > before + 3
    assert figures.losses[1] < figures.losses[0] / 3


async def test_sentiment_graduates_from_the_few_shot_prompt_of_a_real_model() -> None:
    pytest.importorskip("trl", reason="needs fewshot[train]")
    card = await scorecard("sentiment", smollm2())
    print(table(card))
    tuned, few_shot = card.mark(HELD), card.mark(FEW_SHOT)
    assert tuned is not None
    assert few_shot is not None
    assert tuned.total == few_shot.total == 50
    assert tuned.right > few_shot.right
