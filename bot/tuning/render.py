"""The one rendering: what trains a model and what asks it later are made here, by the same function.

A tuned model knows the form that it was trained on; another form is another question. A test compares the two.
"""

from dataclasses import replace
from typing import Any

from bot.llm.request import Message, Request
from bot.llm.template import ChatTemplate
from bot.storage.datasets import PairRow

TUNED, WITH_FACTS = "tuned", "with_facts"


def question_values(question: str, corpus: str, refusal: str) -> dict[str, str]:
    """What the template of tuned models is filled with; blank space in a question says nothing."""
    return {"question": " ".join(question.split()), "corpus": corpus, "refusal": refusal}


def rendered(template: ChatTemplate, question: str, corpus: str, refusal: str) -> Request:
    """`question` as a tuned model is asked it."""
    return template.fill(question_values(question, corpus, refusal))


def training_row(template: ChatTemplate, pair: PairRow, corpus: str, refusal: str) -> dict[str, Any]:
    """`pair` as a line of the file that trains: the messages of the question, then the answer."""
    asked = rendered(template, pair.question, corpus, refusal).messages
    answer: Message = {"role": "assistant", "content": " ".join(pair.answer.split())}
    return {"messages": [*asked, answer]}


def for_model(template: ChatTemplate, model: str) -> ChatTemplate:
    """`template`, to be answered by `model`."""
    return replace(template, parameters={**template.parameters, "model": model})
