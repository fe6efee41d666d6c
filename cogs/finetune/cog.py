"""The subcommands of `/finetune`."""

import asyncio
import contextvars
from collections.abc import Mapping
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.core.i18n import _
from bot.services import Services
from bot.tuning.datasets import PAIRS_PER_CHUNK
from bot.tuning.jobs import STATE_NAMES
from bot.ui.cards import Card
from bot.ui.reply import Reply
from bot.ui.views import PersistentModal
from cogs._access import for_operators, operator_of
from cogs._store_first import answer_privately, store_first
from cogs.finetune import autocomplete
from cogs.finetune.corrections import Corrections
from cogs.finetune.datasets import Preparation, Review
from cogs.finetune.job_cards import PIN, JobCards, job_card, state_of
from cogs.finetune.models import Models
from cogs.finetune.starting import Starting

# A dataset's or a job's id, a model's name.
Id = app_commands.Range[str, 1, 100]
SHOWN_JOBS = 12
# Characters of a question that is pinned to a job.
PINNED_LENGTH = 300


@app_commands.default_permissions()
@app_commands.guild_only()
class Finetune(commands.GroupCog, name="finetune", description="For the operator: turn a folder of texts into a model"):
    """Every command calls one of the parts; `interaction_check` refuses everyone but operators."""

    def __init__(self, bot: commands.Bot, services: Services) -> None:
        self._services = services
        self._cards = JobCards(bot, services.tuning, services.slot.owns)
        self._preparation, self._review = Preparation(services), Review(services)
        self._starting, self._models = Starting(services, self._cards), Models(services)
        self._corrections = Corrections(services)
        services.actions.register("ft-cancel", for_operators(services.settings, self._cancel))
        services.actions.register(PIN, for_operators(services.settings, self._ask_for_pin))
        services.actions.register_modal(PIN, for_operators(services.settings, self._pin))
        super().__init__()

    async def cog_load(self) -> None:
        """Keep the cards of jobs up to date, also those from before a restart."""
        # In a context of its own: the task belongs to no command.
        self._updating = contextvars.Context().run(asyncio.create_task, self._cards.run())

    async def cog_unload(self) -> None:
        """Stop the updates. The jobs continue without their cards."""
        self._updating.cancel()

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Whether the person operates the bot; raises `OperatorsOnlyError`, which says so."""
        operator_of(interaction, self._services.settings)
        return True

    @app_commands.command(description="Make a dataset of a corpus, and check it")
    @app_commands.describe(
        corpus="The corpus, or a command to tune a model for",
        n="Questions to ask the model for in each piece of text (20)",
        file="For a command: your own .csv or .jsonl with “input” and “expected”, never people's messages",
    )
    @app_commands.autocomplete(corpus=autocomplete.corpora)
    async def prepare(
        self,
        interaction: discord.Interaction[Any],
        corpus: Id,
        n: app_commands.Range[int, 1, 100] = PAIRS_PER_CHUNK,
        file: discord.Attachment | None = None,
    ) -> None:
        """The dataset that ships, one that the model writes with its report as a file, or that of a labelled file."""
        if file is not None:
            await self._preparation.from_file(interaction, corpus, file)
        else:
            await self._preparation.prepare(interaction, corpus, n)

    @app_commands.command(description="Review the flagged pairs, one at a time")
    @app_commands.describe(dataset="The dataset")
    @app_commands.autocomplete(dataset=autocomplete.reviewable)
    async def review(self, interaction: discord.Interaction[Any], dataset: Id) -> None:
        """Claim, source and quote; Keep, Edit or Drop."""
        await self._review.start(interaction, dataset)

    @app_commands.command(description="Decide about answers that people call wrong, one at a time")
    @app_commands.describe(corpus="The corpus")
    @app_commands.autocomplete(corpus=autocomplete.corpora_with_texts)
    async def corrections(self, interaction: discord.Interaction[Any], corpus: Id) -> None:
        """Question, answer and correction; Confirm, Edit or Reject."""
        await self._corrections.start(interaction, corpus)

    @app_commands.command(description="What training would cost, for every known model")
    @app_commands.describe(dataset="The dataset", base="A base model, or a tuned one to go on from")
    @app_commands.autocomplete(dataset=autocomplete.datasets, base=autocomplete.bases)
    async def estimate(self, interaction: discord.Interaction[Any], dataset: Id, base: Id = "") -> None:
        """One table of tokens, prices and dates."""
        await self._starting.show(interaction, dataset, base, start=False)

    @app_commands.command(description="Train a model; the price is confirmed first")
    @app_commands.describe(dataset="The dataset", base="A base model, or a tuned one to go on from")
    @app_commands.autocomplete(dataset=autocomplete.datasets, base=autocomplete.bases)
    async def start(self, interaction: discord.Interaction[Any], dataset: Id, base: Id = "") -> None:
        """The estimate with a button that starts the job."""
        await self._starting.show(interaction, dataset, base, start=True)

    @app_commands.command(description="The tuning jobs, newest first")
    async def jobs(self, interaction: discord.Interaction[Any]) -> None:
        """A line a job."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        found = await self._services.tuning.jobs.all()
        card = Card(_("Tuning jobs"))
        for job in found[:SHOWN_JOBS]:
            what = _("{base}, dataset {dataset}", base=job.base, dataset=job.dataset_id)
            head = f"**{job.corpus}** · {_(STATE_NAMES[job.state])} · <t:{int(job.at)}:R>"
            card.text("\n".join([head, f"`{job.model}`" if job.model else what, _("-# job {job}", job=job.id)]))
        if not found:
            card.text(_("There is none yet: /finetune start starts one."))
        await interaction.edit_original_response(view=card.layout())

    @app_commands.command(description="How a job stands")
    @app_commands.describe(id="The job")
    @app_commands.autocomplete(id=autocomplete.jobs)
    async def job(self, interaction: discord.Interaction[Any], id: Id) -> None:
        """The job's card as it is now, only for the operator."""
        async with Reply(interaction, private=True) as reply:
            job = await self._services.tuning.jobs.get(id)
            card, files = await job_card(await state_of(self._services.tuning, job))
            await reply.finish_card(card, files)

    @app_commands.command(description="Cancel a job, here and at its provider")
    @app_commands.describe(id="The job")
    @app_commands.autocomplete(id=autocomplete.unfinished_jobs)
    async def cancel(self, interaction: discord.Interaction[Any], id: Id) -> None:
        """End a job that is not over."""
        await self._cancel(interaction, id)

    async def _cancel(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Cancel a job by its id, or by the button of its card."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        job = await self._services.tuning.jobs.cancel(job_id)
        await interaction.edit_original_response(content=_("The job {job} is cancelled.", job=job.id))

    async def _ask_for_pin(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Open the window for the question that every later checkpoint is asked."""
        modal = PersistentModal(PIN, job_id, title=_("Watch it learn"))
        modal.add_text(
            "question", _("A question for every checkpoint"), max_length=PINNED_LENGTH, multiline=False,
            placeholder=_("The card shows the answers while the model trains"),
        )  # fmt: skip
        await interaction.response.send_modal(modal)

    async def _pin(self, interaction: discord.Interaction[Any], job_id: str, typed: Mapping[str, str]) -> None:
        """Store the question of the window."""
        user_id = interaction.user.id
        await store_first(interaction, self._services.tuning.jobs.pin(job_id, user_id, typed.get("question", "")))
        await answer_privately(
            interaction, content=_("The next checkpoints are asked, and the card shows the answers.")
        )

    @app_commands.command(description="The tuned models, and which of them answer")
    async def models(self, interaction: discord.Interaction[Any]) -> None:
        """A block a model, with its scores."""
        await self._models.show(interaction)

    @app_commands.command(description="Let a model answer")
    @app_commands.describe(model="The model", force="Promote it although it scores worse, and say why")
    @app_commands.autocomplete(model=autocomplete.models)
    async def promote(
        self, interaction: discord.Interaction[Any], model: app_commands.Range[str, 1, 200],
        force: app_commands.Range[str, 0, 300] = "",
    ) -> None:  # fmt: skip
        """Refused where the model scores worse than the one that answers, unless forced with a reason."""
        await self._models.promote(interaction, model, force)

    @app_commands.command(description="Let the previous model answer again")
    @app_commands.describe(corpus="The corpus")
    @app_commands.autocomplete(corpus=autocomplete.corpora)
    async def rollback(self, interaction: discord.Interaction[Any], corpus: Id) -> None:
        """Undo the last promotion."""
        await self._models.rollback(interaction, corpus)
