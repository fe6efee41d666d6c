"""A question to the promoted model: rendered as it was trained, answered in one line, with where it may be from."""

from typing import Any

import discord

from bot.core.errors import InputError, ModelError, NotFoundError
from bot.core.i18n import _
from bot.core.text import escape_markdown
from bot.services import Services
from bot.tuning.asking import NotTrainedError, Similar
from bot.ui.actions import ActionButton
from bot.ui.cards import Card
from bot.ui.reply import Page, Reply
from cogs._access import is_operator
from cogs.corpus.naming import Names

# The question's input in the template of tuned models takes so many characters.
LONGEST = 1_000
# Characters of a question, an answer or a quote on the card of similar rows.
SHOWN = 300


class Asking:
    """Asks the promoted models of all corpora."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.names = Names(services)

    async def ask(self, interaction: discord.Interaction[Any], corpus: str, text: str, *, private: bool) -> None:
        """Answer `text` by the model of `corpus`; where there is none, say so, and who can train one."""
        if not text.strip():
            raise InputError("There is nothing to answer: the question is empty.")
        async with self._services.answers.open(interaction, private=private) as answering:
            try:
                question = await self._services.tuning.question(corpus, text)
            except NotTrainedError as error:
                await self.say_untrained(answering.reply, interaction, corpus, error)
                return
            gateway = await self._services.workshop.gateway(question.model.provider)
            try:
                answer = await answering.ask(question.template.fill(question.values), gateway=gateway)
            except ModelError as error:
                raise await self._services.tuning.explained(question, error) from error
            where = ActionButton("where", answer.id, label=_("Where from?"), emoji="🧭")
            page = Page(escape_markdown(answer.text), items=[where])
            await answering.finish(answer, page, by=await self.names.of(question.model))

    async def say_untrained(
        self, reply: Reply, interaction: discord.Interaction[Any], corpus: str, error: NotTrainedError
    ) -> None:
        """The sentence; and for the operator, in a server, a button that trains a model."""
        card = Card("").text(str(error))
        if interaction.guild_id is not None and is_operator(interaction, self._services.settings):
            card.row(ActionButton("train", corpus, label=_("Train it now"), emoji="🏋️"))
        await reply.finish_card(card.layout())

    async def where(self, interaction: discord.Interaction[Any], prompt_id: str, _chosen: list[str]) -> None:
        """The training rows that are most like the question of an answer, for the one who pressed."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        prompt = await self._services.prompts.find(prompt_id)
        if prompt is None or prompt.template is None:
            raise NotFoundError("The question of this answer is no longer stored; ask it again.")
        model = str(prompt.template.parameters.get("model", ""))
        asked = prompt.values.get("question", "")
        rows = await self._services.tuning.similar(model, asked)
        await interaction.edit_original_response(view=_similar(asked, rows).layout())


def _similar(asked: str, rows: list[Similar]) -> Card:
    """Similar rows, each with its proof. They are no explanation, and the card says so."""
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
    return escape_markdown(text if len(text) <= SHOWN else text[: SHOWN - 1] + "…")
