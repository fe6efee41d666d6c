"""What is sent to a model: messages, parameters, and which parameters a model does not support."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from bot.core.attached_picture import AttachedPicture
from bot.core.errors import ModelError
from bot.core.i18n import N_
from bot.llm.errors import DEPTH, NO_PICTURES, ServerError, texts_in

if TYPE_CHECKING:
    from openai import APIError

    from bot.llm.template import ChatTemplate, ReplyKind

# `role` and `content`, a text; a user message may have `pictures`, a tuple of `AttachedPicture`.
Message = dict[str, Any]

# By the number of examples that a prompt shows: none, one, more.
TECHNIQUES = (N_("zero-shot"), N_("one-shot"), N_("few-shot"))
# An unsupported limit on tokens is sent under its other name: newer models support only the second.
RENAMED = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
# `gpt-6-luna` supports a temperature only at effort "none" (2026-11-22).
DEFAULTS: Mapping[str, Mapping[str, Any]] = {"gpt-6-luna": {"reasoning_effort": "none"}}
NEVER_DROPPED = frozenset({"model", "messages", "stream"})
# Tokens of an answer whose template sets no limit.
ANSWER_TOKENS = 1_000
# Parameters of a template that belong to the form of its answer. "Why?" gets an answer of another form.
OF_FIRST_ANSWER = frozenset({"stop", "response_format", *RENAMED})
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


def technique(examples: int) -> str:
    """The English name of the technique that shows a model this many examples (0 or more)."""
    return TECHNIQUES[min(examples, 2)]


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a follow-up continues: the exchange that came before it.

    `parent` is the id of the answer that it follows. `length` is the number of messages at the end of the request that
    come after the first question; `left_out` is the number of those that no longer fit. `authors` are the Discord ids
    of the other people whose words are among the messages.
    """

    parent: str
    length: int
    left_out: int = 0
    authors: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Request:
    """Messages and parameters, ready to be sent.

    `optional` are parameters that the bot adds to those of the template; they are left out where a model refuses them.
    `name` says what the call is for: the template's name, or another word for requests without a template.
    `examples` counts the example pairs among the messages. `template` and the `values` that filled it are kept, so
    that the same input can be run again with other examples. A `conversation` makes it a follow-up.
    """

    messages: tuple[Message, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    examples: int = 0
    template: "ChatTemplate | None" = None
    values: Mapping[str, str] = field(default_factory=dict)
    optional: Mapping[str, Any] = field(default_factory=dict)
    conversation: Conversation | None = None

    @property
    def reply(self) -> "ReplyKind":
        """The form of the answer: that of the template, and a text in a conversation."""
        return self.template.reply if self.template is not None and self.conversation is None else "text"

    @property
    def technique(self) -> str:
        """zero-shot, one-shot or few-shot."""
        return technique(self.examples)

    @property
    def written(self) -> str:
        """The part of the request that people wrote: the values, or the last message where there is no template."""
        is_filled = self.template is not None and self.conversation is None
        return "\n\n".join(self.values.values()) if is_filled else str(self.messages[-1]["content"])

    def with_template(self, template: "ChatTemplate") -> "Request":
        """The same input in another `template`, such as one with fewer examples. The conversation stays."""
        before = self.conversation.length if self.conversation else 0
        question = self.messages[len(self.messages) - before - 1]
        request = template.fill(self.values).with_pictures(question.get("pictures", ()))
        if self.conversation is None:
            return request
        return request.followed_by(*self.messages[-self.conversation.length :]).continuing(self.conversation)

    def continuing(self, conversation: Conversation) -> "Request":
        """The request as a follow-up in `conversation`: without the parameters for the form of the first answer."""
        kept = {name: value for name, value in self.parameters.items() if name not in OF_FIRST_ANSWER}
        optional = {name: value for name, value in self.optional.items() if name not in OF_FIRST_ANSWER}
        return replace(self, parameters=kept, optional=optional, conversation=conversation)

    def followed_by(self, *messages: Message) -> "Request":
        """The request with `messages` at its end."""
        return replace(self, messages=(*self.messages, *messages))

    @property
    def pictures(self) -> tuple[AttachedPicture, ...]:
        """The pictures in the last message."""
        return tuple(self.messages[-1].get("pictures", ()))

    def with_pictures(self, pictures: Sequence[AttachedPicture]) -> "Request":
        """The request with `pictures` in its last message."""
        if not pictures:
            return self
        return replace(self, messages=(*self.messages[:-1], {**self.messages[-1], "pictures": tuple(pictures)}))

    def with_model(self, name: str | None) -> "Request":
        """The request to the model called `name`, or to the one that answers by default."""
        return self if name is None else replace(self, parameters={**self.parameters, "model": name})

    def with_model_of(self, earlier: "Request") -> "Request":
        """The request to the model that `earlier` was sent to, unless this one's template names a model."""
        return self if "model" in self.parameters else self.with_model(earlier.parameters.get("model"))

    def with_limit(self, tokens: int) -> "Request":
        """The request with a limit of `tokens` for the answer, unless it has one."""
        if token_limit({**self.optional, **self.parameters}) is not None:
            return self
        return replace(self, optional={**self.optional, "max_completion_tokens": tokens})


def message_to_dict(message: Message) -> dict[str, Any]:
    """`message` as JSON data: of its pictures the descriptions."""
    if "pictures" not in message:
        return dict(message)
    return {**message, "pictures": [picture.to_dict() for picture in message["pictures"]]}


def message_from_dict(data: Mapping[str, Any]) -> Message:
    """The message in JSON data that `message_to_dict` made."""
    if "pictures" not in data:
        return dict(data)
    return {**data, "pictures": tuple(AttachedPicture.from_dict(picture) for picture in data["pictures"])}


def token_limit(parameters: Mapping[str, Any]) -> int | None:
    """The limit on the tokens of an answer in `parameters`, or None."""
    limits = (parameters.get(name) for name in RENAMED)
    return next((limit for limit in limits if type(limit) is int and limit > 0), None)


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
    said = " ".join(texts_in(error.body))[:4_000]
    return bool(PICTURE_WORD.search(said) and PICTURES_UNSUPPORTED.search(said))


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


def _issues(body: object, depth: int = DEPTH, key: str = "", said: str = "") -> Iterator[tuple[frozenset[str], str]]:
    """The problems in an error's body: the names that each gives apart from its text, and its text.

    `key` is the member that `body` is the value of, and `said` is the text of the object around it.
    """
    if isinstance(body, Mapping):
        members = {str(name).casefold(): value for name, value in body.items()}
        texts = [value for name, value in members.items() if isinstance(value, str) and name not in PLACES | ECHOES]
        text = " ".join(texts)[:4_000] or said
        yield frozenset(chain.from_iterable(_names(members.get(place), place) for place in PLACES)), text
        for name, value in members.items() if depth else ():
            if name not in PLACES | ECHOES:
                yield from _issues(value, depth - 1, name, text)
    elif isinstance(body, list | tuple):
        for item in body[:20] if depth else ():
            yield from _issues(item, depth - 1, key, said)
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
