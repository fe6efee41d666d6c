"""The subcommands of `/finetune`."""

import asyncio
import contextvars
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.core.i18n import _
from bot.services import Services
from bot.tuning.job_messages import STEPS
from bot.ui.cards import Card
from bot.ui.reply import Reply
from cogs._access import operator_of
from cogs.finetune import autocomplete as choosing
from cogs.finetune.autocomplete import Choices
from cogs.finetune.datasets import Datasets
from cogs.finetune.job_card import job_card, state_of
from cogs.finetune.job_card_updater import Cards
from cogs.finetune.models import Models
from cogs.finetune.review import Review
from cogs.finetune.starting import Starting

# A dataset's or a job's id, a model's name.
Id = app_commands.Range[str, 1, 100]
SHOWN_JOBS = 12


@app_commands.default_permissions()
@app_commands.guild_only()
class Finetune(commands.GroupCog, name="finetune", description="For the operator: turn a folder of texts into a model"):
    """Each command asks one of the parts; `interaction_check` lets operators in and nobody else."""

    def __init__(self, bot: commands.Bot, services: Services) -> None:
        self._services = services
        self._following = Cards(bot, services.tuning)
        self._datasets, self._review = Datasets(services), Review(services)
        self._starting, self._models = Starting(services, self._following), Models(services)
        self._handlers = {
            **self._review.handlers,
            **self._starting.handlers,
            **self._models.handlers,
            "ft-again": self._datasets.again,
            "ft-cancel": self._cancel_by_button,
        }
        super().__init__()

    async def cog_load(self) -> None:
        """Register the buttons and keep the cards of jobs up to date, including jobs from before a restart."""
        for action, handler in self._handlers.items():
            self._services.actions.register(action, handler)
        # In a context of its own, since it belongs to nobody's command and outlives them all.
        self._tending = contextvars.Context().run(asyncio.create_task, self._following.run())

    async def cog_unload(self) -> None:
        """Unregister the actions. Jobs continue without their cards."""
        self._tending.cancel()
        for action in self._handlers:
            self._services.actions.unregister(action)

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Whether the person operates the bot; raises `OperatorsOnlyError`, which says so."""
        operator_of(interaction, self._services.settings)
        return True

    @app_commands.command(description="Make a dataset of a corpus, and check it")
    @app_commands.describe(corpus="The corpus", n="Questions to ask the model for in each piece of text (20)")
    async def prepare(
        self, interaction: discord.Interaction[Any], corpus: Id, n: app_commands.Range[int, 1, 100] = 20
    ) -> None:
        """The dataset that ships, or one that the model writes; its report is a file."""
        await self._datasets.prepare(interaction, corpus, n)

    @app_commands.command(description="Review the flagged pairs, one at a time")
    @app_commands.describe(dataset="The dataset")
    async def review(self, interaction: discord.Interaction[Any], dataset: Id) -> None:
        """Claim, source and quote; Keep, Edit or Drop."""
        await self._review.start(interaction, dataset)

    @app_commands.command(description="What training would cost, for every known model")
    @app_commands.describe(dataset="The dataset", base="A base model, or a tuned one to go on from")
    async def estimate(self, interaction: discord.Interaction[Any], dataset: Id, base: Id = "") -> None:
        """One table of tokens, prices and dates."""
        await self._starting.show(interaction, dataset, base, start=False)

    @app_commands.command(description="Train a model; the price is confirmed first")
    @app_commands.describe(dataset="The dataset", base="A base model, or a tuned one to go on from")
    async def start(self, interaction: discord.Interaction[Any], dataset: Id, base: Id = "") -> None:
        """The estimate with a button that starts the job."""
        await self._starting.show(interaction, dataset, base, start=True)

    @app_commands.command(description="The tuning jobs, newest first")
    async def jobs(self, interaction: discord.Interaction[Any]) -> None:
        """A line a job."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        found = await self._services.tuning.jobs()
        card = Card(_("Tuning jobs"))
        for job in found[:SHOWN_JOBS]:
            what = _("{base}, dataset {dataset}", base=job.base, dataset=job.dataset_id)
            head = f"**{job.corpus}** · {_(STEPS[job.state])} · <t:{int(job.at)}:R>"
            card.text("\n".join([head, f"`{job.model}`" if job.model else what, _("-# job {job}", job=job.id)]))
        if not found:
            card.text(_("There is none yet: /finetune start starts one."))
        await interaction.edit_original_response(view=card.layout())

    @app_commands.command(description="How a job stands")
    @app_commands.describe(id="The job")
    async def job(self, interaction: discord.Interaction[Any], id: Id) -> None:
        """The job's card as it is now, for the operator alone."""
        async with Reply(interaction, private=True) as reply:
            job = await self._services.tuning.job(id)
            card, files = await job_card(await state_of(self._services.tuning, job))
            await reply.finish_card(card, files)

    @app_commands.command(description="Cancel a job, here and at its provider")
    @app_commands.describe(id="The job")
    async def cancel(self, interaction: discord.Interaction[Any], id: Id) -> None:
        """End a job that is not over."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        job = await self._services.tuning.cancel(id)
        await interaction.edit_original_response(content=_("The job {job} is cancelled.", job=job.id))

    async def _cancel_by_button(self, interaction: discord.Interaction[Any], job_id: str, _chosen: list[str]) -> None:
        """The same, by the button of a job's card."""
        operator_of(interaction, self._services.settings)
        await interaction.response.defer(ephemeral=True, thinking=True)
        job = await self._services.tuning.cancel(job_id)
        await interaction.edit_original_response(content=_("The job {job} is cancelled.", job=job.id))

    @app_commands.command(description="The tuned models, and which of them answer")
    async def models(self, interaction: discord.Interaction[Any]) -> None:
        """A block a model, with its scores."""
        await self._models.show(interaction)

    @app_commands.command(description="Let a model answer")
    @app_commands.describe(model="The model", force="Promote it although it scores worse, and say why")
    async def promote(
        self, interaction: discord.Interaction[Any], model: app_commands.Range[str, 1, 200],
        force: app_commands.Range[str, 0, 300] = "",
    ) -> None:  # fmt: skip
        """Refused where the model scores worse than the one that answers, unless forced with a reason."""
        await self._models.promote(interaction, model, force)

    @app_commands.command(description="Let the previous model answer again")
    @app_commands.describe(corpus="The corpus")
    async def rollback(self, interaction: discord.Interaction[Any], corpus: Id) -> None:
        """Undo the last promotion."""
        await self._models.rollback(interaction, corpus)

    @prepare.autocomplete("corpus")
    @rollback.autocomplete("corpus")
    async def _corpora(self, interaction: discord.Interaction[Any], typed: str) -> Choices:
        return await choosing.offered(self._services, interaction, typed, choosing.corpora)

    @review.autocomplete("dataset")
    async def _reviewable(self, interaction: discord.Interaction[Any], typed: str) -> Choices:
        return await choosing.offered(self._services, interaction, typed, choosing.reviewable)

    @estimate.autocomplete("dataset")
    @start.autocomplete("dataset")
    async def _datasets_there(self, interaction: discord.Interaction[Any], typed: str) -> Choices:
        return await choosing.offered(self._services, interaction, typed, choosing.datasets)

    @estimate.autocomplete("base")
    @start.autocomplete("base")
    async def _bases(self, interaction: discord.Interaction[Any], typed: str) -> Choices:
        return await choosing.offered(self._services, interaction, typed, choosing.bases)

    @job.autocomplete("id")
    async def _jobs(self, interaction: discord.Interaction[Any], typed: str) -> Choices:
        return await choosing.offered(self._services, interaction, typed, choosing.jobs)

    @cancel.autocomplete("id")
    async def _unfinished(self, interaction: discord.Interaction[Any], typed: str) -> Choices:
        return await choosing.offered(self._services, interaction, typed, choosing.unfinished)

    @promote.autocomplete("model")
    async def _tuned(self, interaction: discord.Interaction[Any], typed: str) -> Choices:
        return await choosing.offered(self._services, interaction, typed, choosing.models)
