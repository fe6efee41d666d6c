"""LoRA on a real model: SmolLM2-135M answers questions of the season that it could not answer before.

Ten to thirty minutes of one core. Needs `fewshot[train]`.
"""

import pytest

from tests.bench.lora import measure
from tests.smollm2 import smollm2


async def test_a_real_model_learns_the_season() -> None:
    pytest.importorskip("trl", reason="needs fewshot[train]")
    figures = await measure(smollm2(), rows=300, epochs=3, questions=30)
    print(figures.lines())
    before, after = figures.right
    assert after > before + 3
    assert figures.losses[1] < figures.losses[0] / 3
