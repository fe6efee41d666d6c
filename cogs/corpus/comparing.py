"""`compare`: one question to the base model, to the base model with the facts in its prompt, and to the tuned one."""

from collections.abc import Mapping
from typing import Any

import discord

from bot.answers.prompt_view import author, figures
from bot.core.errors import InputError, ModelError
from bot.core.i18n import _
from bot.core.text import close_markup, escape_markdown
from bot.llm.client import ChatClient
from bot.llm.completion import Answer
from bot.llm.template import ChatTemplate
from bot.services import Services
from bot.tuning.asking import NotTrainedError, Question
from bot.tuning.compare import Column, Comparison
from bot.tuning.records import Bill
from bot.ui.actions import ActionButton
from bot.ui.caller import caller_of
from bot.ui.cards import Card
from cogs.corpus.asking import Asking
from cogs.corpus.naming import ENGINE, POCKET_NAME

# Characters of the question and of each answer on the card.
SHOWN = 700


class PromptPurse:
    """A `bot.tuning.billing.Purse` at the expense of who asks, which remembers the prompt behind every answer."""

    def __init__(self, services: Services, interaction: discord.Interaction[Any], question: Question) -> None:
        self._services, self._interaction, self._question = services, interaction, question
        self.answers: list[Answer] = []

    @property
    def chat_model(self) -> str:
        """The chat model in use."""
        return self._services.gateway.model

    async def ask(
        self, user_id: int, template: ChatTemplate, values: Mapping[str, str], chat: ChatClient | None = None
    ) -> Answer:
        """Ask as a command does; the server's limits hold as well."""
        gateway = self._services.gateway if chat is None else self._services.workshop.desk_of(chat)
        try:
            answer = await gateway.ask(caller_of(self._interaction), template.fill(values))
        except ModelError as error:
            if template.parameters.get("model") != self._question.model.name:
                raise
            raise await self._services.tuning.explained(self._question, error) from error
        self.answers.append(answer)
        return answer

    def paid(self, bill: Bill) -> None:
        """Nobody is trained here."""
        raise RuntimeError("a comparison starts no job")


class Comparing:
    """Asks the same thing in three ways at once."""

    def __init__(self, services: Services, asking: Asking) -> None:
        self._services, self._asking = services, asking

    async def compare(self, interaction: discord.Interaction[Any], corpus: str, text: str) -> None:
        """A card with a block for each way, and when training has paid for itself."""
        if not text.strip():
            raise InputError("There is nothing to answer: the question is empty.")
        private = self._services.guilds.private(interaction.guild_id, "compare")
        async with self._services.answers.open(interaction, private=private) as answering:
            try:
                question = await self._services.tuning.question(corpus, text)
            except NotTrainedError as error:
                await self._asking.say_untrained(answering.reply, interaction, corpus, error)
                return
            answering.start_notices()
            purse = PromptPurse(self._services, interaction, question)
            compared = await self._services.tuning.compare(corpus, text, interaction.user.id, purse)
            await answering.finish_card(_card(question, compared).layout(), answers=purse.answers)


def _card(question: Question, compared: Comparison) -> Card:
    """A block for each way, how the facts were chosen, and when training has paid for itself."""
    asked = question.values["question"]
    card = Card(_("{corpus}, compared", corpus=question.model.corpus)).text(f"“{escape_markdown(asked[:SHOWN])}”")
    prompts: list[discord.ui.Item[Any]] = []
    for number, column in enumerate(compared.columns, 1):
        card.line().text(f"**{number} · {column.title}**\n{_block(question, column)}")
        if column.answer is not None:
            prompts.append(ActionButton("prompt", column.answer.id, label=_("Prompt {n}", n=number), emoji="🔍"))
    card.line().text(compared.paid).text(f"-# {compared.facts}")
    return card.row(*prompts)


def _block(question: Question, column: Column) -> str:
    """An answer with what it took, or why there is none."""
    if column.answer is None:
        return column.why
    said = column.answer.text
    shown = escape_markdown(close_markup(said[:SHOWN]) + (" …" if len(said) > SHOWN else ""))
    pocket = column.model == question.model.name and question.model.provider == ENGINE
    name = _(POCKET_NAME) if pocket else author(column.answer.model)
    small = [name, *figures(column.answer)[1:]]
    shown = shown or _("*no answer*")
    return f"{shown}\n-# {' · '.join(small)}"
