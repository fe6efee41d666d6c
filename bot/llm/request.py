"""What is sent to a model: messages and parameters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from bot.core.attached_picture import AttachedPicture
from bot.core.i18n import N_

if TYPE_CHECKING:
    from bot.llm.template import ChatTemplate, ReplyKind

# `role` and `content`, a text; a user message may have `pictures`, a tuple of `AttachedPicture`.
Message = dict[str, Any]

# By the number of examples that a prompt shows: none, one, more.
TECHNIQUES = (N_("zero-shot"), N_("one-shot"), N_("few-shot"))
# An unsupported limit on tokens is sent under its other name: newer models support only the second.
RENAMED = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
# Tokens of an answer whose template sets no limit.
ANSWER_TOKENS = 1_000
# Parameters of a template that belong to the form of its answer. "Why?" gets an answer of another form.
OF_FIRST_ANSWER = frozenset({"stop", "response_format", "grammar", *RENAMED})


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
