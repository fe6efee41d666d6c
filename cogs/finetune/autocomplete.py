"""What `/finetune` offers while an operator types."""

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

import discord
from discord import app_commands

from bot.core.i18n import _
from bot.services import services_of
from bot.tuning.datasets import name_of
from bot.tuning.jobs import STATE_NAMES
from bot.tuning.service import Tuning
from bot.ui.views import MAX_CHOICE_LENGTH, MAX_CHOICES
from cogs._access import is_operator

Complete = Callable[[discord.Interaction[Any], str], Coroutine[Any, Any, list[app_commands.Choice[str]]]]
# Returns names for people, with their values.
Find = Callable[[Tuning], Awaitable[Iterable[tuple[str, str]]]]


def _completes(find: Find) -> Complete:
    """The autocomplete callback that offers what `find` returns and contains what was typed.

    It offers nothing to people who do not operate the bot.
    """

    async def complete(interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        services = services_of(interaction.client)
        if not is_operator(interaction, services.settings):
            return []
        wanted = typed.strip().casefold()
        found = [(name, value) for name, value in await find(services.tuning) if wanted in f"{name} {value}".casefold()]
        return [
            app_commands.Choice(name=name[:MAX_CHOICE_LENGTH], value=value)
            for name, value in found[:MAX_CHOICES]
            if len(value) <= MAX_CHOICE_LENGTH
        ]

    return complete


@_completes
async def corpora(tuning: Tuning) -> Iterable[tuple[str, str]]:
    """Everything that a model can be tuned for: corpora, and templates with one input."""
    return [(name, name) for name in tuning.subjects]


@_completes
async def corpora_with_texts(tuning: Tuning) -> Iterable[tuple[str, str]]:
    """The corpora: people correct answers of their models only."""
    return [(name, name) for name in tuning.corpora.names]


@_completes
async def datasets(tuning: Tuning) -> Iterable[tuple[str, str]]:
    """Every dataset, newest first within its corpus, with those that ship."""
    return [
        (" · ".join([name_of(row), row.id, *([] if row.state == "ready" else [_("still being made")])]), row.id)
        for corpus in tuning.subjects
        for row in await tuning.datasets.of(corpus)
    ]


@_completes
async def reviewable(tuning: Tuning) -> Iterable[tuple[str, str]]:
    """Datasets with flagged pairs, and how many are undecided."""
    found = []
    for corpus in tuning.subjects:
        for row in await tuning.datasets.of(corpus):
            flagged = await tuning.datasets.flagged(row.id)
            if flagged:
                left = sum(not pair.decision for pair in flagged)
                much = _("{n:,} of {total:,} to review", n=left, total=len(flagged))
                found.append((f"{name_of(row)} · {row.id} · {much}", row.id))
    return found


@_completes
async def jobs(tuning: Tuning) -> Iterable[tuple[str, str]]:
    """Jobs, newest first."""
    return [
        (f"{job.corpus} · {_(STATE_NAMES[job.state])} · {job.base} · {job.id}", job.id)
        for job in await tuning.jobs.all()
    ]


@_completes
async def unfinished_jobs(tuning: Tuning) -> Iterable[tuple[str, str]]:
    """Jobs that can be cancelled."""
    return [
        (f"{job.corpus} · {_(STATE_NAMES[job.state])} · {job.id}", job.id)
        for job in await tuning.jobs.all()
        if not job.over
    ]


@_completes
async def models(tuning: Tuning) -> Iterable[tuple[str, str]]:
    """Tuned models, newest first."""
    return [(f"{row.corpus} · {row.name}", row.name) for row in await tuning.models.all() if not row.gone]


@_completes
async def bases(tuning: Tuning) -> Iterable[tuple[str, str]]:
    """What can be tuned: the provider's base models, the installed ones, and the models that were tuned there."""
    # Translators: in a list of models: one that was not tuned yet, and one that was, to go on from.
    fresh, tuned = _("base model"), _("go on from it")
    known = [(f"{name} · {fresh}", name) for name in await tuning.jobs.bases()]
    profile = tuning.jobs.profile
    mine = [row for row in await tuning.models.all() if row.provider == profile.name and not row.gone]
    return [*known, *((f"{row.name} · {tuned}", row.name) for row in mine)]
