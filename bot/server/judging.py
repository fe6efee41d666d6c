"""Judges of test runs: whether an answer is right, by comparing texts, numbers or fields, or by asking a model."""

import re
from collections.abc import Mapping
from typing import Any

from bot.core.errors import InputError
from bot.core.json_text import read_json
from bot.llm.completion import Answer
from bot.llm.output_parsers import Rating, Reply
from bot.llm.request import Request
from bot.llm.template import ChatTemplate
from bot.server.trick_form import Trick

# `exact`: the expected text. `contains`: the expected text is in it. `within-one`: a number that differs by up to one.
# `fields`: JSON in which each expected field has its value. `model`: a model decides.
JUDGES = ("exact", "contains", "within-one", "fields", "model")
BY_FORM: Mapping[str, str] = {"rating": "within-one", "json": "fields", "facts": "contains", "text": "exact"}
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
STARS = re.compile(r"\s*[1-5](?!\d)")
# Characters around a text that make no difference.
PUNCTUATION = " \n.,;:!?…\"'“”„‘’«»*_`"


def judge_of(trick: Trick) -> str:
    """The judge for the form of a trick's answers."""
    return BY_FORM[trick.reply]


def check_expected(trick: Trick, expected: str) -> None:
    """Raise `InputError` where `expected` is empty or cannot be an answer of `trick`."""
    if not expected.strip():
        raise InputError("The expected answer is empty.")
    if trick.reply == "rating" and not STARS.match(expected):
        raise InputError("The expected answer of this trick begins with a number from 1 to 5.")
    if trick.reply == "json" and _object(expected) is None:
        raise InputError("The expected answer of this trick is a JSON object.")


def compare(judge: str, reply: Reply, text: str, expected: str) -> float:
    """1 where the answer is right, else 0. `reply` is the answer as its template parses it, `text` what was written."""
    if judge == "contains":
        right = plain(expected) in plain(text)
    elif judge == "within-one":
        found, wanted = NUMBER.search(text), NUMBER.search(expected)
        right = found is not None and wanted is not None and abs(float(found[0]) - float(wanted[0])) <= 1
    elif judge == "fields":
        data, fields = reply if isinstance(reply, dict) else _object(text), _object(expected)
        right = (
            data is not None
            and fields is not None
            and all(name in data and _same(data[name], value) for name, value in fields.items())
        )
    elif isinstance(reply, Rating):
        right = str(reply.stars) == expected.strip()[:1]
    elif isinstance(reply, dict):
        right = _same(reply, _object(expected))
    else:
        right = plain(text) == plain(expected)
    return float(right)


def question(template: ChatTemplate, text: str, expected: str, answer: str) -> Request:
    """The request to the model that judges."""
    return template.fill({"input": text, "expected": expected, "answer": answer})


def verdict(answer: Answer) -> float:
    """1 where the judging model says that the answer is right, else 0."""
    return float(isinstance(answer.reply, dict) and answer.reply["right"])


def plain(text: str) -> str:
    """`text` in lower case, without the white space and punctuation that make no difference."""
    return " ".join(text.casefold().split()).strip(PUNCTUATION)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return plain(one) == plain(other)
    return bool(one == other)


def _object(text: str) -> dict[str, Any] | None:
    try:
        data = read_json(text)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None
