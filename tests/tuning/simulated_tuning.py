"""Tuning in the simulated Discord: the admin is operator; a corpus about bakers and a fake provider on loopback.

async with simulated_tuning(tmp_path, corpus, provider) as sim:
    await start(sim)
    assert "…" in shown(await card(sim, "failed"))
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import discord
import simcord

from tests.cogs.operating import OPERATORS, card
from tests.simulated import Simulated, simulated
from tests.tuning.fake_provider import FakeProvider

CORPUS = "bakers"
UNPRICED = "Start: price not known"


@asynccontextmanager
async def simulated_tuning(
    folder: Path, corpus: Path, provider: FakeProvider, **options: Any
) -> AsyncIterator[Simulated]:
    """The bot with the corpus and the provider."""
    given: dict[str, Any] = {
        "operator_ids": OPERATORS,
        "corpora": {CORPUS: corpus},
        "tuning_provider": "custom",
        "tuning_base_url": provider.url,
        "tuning_api_key": "sk-tuning",
        "tuning_model": "base-8b",
    }
    async with simulated(folder / "data", **(given | options)) as sim:
        yield sim


async def estimate(sim: Simulated) -> simcord.ResponseMessage:
    """The confirmation of a job on the dataset that ships."""
    dataset = await sim.services.tuning.datasets.newest(CORPUS)
    result = await sim.admin.slash(sim.general, "finetune start", dataset=dataset.id)
    assert result.response is not None
    return result.response


async def start(sim: Simulated, button: str = UNPRICED) -> None:
    """The operator confirms the price."""
    await sim.admin.click(await estimate(sim), label=button)


async def trained(sim: Simulated) -> discord.Message:
    """A job, done, and promoted by its card's button."""
    await start(sim)
    done = await card(sim, "· done")
    await sim.admin.click(done, label="Promote")
    return done


def said(sim: Simulated, result: simcord.InteractionResult) -> str:
    """The text of all responses to an action."""
    answers = [*([result.response] if result.response else []), *result.followups]
    return "\n".join(sim.text(answer) for answer in answers)
