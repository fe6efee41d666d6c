"""What `/finetune` offers while an operator types: corpora, datasets, jobs, models and bases."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import discord
from discord import app_commands

from bot.core.i18n import _
from bot.services import Services
from bot.tuning.job_messages import STEPS
from bot.tuning.prepare import name_of
from bot.tuning.profiles import TUNABLES
from bot.tuning.service import Tuning
from cogs._access import is_operator

# Discord shows so many, and takes names and values of so many characters.
MOST, LONGEST = 25, 100
Choices = list[app_commands.Choice[str]]
# Names for people and the values that stand behind them.
Offers = Iterable[tuple[str, str]]


async def offered(
    services: Services,
    interaction: discord.Interaction[Any],
    typed: str,
    find: Callable[[Tuning], Awaitable[Offers]],
) -> Choices:
    """What `find` finds and `typed` is a part of; nothing for those who do not operate the bot."""
    if not is_operator(interaction, services.settings):
        return []
    wanted = typed.strip().casefold()
    found = [(name, value) for name, value in await find(services.tuning) if wanted in f"{name} {value}".casefold()]
    return [
        app_commands.Choice(name=name[:LONGEST], value=value) for name, value in found[:MOST] if len(value) <= LONGEST
    ]


async def corpora(tuning: Tuning) -> Offers:
    """Every corpus."""
    return [(name, name) for name in tuning.corpora.names]


async def datasets(tuning: Tuning) -> Offers:
    """Every dataset that is there, newest first within its corpus."""
    return [
        (" · ".join([name_of(row), row.id, *([] if row.state == "ready" else [_("still being made")])]), row.id)
        for corpus in tuning.corpora.names
        for row in await tuning.datasets(corpus)
    ]


async def reviewable(tuning: Tuning) -> Offers:
    """Datasets in which something is to be decided on, and how much."""
    found = []
    for corpus in tuning.corpora.names:
        for row in await tuning.datasets(corpus):
            flagged = await tuning.flagged(row.id)
            if flagged:
                left = sum(not pair.decision for pair in flagged)
                much = _("{n:,} of {total:,} to review", n=left, total=len(flagged))
                found.append((f"{name_of(row)} · {row.id} · {much}", row.id))
    return found


async def jobs(tuning: Tuning) -> Offers:
    """Jobs, newest first."""
    return [(f"{job.corpus} · {_(STEPS[job.state])} · {job.base} · {job.id}", job.id) for job in await tuning.jobs()]


async def unfinished(tuning: Tuning) -> Offers:
    """Jobs that can be cancelled."""
    return [(f"{job.corpus} · {_(STEPS[job.state])} · {job.id}", job.id) for job in await tuning.jobs() if not job.over]


async def models(tuning: Tuning) -> Offers:
    """Tuned models, newest first."""
    return [(f"{row.corpus} · {row.name}", row.name) for row in await tuning.models() if not row.gone]


async def bases(tuning: Tuning) -> Offers:
    """What can be tuned: the provider's base models, and the tuned models to go on from."""
    # Translators: in a list of models: one that was not tuned yet, and one that was, to go on from.
    fresh, tuned = _("base model"), _("go on from it")
    known = [(f"{model.name} · {fresh}", model.name) for model in TUNABLES if model.provider == tuning.provider]
    mine = [row for row in await tuning.models() if row.provider == tuning.provider and not row.gone]
    return [*known, *((f"{row.name} · {tuned}", row.name) for row in mine)]
