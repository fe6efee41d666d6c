"""Which parameters each model does not support: learned from the errors of its server."""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from bot.core.errors import ModelError
from bot.llm.errors import DEPTH, NO_PICTURES, ServerError, texts_in
from bot.llm.request import RENAMED, Message, Request

if TYPE_CHECKING:
    from openai import APIError

# `gpt-6-luna` supports a temperature only at effort "none" (2026-11-22).
DEFAULTS: Mapping[str, Mapping[str, Any]] = {"gpt-6-luna": {"reasoning_effort": "none"}}
NEVER_DROPPED = frozenset({"model", "messages", "stream"})
# Statuses of a refused parameter. Some servers have 500 or 501 for what they have not implemented.
REFUSALS = frozenset({400, 422, 500, 501})
# Statuses of refused pictures, or None where an error sent with status 200 names no status.
PICTURE_REFUSALS = REFUSALS | {404, 415, None}
# What a refusal says of a parameter, in the order in which it is looked for. First: this value is not supported.
UNSUPPORTED_VALUE = re.compile(r"unsupported[_ ]value|value is (?:not )?supported|supported values", re.IGNORECASE)
# The parameter is not supported, whatever its value.
UNSUPPORTED = re.compile(
    r"extra_forbidden|extra (?:inputs?|fields?|parameters?)|"
    r"(?:unsupported|unknown|unexpected|unrecogni[sz]ed|additional|does not support|do not support|doesn't support)[_ ]"
    r"(?:the )?(?:request )?(?:param|argument|field|option|key|name|propert)|"
    r"cannot find field|not permitted|deprecated|"
    r"(?:not|n't|not yet|no longer) (?:be )?(?:supported?|implemented|available|allowed)(?! value)|unsupported|"
    r"unrecogni[sz]ed|unexpected keyword",
    re.IGNORECASE,
)
# How servers say that a model takes no pictures: OpenAI, Ollama, llama.cpp, vLLM, DeepSeek, OpenRouter, Mistral, and
# the local engine (2026-11-28). A fault of one picture ("failed to decode image") says nothing about the model.
PICTURE_WORD = re.compile(r"image|vision|multi-?modal|parts? of type text|content part", re.IGNORECASE)
PICTURES_UNSUPPORTED = re.compile(
    r"not (?:a |an )?(?:\w+ ){0,3}(?:support(?:ed)?|enabled|allowed|multi-?modal)|n't support|unsupported"
    r"|only supported by|unknown variant|no endpoints found|at most 0 images?|not compiled|mmproj|missing data"
    r"|only parts of|invalid content type",
    re.IGNORECASE,
)
LEFT_OUT_PROMPT = "[A picture was here: {name}. You cannot see it.]"
# Members of an error, in lower case, that name a parameter, and those that echo what was sent.
PLACES = frozenset(
    {"loc", "param", "parameter", "field", "path", "instancepath", "pointer", "property", "additionalproperty", "keys"}
)
ECHOES = frozenset({"input", "value", "ctx", "body", "request", "messages"})
# The value is wrong: that says nothing about the parameter.
BAD_VALUE = re.compile(
    r"invalid[_ ](?:type|value)|must be|should be|expected|out of range|between|greater than|less than|"
    r"at (?:least|most)|_parsing|_type\b|literal_error|above_max|below_min|not of type|not a valid|"
    r"too (?:large|small|long|short|high|low)",
    re.IGNORECASE,
)


class UnsupportedParams:
    """The parameters that each model has refused in this process.

    Models of one provider support different parameters, and the differences change faster than a table could. A
    parameter is sent until a server answers that it is not supported. A refusal of a value is remembered for that value
    alone, so that a server's trick changes nothing for other servers. What a model refuses may depend on
    `reasoning_effort`, so it is remembered for each.
    """

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], set[str]] = {}
        self._values: dict[tuple[str, str], set[tuple[str, str]]] = {}
        # Models that take no pictures.
        self._text_only: set[str] = set()

    def body(self, request: Request, model: str, extra: Mapping[str, Any]) -> dict[str, Any]:
        """The body of a call: the request's parameters and `extra`, without what the model does not support.

        Raises `ModelError` where the model takes no pictures and the last message has one.
        """
        model = request.parameters.get("model", model)
        wanted = {**DEFAULTS.get(model, {}), **request.optional, **request.parameters, **extra}
        scope = _scope(model, request)
        names, values = self._names.get(scope, set()), self._values.get(scope, set())
        for old, new in RENAMED.items():
            if old in wanted and old in names and new not in names:
                wanted[new] = wanted.pop(old)
        kept = {
            name: value
            for name, value in wanted.items()
            if name not in names and (not values or (name, _as_text(value)) not in values)
        }
        text_only = model in self._text_only
        if text_only and request.pictures:
            raise ModelError(NO_PICTURES)
        return {**kept, "model": model, "messages": [_with_parts(message, text_only) for message in request.messages]}

    def local_stop(self, request: Request, body: Mapping[str, Any]) -> tuple[str, ...]:
        """The stop sequences that are not in `body`, so that the client must apply them."""
        stop = request.parameters.get("stop")
        if stop is None or "stop" in body:
            return ()
        return (stop,) if isinstance(stop, str) else tuple(stop)

    def learn(self, error: "APIError | ServerError", request: Request, body: Mapping[str, Any]) -> bool:
        """Whether `error` refuses a parameter of `body`. It is then remembered, and the call can be made again.

        A wrong value that a template set is not remembered: the call fails.
        """
        status = error.status if isinstance(error, ServerError) else getattr(error, "status_code", 0)
        has_pictures = any("pictures" in message for message in request.messages)
        if has_pictures and status in PICTURE_REFUSALS and _refuses_pictures(error):
            self._text_only.add(body["model"])
            return True
        if status is not None and status not in REFUSALS:
            return False
        scope = _scope(body["model"], request)
        names, values = self._names.setdefault(scope, set()), self._values.setdefault(scope, set())
        for name, text in _refused(error, body):
            value = _as_text(body[name])
            unsupported, own = UNSUPPORTED.search(text), name not in request.parameters
            if unsupported and not UNSUPPORTED_VALUE.search(text) and not _names_value(text, body[name]):
                names.add(name)
            elif own or UNSUPPORTED_VALUE.search(text) or not BAD_VALUE.search(text):
                values.add((name, value))
        # Another call may have met this refusal first. The next body differs where something of this one is left out.
        return any(name in names or (name, _as_text(value)) in values for name, value in body.items())


def _with_parts(message: Message, text_only: bool) -> dict[str, Any]:
    """`message` as it is sent. A picture that is gone, or that the model does not take, becomes a sentence."""
    if "pictures" not in message:
        return message
    parts = [{"type": "text", "text": message["content"]}] if message["content"] else []
    for picture in message["pictures"]:
        if picture.url and not text_only:
            parts.append(picture.to_part())
        else:
            parts.append({"type": "text", "text": LEFT_OUT_PROMPT.format(name=picture.name)})
    others = {name: value for name, value in message.items() if name != "pictures"}
    if all(part["type"] == "text" for part in parts):
        return {**others, "content": "\n\n".join(part["text"] for part in parts)}
    return {**others, "content": parts}


def _refuses_pictures(error: "APIError | ServerError") -> bool:
    """Whether `error` says that the model, or its server, takes no pictures at all."""
    message = " ".join(texts_in(error.body))[:4_000]
    return bool(PICTURE_WORD.search(message) and PICTURES_UNSUPPORTED.search(message))


def _scope(model: str, request: Request) -> tuple[str, str]:
    """What a refusal is remembered for: the model, and the effort that a request asks for."""
    wanted = {**DEFAULTS.get(model, {}), **request.optional, **request.parameters}
    return model, str(wanted.get("reasoning_effort"))


def _refused(error: "APIError | ServerError", body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The parameters of `body` that `error` names, each with what it says about it."""
    droppable = [name for name in body if name not in NEVER_DROPPED]
    found: dict[str, str] = {}
    for names, text in _issues(error.body):
        text = text.replace("invalid_request_error", "")
        refuses = UNSUPPORTED.search(text) or UNSUPPORTED_VALUE.search(text)
        for name in droppable:
            if name in names or (refuses and _mentions(text, name)):
                found.setdefault(name, text)
    named = (error.param or "").partition(".")[0].partition("[")[0]
    if named in droppable:
        found.setdefault(named, " ".join([*texts_in(error.body), str(error.code or "")]))
    yield from found.items()


def _mentions(text: str, name: str) -> bool:
    """Whether a running text names a parameter. A word like `stop` is one only in quotes or beside such a noun."""
    word, noun = re.escape(name), r"(?:param|argument|field|option|propert|key)\w*"
    if "_" in name:
        return bool(re.search(rf"\b{word}\b", text))
    quoted = rf"['\"`]{word}['\"`.\[]"
    listed = rf"(?:{noun}|supplied)[: ]+(?:\w+, ?){{0,20}}{word}\b"
    return bool(re.search(rf"{quoted}|{listed}|\b{word} (?:request )?{noun}", text))


def _issues(body: object, depth: int = DEPTH, key: str = "", message: str = "") -> Iterator[tuple[frozenset[str], str]]:
    """The problems in an error's body: the names that each gives apart from its text, and its text.

    `key` is the member that `body` is the value of, and `message` is the text of the object around it.
    """
    if isinstance(body, Mapping):
        members = {str(name).casefold(): value for name, value in body.items()}
        texts = [value for name, value in members.items() if isinstance(value, str) and name not in PLACES | ECHOES]
        text = " ".join(texts)[:4_000] or message
        yield frozenset(chain.from_iterable(_names(members.get(place), place) for place in PLACES)), text
        for name, value in members.items() if depth else ():
            if name not in PLACES | ECHOES:
                yield from _issues(value, depth - 1, name, text)
    elif isinstance(body, list | tuple):
        for item in body[:20] if depth else ():
            yield from _issues(item, depth - 1, key, message)
    elif isinstance(body, str):
        yield frozenset(), f"{key!r}: {body[:4_000]}"


def _names(place: object, kind: str) -> Iterator[str]:
    """The parameters at a place such as `stream_options.include_usage` or `["body", "stop"]`; of `keys`, all."""
    parts = re.split(r"[.\[/]", place) if isinstance(place, str) else place if isinstance(place, list | tuple) else ()
    names = (str(part) for part in parts if part not in ("", "$", "body"))
    yield from names if kind == "keys" else islice(names, 1)


def _as_text(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _names_value(text: str, value: object) -> bool:
    """Whether `text` quotes the value that was sent, and so may speak of it alone."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return False
    return bool(re.search(rf"(?<![\w.]){re.escape(str(value))}(?![\w.]*\w)", text))
