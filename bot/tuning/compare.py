"""The same question three ways: the base model, the base model with the facts in its prompt, the tuned model."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from bot.core.errors import ModelError, NoModelError
from bot.core.i18n import _, ngettext
from bot.llm.client import ChatClient
from bot.llm.completion import Answer
from bot.llm.template import ChatTemplate
from bot.storage.tuning import ModelRow
from bot.tuning.billing import Purse
from bot.tuning.facts import Facts
from bot.tuning.render import TUNED, WITH_FACTS, for_model, question_values

NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Column:
    """One way; `answer` is None where it could not be asked, and `why` says why."""

    title: str
    model: str
    answer: Answer | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All three, how the facts of the second were chosen, and when training has paid for itself."""

    bare: Column
    told: Column
    tuned: Column
    facts: str
    paid: str

    @property
    def columns(self) -> tuple[Column, Column, Column]:
        """In the order in which they are shown."""
        return self.bare, self.told, self.tuned


@dataclass(frozen=True, slots=True)
class Comparing:
    """What a comparison needs; `base` is the base model's client, None for the chat model."""

    purse: Purse
    templates: Mapping[str, ChatTemplate]
    model: ModelRow
    refusal: str
    facts: Facts
    base: ChatClient | None
    chat: ChatClient
    # What training cost, in billionths of a US dollar; None where it is not known.
    trained_for: int | None


async def compare(with_: Comparing, question: str, user_id: int) -> Comparison:
    """Ask all three at once. A way that cannot be asked does not keep the others; `LimitError` does."""
    model, purse = with_.model, with_.purse
    name = purse.chat_model if with_.base is None else model.base
    bare = question_values(question, model.corpus, with_.refusal)
    chosen = await asyncio.to_thread(with_.facts.about, question)
    told = {"question": bare["question"], "facts": chosen, "refusal": with_.refusal}
    tuned, with_facts = with_.templates[TUNED], with_.templates[WITH_FACTS]

    async def ask(
        title: str, to: str, template: ChatTemplate, values: Mapping[str, str], chat: ChatClient | None
    ) -> Column:
        try:
            return Column(title, to, await purse.ask(user_id, for_model(template, to), values, chat))
        except NoModelError:
            why = _("No language model is connected, and the stand-in cannot answer this.")
            return Column(title, to, None, why)
        except ModelError as error:
            return Column(title, to, None, str(error))

    columns = await asyncio.gather(
        ask(_("Base model"), name, tuned, bare, with_.base),
        ask(_("Base model with the facts in its prompt"), name, with_facts, told, with_.base),
        ask(_("Tuned model"), model.name, tuned, bare, with_.chat),
    )
    return Comparison(
        *columns, with_.facts.how, paid_for_itself(with_.trained_for, columns[1].answer, columns[2].answer)
    )


def paid_for_itself(trained_for: int | None, told: Answer | None, tuned: Answer | None) -> str:
    """After how many questions like this one training has cost less than putting the facts into every prompt."""
    if told is None or tuned is None:
        return _("There is no other price to compare the tuned model's price with.")
    if trained_for is None or told.price is None or tuned.price is None:
        return _("It is not known whether training pays off: a price is missing.")
    saved = told.price - tuned.price
    if not trained_for and saved >= 0:
        return _("Training cost nothing, so it has paid for itself with the first question.")
    if saved <= 0:
        return _("A question to the tuned model costs no less, so training does not pay for itself in money.")
    questions = int(Decimal(trained_for) / NANO / saved) + 1
    return ngettext(
        "Training has paid for itself after about {n:,} question like this one.",
        "Training has paid for itself after about {n:,} questions like this one.",
        questions,
    )
