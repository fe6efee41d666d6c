"""Parses a model's answer into the type that its template asks for.

Each parser takes the text as it came and raises `ReplyError` with a sentence that says what is wrong with it. The
sentence is used in the repair prompt to the model, and if that fails it is shown to the person.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError

from bot.core.errors import ReplyError, TemplateError
from bot.core.i18n import N_
from bot.core.json_text import without_surrogates_in

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

# Marks that may surround a number: Markdown, brackets, quotes, the rest of a keycap emoji.
_MARKS = r"(?:[*_~`\"'“”’»)\]\ufe0f\u20e3]|</[a-z]{1,8}>)*"
# Words that may come before a bare number: "Rating:", "My rating (1-5) is", "I would give it a".
_LABEL = (
    r"(?:(?:[^\W\d](?:[^\d\n:：=]|\(1\s*(?:-|–|—|to)\s*5\)){0,60}?)?"
    r"(?:[:：=]|\b(?:is|ist|est|ratings?|score|grade|give\s+(?:it|this)|rate\s+(?:it|this)|bewertung|gebe|note|donne)\b)"
    r"[^\w★⭐-]*(?:an?\s+)?)?"
)
_OUT_OF = r"(?:\s*\(?(?:/|out\s+of|von|sur)\s*[5５]\)?)?"
_UNIT = r"(?:[\s-]*(?:stars?|points?|sterne?n?|étoiles?|[★⭐🌟]\ufe0f?))?(?:\s*\([^()\d]{1,30}\))?"
# "4.5: …", "3-4: …" and "4:30" are no ratings, so no digit may follow a dot or a dash, and no two a colon.
RATING = re.compile(
    rf"\A[^\w★⭐-]*(?:[-–—•]\s+)?{_LABEL}(?:<[a-z]{{1,8}}>)?([1-5１-５]){_MARKS}{_OUT_OF}{_UNIT}{_MARKS}[^\S\n]*"
    rf"(?:[:：](?!\d\d\b)|[.)–—|→=-](?!\s*\d|stars?\b)|\n|(?=\b(?:because|weil|parce\s))){_MARKS}\s*"
    rf"(?:(?:reason|grund|raison)\s*[:：]{_MARKS}\s*)?(\S.*)\Z",
    re.DOTALL | re.IGNORECASE,
)
# Marks around the whole rating, the last of which would be left at the end of the reason.
AROUND = re.compile(r"\A(\*\*\*?|__?|\*|`|[\"'“„«])(?=[^\s*_`])(.*?)(\*\*\*?|__?|\*|`|[\"'”“»])\Z", re.DOTALL)
STARS = re.compile(r"\A[^\w★⭐🌟]*((?:[★⭐🌟]\ufe0f?){1,5})([☆✩✰]{0,4})\s*[:：.–—-]?\s*([^\W_].*)\Z", re.DOTALL)
NO_RATING = N_('The answer is not in the form "N: reason" with N from 1 to 5.')
MALFORMED_JSON = N_("The answer's JSON is malformed or incomplete.")
# Characters of malformed JSON that are read leniently: `json-repair` takes a second for a hundred thousand.
MAX_REPAIR = 60_000
# Characters of a rating in JSON: a number and a sentence or two.
MAX_RATING = 4_000
# Objects that are tried in a text that holds several.
MAX_OBJECTS = 20
# Keywords of JSON Schema that take unbounded time, fetch, or run a regular expression. A schema may come from a server.
UNBOUNDED = frozenset(
    {"$ref", "$dynamicRef", "$recursiveRef", "pattern", "patternProperties", "uniqueItems"}
    | {"unevaluatedItems", "unevaluatedProperties"}
)
# Members and items of the largest schema: with no references, the time of a check is this times the size of the data.
MAX_SCHEMA = 2_000
# TeX commands whose first letter with a backslash is an escape of JSON for a tab or a line break.
_TEX = (
    r"tan|tanh|tau|tbinom|text|textbf|textit|textrm|textsf|textstyle|texttt|tfrac|theta|"
    r"thickapprox|tilde|times|to|top|triangle|nabla|natural|ncong|nearrow|neg|neq|newline|"
    r"ne|nexists|nleq|nmid|notin|nparallel|nsubseteq|nu|nwarrow"
)
ESCAPE = re.compile(rf"\\(?:[\"'\\/]|u[0-9a-fA-F]{{4}}|(?P<tex>[bf]|r(?=[^\W\d_])|(?:{_TEX})(?![a-zA-Z]))|[nrt]|)")

# The parts of an object with the usual mistakes.
TOKEN = re.compile(
    r"""(?P<skipped>[\s\ufeff]+|//[^\n]*|\#[^\n]*|/\*.*?\*/)
      | (?P<double>"(?:[^"\\]|\\.)*")
      | (?P<single>'(?:[^'\\]|\\.)*')
      | (?P<key>[^\W\d]\w*)(?=\s*:)
      | (?P<word>-?[\d.]+(?:[eE][+-]?\d+)?|[^\W\d]\w*)
      | [{}\[\],:]""",
    re.DOTALL | re.VERBOSE,
)
# A backslash with what it stands before, or a double quote.
QUOTED = re.compile(r'\\.|"', re.DOTALL)
CONSTANTS = {"True": "true", "False": "false", "None": "null"}
# An object has a key behind its brace, or a comment; a brace in running text, such as `{facts, unanswerable}`, has not.
OBJECT_START = re.compile(r"\{\s*(?:(?://|#)[^\n]*\n\s*|/\*.{0,500}?\*/\s*){0,5}(?:[\"'“‘}]|\w+\s*:)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Rating:
    """One to five stars and the reason for them."""

    stars: int
    reason: str

    def __str__(self) -> str:
        return f"{self.stars}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a model says about `entity`, one fact an item, and the XML that it wrote."""

    entity: str
    facts: tuple[str, ...]
    xml: str


Reply = str | Rating | Facts | dict[str, Any]

RATING_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "stars": {"type": "integer", "enum": [1, 2, 3, 4, 5]},
        # A small model that is bound by the schema otherwise likes to leave it empty.
        "reason": {"type": "string", "minLength": 10},
    },
    "required": ["stars", "reason"],
    "additionalProperties": False,
}


# The forms of a rating and of facts for llama.cpp, in its notation (GBNF): those of the prompt's examples, which a JSON
# schema contradicts. Of 30 ratings after three examples, SmolLM2-135M wrote 30 with the grammar (8 right, 603 tokens),
# and 17 with the schema (3 right, 3,412 tokens); of 3 lists of facts, 3 with the grammar, none without (2026-11-28).
RATING_GRAMMAR = r'root ::= [1-5] ": " [^\n]{10,160}'
FACTS_GRAMMAR = r"""
root ::= "<FACTS entity=\"" [^"<&\n]{1,80} "\">\n" fact{1,8} "</FACTS>"
fact ::= "  <FACT>" [^<&\n]{10,200} "</FACT>\n"
"""
GRAMMARS = {"rating": RATING_GRAMMAR, "facts": FACTS_GRAMMAR}


def reply_format(kind: str, schema: Mapping[str, Any] | None, *, grammars: bool) -> dict[str, Any]:
    """The parameter that binds a reply of this `kind` to its form; empty where there is none.

    `grammars` says that llama.cpp answers. Other servers have none for facts: no JSON schema can describe their XML,
    which the template's example teaches.
    """
    if grammars and kind in GRAMMARS:
        return {"grammar": GRAMMARS[kind]}
    wanted = {"rating": RATING_SCHEMA, "json": schema}.get(kind)
    if wanted is None:
        return {}
    # Not strict: OpenAI's strict mode refuses schemas with optional members.
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "reply", "schema": dict(wanted)}}}


def parse(text: str, kind: str, schema: Mapping[str, Any] | None = None) -> Reply:
    """`text` as the reply that a template of this `kind` asks for. Raises `ReplyError`, for an empty text, too."""
    if not text.strip():
        raise ReplyError("The model answered nothing. Try again, or put it in other words.")
    if kind == "rating":
        return parse_rating(text)
    if kind == "facts":
        return parse_facts(text)
    return parse_json(text, schema or {}) if kind == "json" else text.strip()


def strip_code_fence(text: str) -> str:
    """`text` without the one code fence around all of it, if there is one."""
    text = text.strip()
    first, newline, rest = text.partition("\n")
    if not newline or not rest.endswith("```") or not re.fullmatch(r"```[\w-]*\s*", first):
        return text
    return rest[:-3].strip()


def parse_rating(text: str) -> Rating:
    """`4: reason`, with marks and words around it, or a JSON object with the members `stars` and `reason`."""
    text = strip_code_fence(text)
    if text.startswith("{") and len(text) <= MAX_RATING:
        return _rating_of(text)
    around = AROUND.match(text)
    # Not `**4**: a **bold** word**`, whose marks pair up otherwise.
    if around and around[1] not in around[2] and around[3] not in around[2]:
        text = around[2].strip()
    if match := RATING.match(text):
        return Rating(int(match[1]), match[2].strip())
    if (match := STARS.match(text)) and len(match[1].replace("\ufe0f", "")) + len(match[2]) <= 5:
        return Rating(len(match[1].replace("\ufe0f", "")), match[3].strip())
    raise ReplyError(NO_RATING)


def _rating_of(text: str) -> Rating:
    """The rating in a JSON object."""
    data = parse_json(text, {"type": "object"})
    stars = next((data[name] for name in ("stars", "rating", "score") if name in data), None)
    reason = next((data[name] for name in ("reason", "why", "explanation", "comment") if name in data), None)
    if isinstance(stars, str) and re.fullmatch(r"[1-5]", stars):
        stars = int(stars)
    if type(stars) is not int or not 1 <= stars <= 5 or not isinstance(reason, str) or not reason.strip():
        raise ReplyError(NO_RATING)
    return Rating(stars, reason.strip())


def parse_facts(text: str) -> Facts:
    """`<FACTS entity="…"><FACT>…</FACT>…</FACTS>`, alone or inside other text. Entities and DTDs are refused."""
    # Imported here: only this kind of reply needs an XML parser.
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    xml = _facts_element(strip_code_fence(text))
    if xml is None or "<!" in text:
        raise ReplyError("The answer holds no complete <FACTS> element.")
    try:
        root = fromstring(xml, forbid_dtd=True)
    except DefusedXmlException:
        raise ReplyError("The answer's XML declares entities, which are refused.") from None
    except (ParseError, ValueError):
        raise ReplyError("The answer's XML is not well formed.") from None
    entity = (root.get("entity") or "").strip()
    items = tuple(" ".join("".join(item.itertext()).split()) for item in root)
    if not entity:
        raise ReplyError('The <FACTS> element has no "entity".')
    if not items or any(item.tag != "FACT" for item in root) or not all(items):
        raise ReplyError("The <FACTS> element must hold <FACT> elements with a text each, and nothing else.")
    return Facts(entity, items, xml)


def _facts_element(text: str) -> str | None:
    """The text from the first `<FACTS` to the last `</FACTS>`, in linear time."""
    opening, end = re.search(r"<FACTS(?=[\s>])", text), text.rfind("</FACTS")
    close = text.find(">", end)
    if not opening or end < opening.start() or close < 0 or text[end + len("</FACTS") : close].strip():
        return None
    return text[opening.start() : close + 1]


def parse_json(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object in `text` that `schema` (a JSON schema) accepts. Other text around it is left out.

    Read strictly first. Where that fails, what is plainly meant is read: commas before brackets, single quotes,
    comments, line breaks in texts, single backslashes. An object that is cut off is refused.
    """
    text = strip_code_fence(text)
    problem: ReplyError | None = None
    if "{" not in text:
        raise ReplyError("The answer holds no JSON object.")
    for data in _objects_in(text):
        try:
            _validate(data, schema)
        except ReplyError as error:
            problem = problem or error
        else:
            return data
    raise problem or ReplyError(MALFORMED_JSON)


def _objects_in(text: str) -> Iterator[dict[str, Any]]:
    """The outermost JSON objects in `text`, in order."""
    decoder = json.JSONDecoder(strict=False)  # a line break in a text is meant as one
    for _attempt in range(MAX_OBJECTS):
        start = text.find("{")
        if start < 0:
            return
        text = text[start:]
        fixed = _fix_backslashes(text)
        try:
            data, end = decoder.raw_decode(fixed)
            text = fixed[end:]
        except (ValueError, RecursionError):
            if not OBJECT_START.match(fixed):
                text = text[1:]
                continue
            data, text = _read_normalized(fixed) or _read_repaired(fixed)
        if isinstance(data, dict):
            yield without_surrogates_in(data)


def _fix_backslashes(text: str) -> str:
    r"""`text` with the backslashes doubled that are meant as such: `\sigma`, and `\frac`, for JSON a form feed."""
    if "\\" not in text:
        return text

    def fixed(match: re.Match[str]) -> str:
        return "\\" + match[0] if match["tex"] or len(match[0]) == 1 else match[0]

    return ESCAPE.sub(fixed, text)


def _read_normalized(text: str) -> tuple[Any, str] | None:
    """The object at the start of `text` and the rest, read without comments, commas before brackets, single quotes,
    keys without quotes, and Python's words for constants. None where more is wrong.

    `json-repair` reads all that too, but drops empty texts before such a comma, and takes brackets and quotation marks
    in comments for real.
    """
    tokens: list[str] = []
    depth, at = 0, 0
    while token := TOKEN.match(text, at):
        at = token.end()
        found = token[0]
        if token.lastgroup == "skipped":
            continue
        if token.lastgroup in ("single", "double"):
            found = f'"{QUOTED.sub(_as_in_json, found[1:-1])}"'
        elif token.lastgroup == "word":
            found = CONSTANTS.get(found, found)
        elif token.lastgroup == "key":
            found = f'"{found}"'
        if found in "}]" and tokens[-1:] == [","]:
            tokens.pop()
        tokens.append(found)
        depth += (found in "{[") - (found in "}]")
        if depth == 0:
            try:
                return json.loads("".join(tokens), strict=False), text[at:]
            except (ValueError, RecursionError):
                return None
    return None


def _as_in_json(part: re.Match[str]) -> str:
    """A match of `QUOTED` as it is written between double quotes."""
    if part[0] == '"':
        return '\\"'
    return "'" if part[0] == "\\'" else part[0]


def _balanced(text: str) -> tuple[str, str]:
    """The object at the start of `text` up to its last bracket, and the rest. Empty where it is cut off."""
    depth, quoted, skip = 0, False, False
    for place, char in enumerate(text):
        if skip or char == "\\":
            skip = not skip
        elif char == '"':
            quoted = not quoted
        elif not quoted and char in "{[":
            depth += 1
        elif not quoted and char in "}]":
            depth -= 1
            if depth == 0:
                return text[: place + 1], text[place + 1 :]
    # Single quotes and comments may have misled the search: then all brackets must pair up.
    end = max(text.rfind("}"), 0) + 1
    opened = sum(map(text[:end].count, "{["))
    return (text[:end], text[end:]) if end > 1 and opened == sum(map(text[:end].count, "}]")) else ("", "")


def _read_repaired(text: str) -> tuple[Any, str]:
    """The object at the start of `text` as `json-repair` reads it, or None, and the rest."""
    whole, rest = _balanced(text)
    if not whole or len(whole) > MAX_REPAIR:
        return None, rest
    from json_repair import repair_json

    try:
        return repair_json(whole, return_objects=True, skip_json_loads=True, strict=True), rest
    except (ValueError, RecursionError):
        return None, rest


def _validate(data: Any, schema: Mapping[str, Any]) -> None:
    """Raise `ReplyError` where `data` does not fit `schema`, `TemplateError` where `schema` cannot be used."""
    try:
        problem = next(iter(_validator(json.dumps(schema, sort_keys=True)).iter_errors(data)), None)
    except (ValueError, RecursionError):
        raise TemplateError("The template's schema cannot be used; it is not JSON Schema of 2020-12.") from None
    if problem is None:
        return
    where, rule = ".".join(str(part) for part in problem.absolute_path), problem.validator
    if not where:
        raise ReplyError("The answer's JSON does not fit: the object breaks its rule {rule!r}.", rule=rule)
    raise ReplyError("The answer's JSON does not fit: {where} breaks its rule {rule!r}.", where=where, rule=rule)


@lru_cache(maxsize=256)
def _validator(schema: str) -> "Draft202012Validator":
    """The validator of a schema, given as JSON. Raises `ValueError` for one that cannot be used."""
    # Imported here: only JSON replies need a validator.
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError, UnknownType

    data = json.loads(schema)
    size = 0
    pending = [data]
    while pending:
        part = pending.pop()
        size += 1
        if isinstance(part, dict):
            size += len(part)
            # A property may have the name of a keyword; then its value is a schema and no text.
            found = {name for name in UNBOUNDED & part.keys() if not isinstance(part[name], dict)}
            if found or "patternProperties" in part:
                raise ValueError(f"unbounded: {sorted(found)}")
            pending += part.values()
        elif isinstance(part, list):
            size += len(part)
            pending += part
        if size > MAX_SCHEMA:
            raise ValueError("too large")
    try:
        Draft202012Validator.check_schema(data)
    except (SchemaError, UnknownType, re.error) as error:
        raise ValueError("no schema") from error
    return Draft202012Validator(data)
