"""Questions to promoted models: `ask` with its **Where from?**, and `compare`, which asks in three ways at once."""

from dataclasses import replace
from typing import Any

import discord

from bot.answers.prompt_view import author, figures
from bot.core.errors import InputError, ModelError, NotFoundError
from bot.core.i18n import N_, _
from bot.core.text import close_markup, escape_markdown, shorten
from bot.llm.completion import Display
from bot.services import Services
from bot.tuning.corpus import RACING
from bot.tuning.inference import Column, Comparison, NotTrainedError, Question, SimilarRow
from bot.tuning.jobs import STATE_NAMES
from bot.tuning.models import ModelRow
from bot.tuning.profiles import is_pocket_gpt
from bot.ui.actions import ActionButton
from bot.ui.cards import Card
from cogs._access import is_operator
from cogs._job_progress import progress_line

# The action of the button and of the modal that correct an answer.
WRONG = "wrong"
# Characters of a question: the limit of the template of tuned models.
MAX_LENGTH = 1_000
# Characters of a question, an answer or a quote on the card of similar rows; of a question and an answer when compared.
MAX_SHOWN, MAX_COMPARED = 300, 700
# The local engine's small model is no language model, and every answer of it says so.
POCKET_NAME = N_("Pocket GPT")
KNOWS = {RACING: N_("knows only this season")}


class Questions:
    """Asks the promoted models of all corpora."""

    def __init__(self, services: Services) -> None:
        self._services, self._models = services, services.tuning.models
        # Seconds that models were trained, by their names.
        self._seconds: dict[str, float] = {}
        services.actions.register("where", self.where)

    async def ask(self, interaction: discord.Interaction[Any], corpus: str, text: str, *, private: bool) -> None:
        """Answer `text` by the promoted model of `corpus`; without one, say so."""
        _check(text)
        async with self._services.answers.open(interaction, private=private) as answering:
            try:
                question = await self._models.question(corpus, text)
            except NotTrainedError as error:
                await answering.finish_card((await self.untrained_card(interaction, corpus, error)).layout())
                return
            gateway = await self._models.gateway_for(question.template)
            try:
                answer = await answering.ask(question.request, gateway=gateway)
            except ModelError as error:
                raise await self._models.explained(question, error) from error
            where = ActionButton("where", answer.id, label=_("Where from?"), emoji="🧭")
            wrong = ActionButton(WRONG, answer.id, label=_("Wrong?"), emoji="❓")
            display = Display(form="plain", by=await self._model_name(question.model))
            await answering.finish(replace(answer, display=display), items=[where, wrong])

    async def compare(self, interaction: discord.Interaction[Any], corpus: str, text: str) -> None:
        """Show the answers of the base model, of the base with the facts, and of the tuned model beside each other."""
        _check(text)
        private = self._services.guilds.private(interaction.guild_id, "compare")
        async with self._services.answers.open(interaction, private=private) as answering:
            try:
                question = await self._models.question(corpus, text)
            except NotTrainedError as error:
                await answering.finish_card((await self.untrained_card(interaction, corpus, error)).layout())
                return
            answering.start_notices()
            compared = await self._models.compare(question, answering.caller)
            answers = [column.answer for column in compared.columns if column.answer is not None]
            await answering.finish_card(_comparison_card(question, compared).layout(), answers=answers)

    async def untrained_card(self, interaction: discord.Interaction[Any], corpus: str, error: NotTrainedError) -> Card:
        """The sentence of `error`, or the job that is training the first model.

        Without a job, an operator gets a button that starts one.
        """
        job = await self._services.tuning.jobs.unfinished(corpus)
        if job is not None:
            state = _(STATE_NAMES[job.state])
            card = Card(_("Training {corpus} · {step}", corpus=corpus, step=state)).text(progress_line(job))
            return card.text(_("-# The first model of {corpus} is being made; job {job}.", corpus=corpus, job=job.id))
        card = Card("").text(str(error))
        if interaction.guild_id is not None and is_operator(interaction, self._services.settings):
            card.row(ActionButton("train", corpus, label=_("Train it now"), emoji="🏋️"))
        return card

    async def where(self, interaction: discord.Interaction[Any], prompt_id: str) -> None:
        """Show the training rows that are most like the question of an answer, to the person who pressed."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        prompt = await self._services.prompts.find(prompt_id)
        if prompt is None or prompt.template is None:
            raise NotFoundError("The question of this answer is no longer stored; ask it again.")
        model = str(prompt.template.parameters.get("model", ""))
        asked = prompt.values.get("question", "")
        rows = await self._models.similar(model, asked)
        await interaction.edit_original_response(view=_similar_card(asked, rows).layout())

    async def _model_name(self, model: ModelRow) -> str:
        """The model in the line under its answers, with how long it was trained and what it knows."""
        if not is_pocket_gpt(model.base, model.provider):
            return _("{model} · tuned on {corpus}", model=escape_markdown(model.name), corpus=model.corpus)
        if model.name not in self._seconds:
            self._seconds[model.name] = await self._services.tuning.jobs.training_seconds(model.job_id)
        seconds = self._seconds[model.name]
        trained = _("trained here in {n:,.0f} s", n=seconds) if seconds else _("trained here")
        knows = _(KNOWS[model.corpus]) if model.corpus in KNOWS else _("knows only {corpus}", corpus=model.corpus)
        return f"{_(POCKET_NAME)} · {trained} · {knows}"


def _check(text: str) -> None:
    """Raises `InputError` for a question without words."""
    if not text.strip():
        raise InputError("There is nothing to answer: the question is empty.")


def _similar_card(asked: str, rows: list[SimilarRow]) -> Card:
    """Similar rows with their quotes. The card says that they are no explanation."""
    # Translators: stands under the headline "Similar rows": similar to this question.
    card = Card(_("Similar rows")).text(_("to “{question}”", question=_shown(asked))).line()
    for row in rows:
        pair = row.pair
        alike = _("{answer} · {share:.0%} similar", answer=_shown(pair.answer), share=row.likeness)
        lines = [f"**{_shown(pair.question)}**", alike]
        if pair.quote:
            lines.append(f"> {_shown(pair.quote)}")
        place = _("{file}, line {n}", file=pair.source, n=row.file_line) if row.file_line else pair.source
        place = place or _("no source: it teaches the model to refuse")
        lines.append(_("-# {place} · row {n}", place=place, n=pair.line))
        card.text("\n".join(lines))
    if not rows:
        card.text(_("No row of the dataset shares a word with it."))
    return card.text(
        _(
            "-# Training rows whose questions share the rarest words with this one. They are similar; that "
            "does not mean that the answer comes from them."
        )
    )


def _shown(text: str) -> str:
    return escape_markdown(shorten(text, MAX_SHOWN))


def _comparison_card(question: Question, compared: Comparison) -> Card:
    """A block for each way, how the facts were chosen, and when training has paid for itself."""
    asked = escape_markdown(question.values["question"][:MAX_COMPARED])
    card = Card(_("{corpus}, compared", corpus=question.model.corpus)).text(f"“{asked}”")
    prompts: list[discord.ui.Item[Any]] = []
    for number, column in enumerate(compared.columns, 1):
        card.line().text(f"**{number} · {column.title}**\n{_block(question, column)}")
        if column.answer is not None:
            prompts.append(ActionButton("prompt", column.answer.id, label=_("Prompt {n}", n=number), emoji="🔍"))
    card.line().text(compared.break_even).text(f"-# {compared.facts}")
    return card.row(*prompts)


def _block(question: Question, column: Column) -> str:
    """An answer with its figures, or why there is none."""
    if column.answer is None:
        return column.why
    said = column.answer.text
    shown = escape_markdown(close_markup(said[:MAX_COMPARED]) + (" …" if len(said) > MAX_COMPARED else ""))
    model = question.model
    is_pocket = column.model == model.name and is_pocket_gpt(model.base, model.provider)
    name = _(POCKET_NAME) if is_pocket else author(column.answer.model)
    small = [name, *figures(column.answer)[1:]]
    shown = shown or _("*no answer*")
    return f"{shown}\n-# {' · '.join(small)}"
