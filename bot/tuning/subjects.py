"""What a model is tuned for: a corpus of texts, or a template with labelled inputs, such as the rating of reviews.

A subject says how the model is asked, which answer is trained, and when an answer is right. What trains is rendered as
what asks. `subject_of` finds the subject of a dataset.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.core.errors import InputError, ReplyError
from bot.llm.output_parsers import parse_json, parse_rating
from bot.llm.request import Message, Request
from bot.llm.template import ChatTemplate
from bot.storage.datasets import DatasetRow, PairRow
from bot.tuning.corpus import Corpora
from bot.tuning.inference import TUNED, for_model, question_values
from bot.tuning.rows import ANSWERABLE
from bot.tuning.words import STAND_IN_REFUSAL, same_answer, sentence_key, squeezed, without_articles

# The reason in the answers that a rating is trained with: labelled reviews have stars and no reasons. A model that
# learnt invented reasons would invent them.
REASON_PROMPT = "rated by its words alone"


@dataclass(frozen=True, slots=True)
class CorpusSubject:
    """Questions about the texts of a corpus, in the template of tuned models. `refusal` is that of the dataset."""

    name: str
    template: ChatTemplate
    refusal: str

    def request(self, question: str, model: str = "") -> Request:
        """`question` as the tuned model is asked it, or `model` where given."""
        template = for_model(self.template, model) if model else self.template
        return template.fill(question_values(question, self.name, self.refusal))

    def judge(self, answer: str, pair: PairRow, *, loosely: bool = False) -> str:
        """`right`, `refused` or `wrong`.

        `loosely`: a sentence that contains the answer is right, for models that were not trained on short answers.
        """
        if not answer.strip():
            return "refused"
        refuses = same_answer(answer, self.refusal) or answer.strip() == STAND_IN_REFUSAL
        if pair.kind != ANSWERABLE:
            return "right" if refuses else "wrong"
        if same_answer(answer, pair.answer) or (loosely and not refuses and _contains(answer, pair.answer)):
            return "right"
        return "refused" if refuses else "wrong"


@dataclass(frozen=True, slots=True)
class TemplateSubject:
    """Inputs of a template with known answers. The tuned model is asked without the template's examples."""

    template: ChatTemplate

    @property
    def name(self) -> str:
        """The template's name."""
        return self.template.name

    @property
    def has_one_input(self) -> bool:
        """Whether a model can be tuned for it."""
        return len(self.template.placeholders) == 1

    @property
    def is_rating(self) -> bool:
        """Whether the answers are stars."""
        return self.template.reply == "rating"

    def request(self, question: str, model: str = "") -> Request:
        """The input as the tuned model is asked it, or `model` where given."""
        template = self.template.with_examples(0)
        return self._filled(for_model(template, model) if model else template, question)

    def few_shot(self, question: str) -> Request:
        """The input with all examples, for the chat model."""
        return self._filled(self.template, question)

    def answer(self, wanted: str) -> str:
        """The answer that is trained for a label. Raises `InputError` where the template would not read it."""
        answer = f"{wanted}: {REASON_PROMPT}" if self.is_rating and len(wanted.strip()) == 1 else wanted
        if self._parsed(answer) is None:
            raise InputError("{wanted} is no answer of /{template}.", wanted=wanted[:100], template=self.name)
        return answer

    def judge(self, answer: str, pair: PairRow, *, loosely: bool = False) -> str:
        """`right`, `refused` (nothing was said) or `wrong`: by stars, by the JSON value, else by words.

        `loosely`: a rating one star away is right.
        """
        if not answer.strip():
            return "refused"
        parsed, wanted = self._parsed(answer), self._parsed(pair.answer)
        if loosely and isinstance(parsed, int) and isinstance(wanted, int):
            return "right" if abs(parsed - wanted) <= 1 else "wrong"
        return "right" if parsed is not None and parsed == wanted else "wrong"

    def _filled(self, template: ChatTemplate, question: str) -> Request:
        if not self.has_one_input:
            raise InputError("/{template} has several inputs, and a model is tuned for one.", template=self.name)
        return template.fill({template.placeholders[0]: question})

    def _parsed(self, text: str) -> Any:
        """What counts of an answer; None where it is not in the template's form."""
        try:
            if self.is_rating:
                return parse_rating(text).stars
            if self.template.reply == "json":
                return parse_json(text, self.template.schema or {})
        except ReplyError:
            return None
        return tuple(sentence_key(text)) or None


Subject = CorpusSubject | TemplateSubject


def is_template(templates: Mapping[str, ChatTemplate], name: str) -> bool:
    """Whether `name` is a template's and no corpus's: a corpus cannot have the name of a command."""
    return name in templates and templates[name].command is not None


def check_subject(templates: Mapping[str, ChatTemplate], corpora: Corpora, name: str) -> str:
    """`name`, of a corpus or of a template; raises `NotFoundError`."""
    return name if is_template(templates, name) else corpora.get(name).name


def subject_of(templates: Mapping[str, ChatTemplate], dataset: DatasetRow) -> Subject:
    """What models are tuned for on a dataset."""
    if is_template(templates, dataset.corpus):
        return TemplateSubject(templates[dataset.corpus])
    return CorpusSubject(dataset.corpus, templates[TUNED], dataset.refusal)


def training_row(subject: Subject, pair: PairRow) -> dict[str, Any]:
    """`pair` as a line of the training file: the messages of the question, then the answer."""
    answer: Message = {"role": "assistant", "content": squeezed(pair.answer)}
    return {"messages": [*subject.request(pair.question).messages, answer]}


def _contains(answer: str, wanted: str) -> bool:
    """Whether the words of `wanted` are in `answer`, together and in their order, articles apart."""
    needle, text = without_articles(wanted), without_articles(answer)
    return bool(needle) and any(text[at : at + len(needle)] == needle for at in range(len(text) - len(needle) + 1))
