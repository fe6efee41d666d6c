"""Inference with the tuned models of corpora: questions, similar rows, and the three-way comparison."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from bot.core.caller import Caller
from bot.core.errors import ModelError, NoModelError, NotFoundError
from bot.core.i18n import _, ngettext
from bot.core.settings import LOCAL_SUFFIX
from bot.llm.completion import Answer
from bot.llm.request import Request
from bot.llm.template import ChatTemplate
from bot.server.ledger import NANO
from bot.server.model_gateway import ModelGateway
from bot.storage.datasets import PairRow
from bot.storage.tuning import ModelRow
from bot.tuning.corpus import Corpus
from bot.tuning.profiles import PROFILES, is_pocket_gpt
from bot.tuning.retrieval import Facts
from bot.tuning.words import squeezed

# The templates of tuned models, and of base models that get the facts in the prompt.
TUNED, WITH_FACTS = "tuned", "with_facts"


class NotTrainedError(NotFoundError):
    """No model is promoted for this corpus; the sentence says who can train one."""


class DeletedModelError(ModelError):
    """The provider has deleted the promoted model; the sentence says how to go back."""


# --- rendering


def question_values(question: str, corpus: str, refusal: str) -> dict[str, str]:
    """The values for the template of tuned models, with single spaces in the question."""
    return {"question": squeezed(question), "corpus": corpus, "refusal": refusal}


def for_model(template: ChatTemplate, model: str) -> ChatTemplate:
    """`template`, to be answered by `model`.

    No JSON schema binds the answer, as it does where the chat model is asked: a tuned model answers in the form of its
    rows, and a schema makes it write what it never learnt.
    """
    form = {} if template.reply == "text" else {"response_format": {"type": "text"}}
    return replace(template, parameters={**template.parameters, **form, "model": model})


# --- questions


@dataclass(frozen=True, slots=True)
class Question:
    """A question to the promoted model: a template that names the model, filled with `values`."""

    model: ModelRow
    template: ChatTemplate
    values: Mapping[str, str]

    @property
    def request(self) -> Request:
        """What is sent to the model."""
        return self.template.fill(self.values)


def not_trained(corpus: str) -> NotTrainedError:
    """No model has been promoted for `corpus`."""
    return NotTrainedError(
        "No model is trained for {corpus} yet. The bot's operator can train one with /finetune start, or with "
        "`fewshot tune start {corpus}`, and then promote it.",
        corpus=corpus,
    )


@dataclass(frozen=True, slots=True)
class SimilarRow:
    """A training row like a question: similar, not the cause of an answer.

    `likeness` is from 0 to 1. `file_line` is the line of the source with the quote, from 1; 0 where it is not found.
    """

    pair: PairRow
    likeness: float
    file_line: int


def similar_rows(corpus: Corpus, found: list[tuple[PairRow, float]]) -> list[SimilarRow]:
    """Rows with the lines of their quotes. Reads the texts: call it in a thread."""
    texts = dict(corpus.texts()) if any(pair.quote for pair, _ in found) else {}
    return [SimilarRow(pair, likeness, _line(texts.get(pair.source, ""), pair.quote)) for pair, likeness in found]


def _line(text: str, quote: str) -> int:
    at = text.find(quote) if quote else -1
    return text.count("\n", 0, at) + 1 if at >= 0 else 0


# --- the comparison


def base_of(model: ModelRow, chat: ModelGateway, tuned: ModelGateway) -> tuple[str, ModelGateway]:
    """The name of a tuned model's base, and the gateway that asks it: `tuned`, which also asks the model itself.

    The pocket GPT's base knows no language, so that the chat model stands in its place.
    """
    if is_pocket_gpt(model.base, model.provider):
        return chat.model, chat
    is_local = PROFILES[model.provider].is_local
    return f"{model.base}{LOCAL_SUFFIX if is_local else ''}", tuned


@dataclass(frozen=True, slots=True)
class Column:
    """One of the three ways; where it could not be asked, `answer` is None and `why` says why."""

    title: str
    model: str
    answer: Answer | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The base model, the base model with the facts in its prompt, and the tuned model, in this order.

    `facts` says how the facts were chosen, `break_even` after how many questions training has paid for itself.
    """

    columns: tuple[Column, ...]
    facts: str
    break_even: str


async def compare(
    question: Question,
    caller: Caller,
    base: tuple[str, ModelGateway],
    tuned: ModelGateway,
    facts: Facts,
    templates: Mapping[str, ChatTemplate],
    nanodollars: int | None,
) -> Comparison:
    """Ask all three at once. Where one fails, the others are shown; `LimitError` is raised.

    `base` is the base model's name and the gateway that asks it; `nanodollars` what training cost, None where that is
    not known.
    """
    base_name, base_gateway = base
    refusal = question.values["refusal"]
    chosen = await asyncio.to_thread(facts.about, question.values["question"])
    with_facts = {"question": question.values["question"], "facts": chosen, "refusal": refusal}

    async def ask(title: str, name: str, request: Request, gateway: ModelGateway) -> Column:
        try:
            return Column(title, name, await gateway.ask(caller, request))
        except NoModelError:
            return Column(title, name, None, _("No language model is connected, and the stand-in cannot answer this."))
        except ModelError as error:
            return Column(title, name, None, str(error))

    bare_request = for_model(templates[TUNED], base_name).fill(question.values)
    facts_request = for_model(templates[WITH_FACTS], base_name).fill(with_facts)
    columns = await asyncio.gather(
        ask(_("Base model"), base_name, bare_request, base_gateway),
        ask(_("Base model with the facts in its prompt"), base_name, facts_request, base_gateway),
        ask(_("Tuned model"), question.model.name, question.request, tuned),
    )
    return Comparison(tuple(columns), facts.how, _break_even(nanodollars, columns[1].answer, columns[2].answer))


def _break_even(nanodollars: int | None, with_facts: Answer | None, tuned: Answer | None) -> str:
    """After how many questions like this one training has cost less than putting the facts into every prompt."""
    if with_facts is None or tuned is None:
        return _("There is no other price to compare the tuned model's price with.")
    if nanodollars is None or with_facts.price is None or tuned.price is None:
        return _("It is not known whether training pays off: a price is missing.")
    saved = with_facts.price - tuned.price
    if not nanodollars and saved >= 0:
        return _("Training cost nothing, so it has paid for itself with the first question.")
    if saved <= 0:
        return _("A question to the tuned model costs no less, so training does not pay for itself in money.")
    questions = int(Decimal(nanodollars) / NANO / saved) + 1
    return ngettext(
        "Training has paid for itself after about {n:,} question like this one.",
        "Training has paid for itself after about {n:,} questions like this one.",
        questions,
    )
