"""What a model wrote, as the type that its template asks for.

Each parser takes the text as it came and raises `ReplyError` with a sentence that says what is wrong with it:
the same sentence asks the model to repair its answer and, failing that, tells the person.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from bot.core.errors import ReplyError, TemplateError

FENCE = re.compile(r"\A\s*```[\w-]*\s*\n(.*?)\n?\s*```\s*\Z", re.DOTALL)
# "4.5: …" and "3-4: …" are no ratings, so no digit may follow a dot or a dash.
RATING = re.compile(
    r"\A\W*([1-5])(?:\s*/\s*5)?\s*(?:stars?)?\s*(?::|[.–—-](?!\s*\d))\s*(\S.*)\Z", re.DOTALL | re.IGNORECASE
)
XML = re.compile(r"<FACTS\b.*</FACTS\s*>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Rating:
    """One to five stars, and why."""

    stars: int
    reason: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a model says of `entity`, a fact an item, and the XML that it stood in."""

    entity: str
    facts: tuple[str, ...]
    xml: str


Reply = str | Rating | Facts | dict[str, Any]


def strip_code_fence(text: str) -> str:
    """`text` without the one code fence that wraps all of it, if there is one."""
    match = FENCE.match(text)
    return (match[1] if match else text).strip()


def parse_rating(text: str) -> Rating:
    """`4: reason`; a little around it is forgiven (`4/5 stars - reason`)."""
    match = RATING.match(strip_code_fence(text))
    if not match:
        raise ReplyError('The answer is not in the form "N: reason" with N from 1 to 5.')
    return Rating(int(match[1]), match[2].strip())


def parse_facts(text: str) -> Facts:
    """`<FACTS entity="…"><FACT>…</FACT>…</FACTS>`, alone or inside other text; entities and DTDs are refused."""
    # Imported here: only this form of reply needs an XML parser.
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    found = XML.search(strip_code_fence(text))
    if not found or "<!" in text:
        raise ReplyError("The answer holds no complete <FACTS> element.")
    try:
        root = fromstring(found[0], forbid_dtd=True)
    except DefusedXmlException:
        raise ReplyError("The answer's XML declares entities, which are refused.") from None
    except (ParseError, ValueError):
        raise ReplyError("The answer's XML is not well formed.") from None
    return _checked(root, found[0])


def _checked(root: Element, xml: str) -> Facts:
    """The facts under `root`, if it has the form and nothing else."""
    entity = (root.get("entity") or "").strip()
    items = tuple(" ".join("".join(item.itertext()).split()) for item in root)
    if not entity:
        raise ReplyError('The <FACTS> element has no "entity".')
    if not items or any(item.tag != "FACT" for item in root) or not all(items):
        raise ReplyError("The <FACTS> element must hold <FACT> elements with a text each, and nothing else.")
    return Facts(entity, items, xml)


def parse_json(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object in `text` that `schema` (a JSON schema) accepts; what stands around it is passed over."""

    text = strip_code_fence(text)
    start = text.find("{")
    if start < 0:
        raise ReplyError("The answer holds no JSON object.")
    try:
        data, _ = json.JSONDecoder().raw_decode(text, start)
    except (json.JSONDecodeError, RecursionError):
        raise ReplyError("The answer's JSON is malformed or incomplete.") from None
    problem = _first_problem(data, schema)
    if problem is not None:
        where, rule = ".".join(str(part) for part in problem.absolute_path), problem.validator
        if not where:
            raise ReplyError("The answer's JSON does not fit: the object breaks its rule {rule!r}.", rule=rule)
        raise ReplyError("The answer's JSON does not fit: {where} breaks its rule {rule!r}.", where=where, rule=rule)
    return dict(data)


def _first_problem(data: Any, schema: Mapping[str, Any]) -> Any:
    """The first way in which `data` breaks `schema`, or None; raises `TemplateError` for a schema that is none."""
    # Imported here: only JSON replies need a validator.
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError, UnknownType
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    # The registry is empty because the validator would otherwise fetch what a schema refers to from the network.
    registry: Registry[Any] = Registry()
    try:
        Draft202012Validator.check_schema(schema)
        return next(iter(Draft202012Validator(schema, registry=registry).iter_errors(data)), None)
    except (SchemaError, UnknownType, Unresolvable, re.error, RecursionError):
        raise TemplateError("The template's schema cannot be used; it is not JSON Schema of 2020-12.") from None


def parse(text: str, kind: str, schema: Mapping[str, Any] | None = None) -> Reply:
    """`text` as the reply that a template of this `kind` promises; an empty text raises `ReplyError`, too."""
    if not text.strip():
        raise ReplyError("The model answered nothing. Try again, or put it in other words.")
    if kind == "rating":
        return parse_rating(text)
    if kind == "facts":
        return parse_facts(text)
    return parse_json(text, schema or {}) if kind == "json" else text.strip()
